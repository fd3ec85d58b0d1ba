"""The engine of convolutions that skips zero weights (`hlsgen.ops.skipping` deals them out)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hlsgen.engines.array import Array
from hlsgen.engines.base import WORD, engine_vector, roles, stored_word, tiles
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.count import MANY, fields
from hlsgen.kernel.memory import MEMORY_DISTANCE, SUM_DISTANCE, Memory
from hlsgen.kernel.nest import Loop
from hlsgen.kernel.phases import Buffer
from hlsgen.kernel.step import End, Registers, StepKernel
from hlsgen.kernel.values import Vector
from hlsgen.ops import operator
from hlsgen.ops.arrays import pad_axis
from hlsgen.ops.conv_steps import FEEDER
from hlsgen.ops.skipping import list_lengths, packed, step_lists
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan
from hlsgen.types import PLACE_BITS, DataType

# Where the input lies that a weight multiplies.
PLACE = Vector(DataType("place", PLACE_BITS, "ushort", "uint16"), 1)


class Skipping(Array):
    """`inputs` non-zero weights of each lane of an input vector a cycle. Values and places take
    turns in the weight stream."""

    name = "skipping"
    skips_zeros = True
    hops = 2

    def refusal(self, own: EngineSizes) -> str | None:
        """A weight's place has few bits."""
        if own.tile_vectors > 1 << PLACE_BITS:
            return f"where zeros are skipped a tile has at most {1 << PLACE_BITS:,} vectors"
        return super().refusal(own)

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """Tile and multipliers in one kernel, results. Every multiplier has a copy of its lane, at
        the place that comes with its weight."""
        assert plan.engines is not None
        own, types = plan.engines.of(self.name), roles(graph, plan, self.name)
        vector = engine_vector(graph, plan, self.name)
        single = Vector(types.operand, 1)
        tile = self.tile_memory(own, types.operand)
        shape = own.outputs, own.inputs * own.width, own.width
        kept = [
            Registers(name + part, kind, shape)
            for part, kind in (("weights", Vector(types.weight, 1)), ("places", PLACE))
            for name in ("", "next_")
        ]
        group, fused = self.group_word(own, vector), self.fused(plan)
        weights = f"{own.inputs} weights" if own.inputs > 1 else "a weight"
        fed = (End(f"{FEEDER}_to_{self.name}", vector.bits),) * fused
        (turns,) = fields("tile_turns")
        engine = StepKernel(
            "skipping_engine",
            "Convolution engine that skips zero weights: for each of "
            f"{own.outputs * own.width} output channels {weights} of each of the {own.width} lanes "
            "of an input\nvector a cycle. It keeps a tile on chip, in two halves: the next one "
            "arrives in one while this one is read from the other.\nEvery multiplier reads a copy "
            "of its lane, at the place that comes with its weight. Weights and places of one word "
            "stay in\nregisters while all pixels of the tile pass by, so an accumulator rests for "
            "a whole tile between two additions and II is 1;\nthe next word's arrive meanwhile. A "
            f"tile is read no sooner than {MEMORY_DISTANCE} turns after it is complete; a word has "
            f"at least\n{SUM_DISTANCE}, so that an accumulator is not due again before it is "
            "written.",
            self.start(plan),
            ((Loop("n", MANY, count=turns),),),
            (
                End("skipping_step", WORD),
                End("skipping_results_step", WORD, writes=True),
                *fed,
                End("skipping_in", vector.bits),
                End("skipping_weights", stored_word(graph, plan).bits),
                End("skipping_sums", group.bits, writes=True),
            ),
            (self.multiplying(own, types),),
            onward=(("skipping_results_step", ""),),
            counts={"tiles": tiles(graph, plan).named("count")},
            arrays=(
                Buffer(tile, single, "lane by lane", rests=MEMORY_DISTANCE),
                *kept,
                self.sums(own, vector),
            ),
            choices=group.bits,
            logic=1024,
            depth=4,
            template="skipping_engine",
        )
        return engine, self.results(graph, plan)

    def tile_memory(self, own: EngineSizes, operand: DataType) -> Memory:
        """Every multiplier has a copy of its lane."""
        copies = own.inputs * own.outputs * own.width
        return Memory("tiles", 2 * own.tile_vectors, operand.bits, own.width, 1, copies)

    def word_vectors(self, step: StepPlan, own: EngineSizes) -> int:
        """Values and places."""
        return 2 * step.output_vectors * own.inputs * own.width

    def weights(
        self, graph: Graph, step: StepPlan, engines: Engines
    ) -> tuple[np.ndarray, dict[str, int]]:
        """Those that are not zero, with their places in the tile, dealt out to the multipliers."""
        block, _ = super().weights(graph, step, engines)
        layer, plain = graph.layer(step.layer), replace(step, feeder="")
        fields = operator(layer.op).folded_fields(layer, graph, plain, engines)
        window = layer.attributes.window
        ky, kx = np.indices(window.kernel) * np.reshape(window.dilation, (2, 1, 1))
        depth = np.arange(fields["in_vectors"])[:, None, None]
        places = (ky * fields["in_columns"] + kx) * fields["in_vectors"] + depth
        whole = pad_axis(block, 0, engines.width * step.output_vectors)
        own = engines.of(self.name)
        return packed(whole, places, step.output_vectors, fields["taps"], own), {}

    def turns_of_word(self, pixels: int, turns: int, own: EngineSizes) -> int:
        """It is the array that reads the tile."""
        return turns

    def first_turns(self, loads: int, tap_words: int, own: EngineSizes) -> int:
        """Meanwhile the first word's weights come in."""
        return max(loads, tap_words)

    def least(self, layer: Layer, depth: int, width: int) -> tuple[float, int]:
        """A step takes as many words as the longest list of its vectors: no fewer than their
        mean."""
        return mean_of_fullest(layer.weights["weight"], layer.attributes.groups, width), 0

    def sentences(self, graph: Graph, plan: Plan) -> list[str]:
        """Which layers skip zeros, and how unevenly these lie."""
        assert plan.engines is not None
        mine = {step.layer for step in self.steps(plan)}
        if not mine:
            return []
        op = operator(graph.layer(next(iter(mine))).op)
        arrays = (op.engine, *op.alternative_engines)
        own, every = plan.engines.of(self.name), {s.layer for s in plan.steps if s.engine in arrays}
        return [
            f"{len(mine)} of {len(every)} convolutions skip zeros, on an engine that takes "
            f"{own.inputs} non-zero weights of "
            f"each of {own.width} lanes for {own.outputs * own.width} output channels a cycle "
            "(its fullest lists take "
            f"{self.unevenness(graph, plan):.2f} times the words of the mean)."
        ]

    def unevenness(self, graph: Graph, plan: Plan) -> float:
        """Words that its steps take, over those of evenly dealt weights: the load imbalance."""
        taken = ideal = 0.0
        assert plan.engines is not None
        for step in self.steps(plan):
            layer = graph.layer(step.layer)
            fields = operator(layer.op).folded_fields(layer, graph, step, plan.engines)
            pixels = graph.output_tensor(layer).pixels * step.groups
            taken += pixels * fields["taps"] * plan.engines.of(self.name).inputs
            ideal += pixels * float(step_lists(layer, step, plan.engines.width).mean())
        return taken / max(ideal, 1e-9)


def mean_of_fullest(weight: np.ndarray, groups: int, width: int) -> float:
    """Over output vectors the mean of the longest list of non-zero weights of any output and
    lane."""
    lengths = pad_axis(list_lengths(weight, groups, width), 0, width)
    return float(lengths.reshape(-1, width**2).max(axis=1).mean())


ENGINE = Skipping()
