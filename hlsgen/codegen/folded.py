"""Generates folded designs: engines, the step table, and the parameters in the order the engines
read them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hlsgen.boards import Board
from hlsgen.codegen.attributes import NO_UNIONS, Unions
from hlsgen.codegen.design import (
    Generated,
    Weights,
    feature_layout,
    filled,
    input_entry,
    layer_entry,
    output_entry,
)
from hlsgen.codegen.folded_runs import folded_runs, uses
from hlsgen.codegen.folded_text import FoldedText, steps_by_engine
from hlsgen.descriptors import clears_lanes, record_fields, step_fields, table_array, with_order
from hlsgen.engines import engine, engine_of
from hlsgen.engines.base import Engine, Feeder, feature_type, weight_type
from hlsgen.graph import Graph, Tensor
from hlsgen.host.manifest import Buffer, Layout
from hlsgen.model.finishing import engines_used, finish, has_scales
from hlsgen.model.folded_structure import shared_kernels
from hlsgen.ops import operator
from hlsgen.ops.arrays import pad_axis
from hlsgen.ops.broadcast import FLOAT_MAX
from hlsgen.placement import Placement, place_tensors
from hlsgen.plan import Plan, StepPlan
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.types import FLOAT32, INT32, encoded

# Memories of feature maps: the second is of float32 beside integers.
FEATURES, FLOATS = "features", "floats"


class FoldedGenerator:
    """Holds what the parts of one folded design share."""

    def __init__(self, graph: Graph, plan: Plan):
        assert plan.engines is not None
        self.graph, self.plan, self.engines = graph, plan, plan.engines
        self.storage = weight_type(graph, plan)
        self.placement: Placement = place_tensors(graph, self.engines.width)
        self.used = engines_used(graph, plan)
        self.numbers = {"": 0} | {known.name: i for i, known in enumerate(self.used, start=1)}
        self.scaled = has_scales(graph)
        self.words: list[np.ndarray] = []
        self.tables: list[np.ndarray] = []
        self.table_size = 0
        self.biases: list[np.ndarray] = []
        self.word_count = self.bias_count = 0

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

    def append_words(self, known: Engine, packed: np.ndarray) -> dict[str, int]:
        """Append `(groups, vectors, V)` for an engine; returns the fields that hold the first word
        and the words of a group."""
        base, per_group = self.word_count, packed.shape[1] // self.engines.burst
        if self.storage.integer:
            words = packed.astype(self.storage.array, casting="same_kind")
        else:
            words = encoded(packed, self.storage)
        self.words.append(words.ravel())
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
            if array is not None and array.ndim == 0:
                array = np.full(self.graph.output_tensor(layer).channels, array)
            planes = np.zeros((0, 1)) if array is None else array.reshape(len(array), -1)
            whole = array is not None and np.issubdtype(array.dtype, np.integer)
            full = np.full((planes.shape[1], count), default, INT32.array if whole else np.float32)
            if step.finish:
                part = pad_axis(planes, 0, v)[first : first + count].T
                full[:, : part.shape[1]] = part
            values.append(full.reshape(-1, v))
        if clears_lanes(self.graph, step, self.engines):
            lanes = values[0].reshape(-1, count)
            lanes[:, self.graph.output_tensor(layer).channels - first :] = FLOAT_MAX
        values = [own.view(INT32.array) for own in values] if self.graph.integers else values
        vectors = np.stack(values, axis=1) if self.scaled else values[0]
        base = self.bias_count
        self.biases.append(vectors.ravel())
        self.bias_count += len(vectors)
        return {"bias_base": base}

    def generate(self, board: Board, prefix: str = "", unions: Unions = NO_UNIONS) -> Generated:
        """The whole design, with the text of a prefix's kernels (which take apart vectors of their
        own, `unions`) where it has one."""
        e, steps = self.engines, self.steps()
        text = FoldedText(
            self.graph,
            self.plan,
            self.used,
            self.numbers,
            self.listeners(),
            steps_by_engine(steps, self.used, self.numbers),
            self.placement.size,
        )
        source = text.source(board, prefix, unions)
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

    def manifest(self, source: str, weights: Weights, steps: list[dict[str, Any]]) -> Generated:
        """Buffers, ports, launches."""
        e = self.engines
        sections = {section.name: section for section in weights.sections}
        buffers: dict[str, Buffer] = {
            name: filled(sections[name])
            for name in ("weights", "biases", "table", "tables")
            if name in sections
        }
        size, several = self.placement.size * e.width, self.plan.images > 1
        buffers[FEATURES] = Buffer(size, feature_type(self.graph).name, per_image=several)
        movers = shared_kernels(self.graph, self.plan, self.used, finish(self.graph, self.plan))
        movers += [k for known in self.used for k in known.readers(self.graph, self.plan)]
        if any(pointer.name == FLOATS for kernel in movers for pointer in kernel.pointers):
            buffers[FLOATS] = Buffer(size, FLOAT32.name, per_image=several)
        if scratch := sum(known.scratch(self.plan) for known in self.used):
            kind = INT32 if self.graph.integers else FLOAT32
            buffers["scratch"] = Buffer(scratch, kind.name)
        # Results that never lie in memory.
        passed_on = {step.layer for step in self.plan.steps if step.addition}
        passed_on |= {step.feeder for step in self.plan.steps}
        entries = [
            layer_entry(layer, self.layout(self.graph.output_tensor(layer)))
            for layer in self.graph.layers
            if layer.name not in passed_on
        ]
        inputs = [
            input_entry(p, self.layout(self.graph.tensors[p.tensor])) for p in self.graph.inputs
        ]
        outputs = [
            output_entry(p, self.layout(self.graph.tensors[p.tensor])) for p in self.graph.outputs
        ]
        calls = {known.name: known.calls(self.graph, self.plan) for known in self.used}
        runs = folded_runs(self.plan, steps, self.used, calls, movers)
        fields = record_fields(self.graph, self.plan.steps)
        meanings = {field.name: field.meaning for field in fields}
        return Generated(source, weights, buffers, inputs, outputs, entries, runs, meanings)

    def layout(self, tensor: Tensor) -> Layout:
        """Where a tensor lies in the feature memory."""
        at = self.placement.locations[tensor.name]
        buffer = memory_of(self.graph, tensor)
        return feature_layout(buffer, tensor, self.engines.width, at.base, at.stride)


def memory_of(graph: Graph, tensor: Tensor) -> str:
    """The memory of feature maps that holds a tensor."""
    return FEATURES if tensor.type == feature_type(graph) else FLOATS


def generate_folded(graph: Graph, plan: Plan, board: Board) -> Generated:
    """Generate a folded design."""
    return FoldedGenerator(reshaped(graph, plan), plan).generate(board)
