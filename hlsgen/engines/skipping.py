"""The engine of convolutions that skips zero weights (`hlsgen.ops.skipping` deals them out)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hlsgen.engines.array import Array, array_units
from hlsgen.engines.base import WORD, Products
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Body, Kernel
from hlsgen.kernel.memory import Memory
from hlsgen.ops import operator
from hlsgen.ops.base import pad_axis
from hlsgen.ops.skip import PLACE_BITS
from hlsgen.ops.skipping import list_lengths, step_lists
from hlsgen.ops.sparse import density
from hlsgen.plan import EngineSizes, Plan, StepPlan


class Skipping(Array):
    """`inputs` non-zero weights of each lane of an input vector a cycle. Values and places take
    turns in the weight stream."""

    name = "skipping"
    products: ClassVar[Mapping[str, Products]] = {
        "skipping_engine": Products(1, 0),
        "skipping_results": Products(2, 1),
    }
    skips_zeros = True
    hops = 2

    def refusal(self, own: EngineSizes) -> str | None:
        """A weight's place has few bits."""
        if own.tile_vectors > 1 << PLACE_BITS:
            return f"where zeros are skipped a tile has at most {1 << PLACE_BITS:,} vectors"
        return super().refusal(own)

    def kernels(self, graph: Graph, plan: Plan, bits: int) -> list[Kernel]:
        """Tile and multipliers in one kernel, results."""
        assert plan.engines is not None
        own, autorun = plan.engines.of(self.name), self.autorun(plan)
        v, vector = own.width, own.width * bits
        lanes = own.outputs * v
        memories = (self.tile_memory(own, bits), self.sums_memory(own, vector))
        # Weights and places in use, and the next word's.
        kept = 2 * own.inputs * v * lanes * (bits + PLACE_BITS)
        units = array_units(own)
        body = Body(units, memories, kept, lanes * bits)
        channel_bits = vector * (1 + own.burst) + lanes * bits + 2 * WORD
        return [
            Kernel("skipping_engine", body, autorun, (), channel_bits, 5, 4, 1024),
            self.results_kernel(own, plan, bits),
        ]

    def tile_memory(self, own: EngineSizes, bits: int) -> Memory:
        """Every multiplier has a copy of its lane."""
        copies = own.inputs * own.outputs * own.width
        return Memory("tiles", 2 * own.tile_vectors, bits, own.width, granule=1, copies=copies)

    def word_vectors(self, step: StepPlan, own: EngineSizes) -> int:
        """Values and places."""
        return 2 * step.output_vectors * own.inputs * own.width

    def turns_of_word(self, pixels: int, turns: int, own: EngineSizes) -> int:
        """It is the array that reads the tile."""
        return turns

    def first_turns(self, loads: int, tap_words: int, own: EngineSizes) -> int:
        """Meanwhile the first word's weights come in."""
        return max(loads, tap_words)

    def work(self, layer: Layer, macs: float) -> float:
        """Zeros are none."""
        return round(macs * density(layer.weights["weight"]))

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
