"""Generates folded designs: engines, the step table, and the parameters in the order the engines
read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hlsgen.activation import EXPRESSIONS, KINDS
from hlsgen.boards import Board
from hlsgen.codegen.design import (
    Generated,
    Weights,
    feature_layout,
    filled,
    input_entry,
    layer_entry,
    output_entry,
)
from hlsgen.codegen.folded_runs import bias_stream, folded_runs, uses
from hlsgen.codegen.render import render, vector_type
from hlsgen.descriptors import clears_lanes, record_fields, step_fields, table_array, with_order
from hlsgen.engines import engine, engine_of
from hlsgen.engines.base import Engine, Feeder, unrolling
from hlsgen.graph import Graph, Tensor
from hlsgen.host.manifest import Buffer, Layout
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY
from hlsgen.kernel.memory import MEMORY_DISTANCE, SUM_DISTANCE, Memory
from hlsgen.kernel.step import Channel, StepKernel
from hlsgen.kernel.step_text import channel_lines, step_kernel
from hlsgen.model.folded_structure import (
    bias_depth,
    bias_words,
    engines_used,
    folded_structure,
    pairs_fed,
)
from hlsgen.ops import operator
from hlsgen.ops.base import pad_axis
from hlsgen.ops.binary import FUNCTIONS, NAMES
from hlsgen.ops.broadcast import FLOAT_MAX
from hlsgen.placement import Placement, place_tensors
from hlsgen.plan import Plan, StepPlan
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.types import FLOAT32, STORAGE_TYPES, decoded, encoded

# In the epilogue an activation's parameters come from the step.
STEP_PARAMETERS = {"x": "value", "alpha": "s.alpha", "low": "s.low", "high": "s.high"}

# How an engine's kernel begins: by itself, or launched by the host for a number of steps.
AUTORUN = {
    "engine_attribute": "ENGINE",
    "engine_parameters": "ENGINE_PARAMETERS",
    "every_step": "EVERY_STEP",
}
LAUNCHED = {
    "engine_attribute": "__attribute__((max_global_work_dim(0)))",
    "engine_parameters": "const int steps",
    "every_step": "for (int nth = 0; nth < steps; ++nth)",
}


class FoldedGenerator:
    """Holds what the parts of one folded design share."""

    def __init__(self, graph: Graph, plan: Plan):
        assert plan.engines is not None
        self.graph, self.plan, self.engines = graph, plan, plan.engines
        self.storage = STORAGE_TYPES[plan.weights]
        self.placement: Placement = place_tensors(graph, self.engines.width)
        self.used = engines_used(graph, plan)
        self.numbers = {"": 0} | {known.name: i for i, known in enumerate(self.used, start=1)}
        self.scaled = any(
            operator(layer.op).folded_scale(layer) is not None for layer in graph.layers
        )
        self.words: list[np.ndarray] = []
        self.tables: list[np.ndarray] = []
        self.table_size = 0
        self.biases: list[np.ndarray] = []
        self.word_count = self.bias_count = 0
        self.clears = False

    def steps(self) -> list[dict[str, Any]]:
        """The fields of every step; collects weights and biases on the way."""
        found = []
        for step in self.plan.steps:
            fields = step_fields(self.graph, step, self.engines, self.placement)
            fields["engine"] = self.numbers[step.engine]
            fields |= self.add_weights(step) | self.add_bias(step) | self.add_tables(step)
            found.append(fields)
        for fields in with_order(found):
            fields["listeners"] = self.heard_by(fields)
        return found

    def listeners(self) -> dict[str, int]:
        """The bits of those that hear of a step; `after`: its data wait for the step before."""
        return {"filter_reader": 1, "residual_reader": 2, "after": 4} | {
            name: 4 << number for name, number in self.numbers.items() if name
        }

    def heard_by(self, fields: dict[str, Any]) -> int:
        """Who hears of a step."""
        hears = {
            "filter_reader": fields["filter_words"] > 0,
            "residual_reader": fields["residual"] > 0,
            "after": fields["number"] > 0,
        } | {known.name: uses(fields, known, self.numbers[known.name]) for known in self.used}
        return sum(bit for name, bit in self.listeners().items() if hears[name])

    def add_weights(self, step: StepPlan) -> dict[str, int]:
        """Append the weight words of the step's engine, and of the one that feeds it."""
        if not step.engine or not operator(self.graph.layer(step.layer).op).engine_weights:
            return {}
        known = engine(step.engine)
        packed, found = known.weights(self.graph, step, self.engines)
        found |= self.append_words(known, packed)
        if step.feeder:
            feeder = self.graph.layer(step.feeder)
            feeding = engine_of(feeder)
            assert isinstance(feeding, Feeder)
            found |= self.append_words(feeding, feeding.feeding_weights(feeder, self.engines))
        return found

    def add_tables(self, step: StepPlan) -> dict[str, int]:
        """Append the tables of the step's engine; the fields hold where each begins."""
        layer, found = self.graph.layer(step.layer), {}
        source = self.graph.tensors[layer.inputs[0]]
        stride = self.placement.locations[source.name].stride
        if not step.engine:
            return {}
        for field, value in (
            operator(layer.op).folded_tables(layer, source, stride, self.engines).items()
        ):
            if np.ndim(value):
                found[field] = self.table_size
                self.tables.append(np.asarray(value, np.int32))
                self.table_size += len(value)
            else:
                found[field] = int(value)
        return found

    def decoded(self, pattern: str) -> str:
        """The expression of a vector of weights that came from memory."""
        return decoded(pattern, self.engines.width, self.storage)

    def append_words(self, known: Engine, packed: np.ndarray) -> dict[str, int]:
        """Append `(groups, vectors, V)` for an engine; returns the fields that hold the first word
        and the words of a group."""
        base, per_group = self.word_count, packed.shape[1] // self.engines.burst
        self.words.append(encoded(packed, self.storage).ravel())
        self.word_count += packed.shape[0] * per_group
        return {f"{known.parameters}_base": base, f"{known.parameters}_words": per_group}

    def add_bias(self, step: StepPlan) -> dict[str, int]:
        """Append the step's bias vectors (each followed by its scale where the network has scales).

        In lanes that the epilogue is to clear, the bias is the largest number.
        """
        layer, v = self.graph.layer(step.layer), self.engines.width
        op = operator(layer.op)
        first, count = step.first_vector * v, step.groups * step.output_vectors * v
        values = []
        for array, default in ((op.folded_shift(layer), 0.0), (op.folded_scale(layer), 1.0)):
            planes = np.zeros((0, 1)) if array is None else array.reshape(len(array), -1)
            full = np.full((planes.shape[1], count), default, np.float32)
            if step.finish:
                part = pad_axis(planes, 0, v)[first : first + count].T
                full[:, : part.shape[1]] = part
            values.append(full.reshape(-1, v))
        if clears_lanes(self.graph, step, self.engines):
            self.clears = True
            lanes = values[0].reshape(-1, count)
            lanes[:, self.graph.output_tensor(layer).channels - first :] = FLOAT_MAX
        vectors = np.stack(values, axis=1) if self.scaled else values[0]
        base = self.bias_count
        self.biases.append(vectors.ravel())
        self.bias_count += len(vectors)
        return {"bias_base": base}

    def generate(
        self, board: Board, prefix: str = "", prefix_widths: Sequence[int] = ()
    ) -> Generated:
        """The whole design, with the text of a prefix's kernels (which handle vectors of
        `prefix_widths`) where it has one."""
        e = self.engines
        steps = self.steps()
        context = self.context(steps) | {
            "network": self.plan.network,
            "plan": self.plan,
            "board": board,
            "channels": True,
            "widths": sorted({e.width, *prefix_widths}),
            "integers": (),
            "exact": False,
            "prefix": prefix,
            "e": e,
        }
        for entry in context["engines"]:
            own = context | entry["own"]
            ahead, others = self.engine_text(entry, own)
            entry["text"] = others
            if ahead:
                context["expanded"], context["expander_text"] = entry["name"], ahead
        source = render("folded/design.cl.j2", **context)
        weights = Weights()
        empty = np.zeros(e.width * e.burst, self.storage.array)
        weights.add(
            "weights",
            np.concatenate([*self.words, empty]),
            f"words of {e.burst} vectors of {e.width}, group after group as the steps read them",
        )
        weights.add(
            "biases",
            np.concatenate(self.biases),
            f"vectors of {e.width}" + (", each followed by its scales" if self.scaled else ""),
        )
        weights.add(
            "table",
            table_array(steps, record_fields(self.graph, self.plan.steps)),
            "step table; fields in design.json",
        )
        if self.tables:
            weights.add(
                "tables", np.concatenate(self.tables), "where data movements find their values"
            )
        return self.manifest(source, weights, steps)

    def engine_text(self, entry: dict[str, Any], context: dict[str, Any]) -> tuple[str, str]:
        """The kernels of an engine, each group of channels between them before its first: those
        that stand before the readers, and the others."""
        found: dict[bool, list[str]] = {True: [], False: []}
        kernels, largest = entry["kernels"], entry["largest"]
        for ahead in (True, False):
            here = [k for k in kernels if k.ahead == ahead]
            reached = {end.channel for k in here for end in k.ends}
            for group in entry["channels"]:
                if all(channel.name in reached for channel in group):
                    found[ahead].append("\n".join(channel_lines(group, largest)))
            for k in here:
                body = (
                    render(f"folded/{k.template}.cl.j2", **context | named(k)) if k.template else ""
                )
                found[ahead].append("\n".join(step_kernel(k, body.splitlines(), context["unroll"])))
        return "\n\n".join(found[True]), "\n\n".join(found[False])

    def context(self, steps: list[dict[str, Any]]) -> dict[str, Any]:
        """What the templates need beyond the plan: engines in use, deep FIFO sizes, activations."""
        plan, e = self.plan, self.engines
        autorun = plan.enabled("autorun") and plan.enabled("concurrent_queues")
        fields = record_fields(self.graph, plan.steps)
        plain = [s for s in steps if s["engine"] == 0]
        own_readers = [known.name for known in self.used if known.reader]
        return {
            "image_size": self.placement.size if self.plan.images > 1 else 0,
            "tiles": "s.tiles" if self.plan.images > 1 else "s.tiles_y * s.tiles_x",
            "vec": vector_type(e.width, FLOAT32.ctype),
            "stored_vec": self.storage.vector(e.width),
            "decoded": self.decoded,
            "fields": [(field.name, field.kind) for field in fields],
            "engines": [self.engine_entry(known, steps) for known in self.used],
            "activations": self.activations(steps),
            "numbered": self.numbered(steps),
            "plain": max((s["loads"] for s in plain), default=0),
            "residual": max((s["results"] for s in steps if s["residual"]), default=0),
            "biases": max(bias_stream(s) for s in steps),
            "results": max(s["results"] for s in steps),
            "listeners": self.listeners(),
            "sends_weights": any(known.weighted and not known.reader for known in self.used),
            "memories": self.memories(),
            "bias_words": bias_words(plan.steps),
            "bias_depth": bias_depth(e),
            "distance": MEMORY_DISTANCE,
            "sum_distance": SUM_DISTANCE,
            "partial_sums": ACCUMULATION_LATENCY,
            "filters": own_readers[0] if own_readers else "",
            "expanded": "",
            "pairs": self.pairs(steps),
            "feeder_activations": self.activations(steps, "feeder_"),
            "scaled": self.scaled,
            "clears": self.clears,
            "cached": plan.enabled("cached_writes"),
            "always_sequential": not plan.enabled("concurrent_queues"),
            "unroll": unrolling(plan),
            "joins": self.joins(steps),
            "negatives": any(s["scale_negative"] for s in steps),
            "varying": any(s["constants_vary"] for s in steps),
        } | (AUTORUN if autorun else LAUNCHED)

    def engine_entry(self, known: Engine, steps: list[dict[str, Any]]) -> dict[str, Any]:
        """What the templates need of an engine: the longest streams into and out of it, and under
        `own` what its own template does."""
        number, plan = self.numbers[known.name], self.plan
        mine = [s for s in steps if s["engine"] == number]
        fed = [s for s in steps if s["fused"]] if known.feeds else []
        reading, serving = [s for s in mine if not s["fused"]] + fed, mine + fed
        own = self.engines.of(known.name)
        context = known.context(mine, fed, own)
        launched = {} if known.starts_alone(plan) else LAUNCHED
        return {
            "name": known.name,
            "number": number,
            "inputs": max((s["loads"] for s in reading), default=0),
            "outputs": max((s["results"] for s in mine), default=0),
            "weights": max(known.weight_stream(s) for s in serving) if known.weighted else 0,
            "weights_into": context.get("weights_into", f"{known.name}_weights"),
            "fed": known.fed,
            "feeds": known.feeds,
            "kernels": known.described(self.graph, self.plan, serving),
            "channels": (groups := known.channels(self.plan)),
            "largest": {c.name: longest(c, mine) for group in groups for c in group},
            "own": context | launched | {"e": own},
        }

    def memories(self) -> dict[str, dict[str, Memory]]:
        """The on-chip arrays of every kernel by name, as the resource model charges them."""
        kernels = folded_structure(self.graph, self.plan, FLOAT32.bits).kernels
        return {
            kernel.name: {memory.name: memory for memory in kernel.body.memories}
            for kernel in kernels
        }

    def numbered(self, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """All activations that have a number in the kernel text."""
        return list(
            {
                a["name"]: a for prefix in ("", "feeder_") for a in self.activations(steps, prefix)
            }.values()
        )

    def joins(self, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The ways in which the epilogue joins a second tensor."""
        used = sorted({s["residual"] for s in steps} - {0})
        return [
            {
                "name": NAMES[n - 1],
                "number": n,
                "expression": FUNCTIONS[NAMES[n - 1]].expression.format("value", "other"),
            }
            for n in used
        ]

    def pairs(self, steps: list[dict[str, Any]]) -> dict[str, int]:
        """The longest stream from the engine that feeds others into each that it feeds."""
        found: dict[str, int] = {}
        for _, name in pairs_fed(self.graph, self.plan):
            number = self.numbers[name]
            fed = [
                s["tiles"] * s["tile_loads"] for s in steps if s["fused"] and s["engine"] == number
            ]
            found[name] = max(fed)
        return found

    def activations(self, steps: list[dict[str, Any]], prefix: str = "") -> list[dict[str, Any]]:
        """The activation functions that the epilogue (or a feeding engine) must know, parameters
        from the step."""
        used = sorted({s[f"{prefix}activation"] for s in steps} - {0})
        parameters = {
            name: text.replace("s.", f"s.{prefix}") for name, text in STEP_PARAMETERS.items()
        }
        return [
            {
                "name": KINDS[n - 1],
                "number": n,
                "expression": EXPRESSIONS[KINDS[n - 1]].format(**parameters),
            }
            for n in used
        ]

    def manifest(self, source: str, weights: Weights, steps: list[dict[str, Any]]) -> Generated:
        """Buffers, ports, launches."""
        e = self.engines
        sections = {section.name: section for section in weights.sections}
        buffers: dict[str, Buffer] = {
            name: filled(sections[name])
            for name in ("weights", "biases", "table", "tables")
            if name in sections
        }
        buffers["features"] = Buffer(
            self.placement.size * e.width, FLOAT32.name, per_image=self.plan.images > 1
        )
        if scratch := sum(known.scratch(self.plan) for known in self.used):
            buffers["scratch"] = Buffer(scratch, FLOAT32.name)
        entries = [
            layer_entry(layer, self.layout(self.graph.output_tensor(layer)))
            for layer in self.graph.layers
            if not any(
                (step.addition and step.layer == layer.name) or step.feeder == layer.name
                for step in self.plan.steps
            )
        ]
        inputs = [
            input_entry(p, self.layout(self.graph.tensors[p.tensor])) for p in self.graph.inputs
        ]
        outputs = [
            output_entry(p, self.layout(self.graph.tensors[p.tensor])) for p in self.graph.outputs
        ]
        calls = {known.name: known.calls(self.graph, self.plan) for known in self.used}
        runs = folded_runs(self.plan, steps, self.used, calls)
        fields = record_fields(self.graph, self.plan.steps)
        meanings = {field.name: field.meaning for field in fields}
        return Generated(source, weights, buffers, inputs, outputs, entries, runs, meanings)

    def layout(self, tensor: Tensor) -> Layout:
        """Where a tensor lies in the feature memory."""
        at = self.placement.locations[tensor.name]
        return feature_layout("features", tensor, self.engines.width, at.base, at.stride)


def longest(channel: Channel, steps: Sequence[dict[str, Any]]) -> int:
    """Words that pass a channel in the largest of some steps."""
    stream = channel.stream
    return max((stream.value(fields) for fields in steps), default=0) if stream else 0


def kernel_text(k: StepKernel, context: dict[str, Any]) -> str:
    """A kernel, with the loops that its template prints if it has one."""
    body = render(f"folded/{k.template}.cl.j2", **context | named(k)) if k.template else ""
    return "\n".join(step_kernel(k, body.splitlines(), context["unroll"]))


def named(k: StepKernel) -> dict[str, Any]:
    """A kernel as its template knows it: with what is on chip by name."""
    feeders = [end.channel for end in k.ends if "_to_" in end.channel and not end.writes]
    return {
        "k": k,
        "feeder": feeders[0] if feeders else "",
        "memory": {buffer.memory.name: buffer.memory for buffer in k.buffers},
        "pointer": {pointer.name: pointer for pointer in k.pointers},
        "registers": {registers.name: registers for registers in k.registers},
    }


def generate_folded(graph: Graph, plan: Plan, board: Board) -> Generated:
    """Generate a folded design."""
    return FoldedGenerator(reshaped(graph, plan), plan).generate(board)
