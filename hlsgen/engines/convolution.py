"""The engine of convolutions that multiplies by all weights, with the kernel that puts zeros back
where these lie compressed in memory."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, ClassVar

import numpy as np

from hlsgen.engines.array import Array, array_units
from hlsgen.engines.base import DEPTH, STEPS, WORD, Call, Products, weight_word
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Body, Fifo, Kernel, Lsu
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.record import Field
from hlsgen.ops.compress import BLOCK, block_rows, compressed
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan

# What records have where weights are compressed.
COMPRESSED = "compressed"


class Convolution(Array):
    """`inputs` taps, input vectors at a place of the window each, of one pixel a cycle."""

    name = "convolution"
    fields = (
        *Array.fields,
        Field(1000, "group_words", "int", "weight expander: words of a group", COMPRESSED),
        Field(1010, "blocks", "int", "weight expander: blocks of a group", COMPRESSED),
        Field(
            1020,
            "block_rows",
            "int",
            "weight expander: compressed words of a block; 0: the step is not compressed",
            COMPRESSED,
        ),
        Field(
            1030, "last_block", "int", "weight expander: words of a group's last block", COMPRESSED
        ),
    )
    products: ClassVar[Mapping[str, Products]] = {
        "weight_expander": Products(4, 3),
        "convolution_tiles": Products(1, 0),
        "convolution_results": Products(2, 1),
    }
    compresses = True
    decodes = True
    hops = 3

    # ---- structure

    def kernels(self, graph: Graph, plan: Plan, bits: int) -> list[Kernel]:
        """Weights, tiles, multiplier array, results."""
        assert plan.engines is not None
        own, autorun, scratch = plan.engines.of(self.name), self.autorun(plan), self.spills(plan)
        v, vector = own.width, own.width * bits
        lanes = own.outputs * v
        lsus = (Lsu("scratch", vector), Lsu("scratch", vector, store=True)) if scratch else ()
        array = Body(
            array_units(own),
            () if scratch else (self.sums_memory(own, vector),),
            2 * own.inputs * v * lanes * bits,  # weights in use, and the next word's
            lanes * bits + own.outputs * own.inputs * v,
        )
        tiles = Body(memories=(self.tile_memory(own, bits),))
        tile_bits = (1 + own.inputs) * vector + 2 * WORD
        array_bits = vector * own.inputs + weight_word(plan) + lanes * bits + 2 * WORD
        return [
            *[expander(own, bits, autorun)] * self.expands(plan),
            Kernel("convolution_tiles", tiles, autorun, (), tile_bits, 4, 3, 768 + 96 * own.inputs),
            Kernel(
                "convolution_engine", array, autorun and not scratch, lsus, array_bits, 5, 2, 512
            ),
            self.results_kernel(own, plan, bits),
        ]

    def tile_memory(self, own: EngineSizes, bits: int) -> Memory:
        """A copy for each tap that is read at once."""
        return Memory("tiles", 2 * own.tile_vectors, own.width * bits, copies=own.inputs)

    def spills(self, plan: Plan) -> bool:
        """Whether it accumulates in global memory."""
        return not plan.enabled("cached_writes")

    def expands(self, plan: Plan) -> bool:
        """Whether some of its weights lie compressed in memory."""
        return any(step.compressed for step in plan.steps)

    def fifos(self, plan: Plan, bits: int, words: int) -> list[Fifo]:
        """With those to the array, and into the weight expander."""
        assert plan.engines is not None
        own = plan.engines.of(self.name)
        vector = own.width * bits
        found = [
            *super().fifos(plan, bits, words),
            Fifo("convolution_array_step", WORD, words),
            Fifo("convolution_pixels", vector * own.inputs, 16),
        ]
        if self.expands(plan):
            found += [
                Fifo("expander_step", WORD, words),
                Fifo("expander_in", weight_word(plan), DEPTH),
            ]
        return found

    # ---- record

    def word_vectors(self, step: StepPlan, own: EngineSizes) -> int:
        """Input lane by input lane, for each tap and output vector."""
        return step.output_vectors * own.inputs * own.width

    def turns_of_word(self, pixels: int, turns: int, own: EngineSizes) -> int:
        """Its pixels', or as many as its taps."""
        return max(pixels, own.inputs)

    def first_turns(self, loads: int, tap_words: int, own: EngineSizes) -> int:
        """Meanwhile the first word's taps are placed."""
        return max(loads, own.inputs)

    # ---- parameters

    def weights(
        self, graph: Graph, step: StepPlan, engines: Engines
    ) -> tuple[np.ndarray, dict[str, int]]:
        """As they are multiplied, or without their zeros, with what the weight expander must know
        of them."""
        packed, _ = super().weights(graph, step, engines)
        count = packed.shape[1] // engines.burst
        fields = {"group_words": count, "blocks": 0, "block_rows": 0, "last_block": 0}
        if not step.compressed:
            return packed, fields
        rows, blocks = block_rows(packed, engines.burst), ceil(count / BLOCK)
        fields |= {"blocks": blocks, "block_rows": rows, "last_block": count - (blocks - 1) * BLOCK}
        return compressed(packed, engines.burst, rows), fields

    def share_in_memory(self, graph: Graph, step: StepPlan, engines: Engines) -> float:
        """Words of a block in memory, of its words."""
        return compressed_rows(graph, step, engines) / BLOCK

    def weight_stream(self, fields: dict[str, Any]) -> int:
        """Words with their zeros."""
        return int(fields["tiles"] * fields["out_groups"] * fields["group_words"])

    # ---- text

    def context(
        self, mine: list[dict[str, Any]], fed: list[dict[str, Any]], own: EngineSizes
    ) -> dict[str, Any]:
        """With the longest stream into the weight expander, 0 without one."""
        packed = any(s["block_rows"] for s in mine)
        longest = max((super(Convolution, self).weight_stream(s) for s in mine), default=0)
        found = super().context(mine, fed, own) | {"expander": longest if packed else 0}
        return found | {"block": BLOCK, "weights_into": "expander_in"} if packed else found

    # ---- launches

    def scratch(self, plan: Plan) -> int:
        """The accumulators, where these are not on chip."""
        assert plan.engines is not None
        own = plan.engines.of(self.name)
        return own.outputs * own.tile_pixels * own.width * self.spills(plan)

    def calls(self, graph: Graph, plan: Plan, bits: int) -> list[Call]:
        """Where accumulators are not cached the array takes memory for them."""
        found = super().calls(graph, plan, bits)
        if not self.spills(plan):
            return found
        return [
            Call(call.kernel, (STEPS, "scratch")) if call.kernel == "convolution_engine" else call
            for call in found
        ]

    def starts_alone(self, plan: Plan) -> bool:
        """Unless it accumulates in global memory."""
        return super().starts_alone(plan) and not self.spills(plan)

    # ---- time

    def stream_cycles(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any], words: int
    ) -> tuple[float, int]:
        """A compressed block's words go out while those of the block after the next come in."""
        if not step.compressed:
            return super().stream_cycles(graph, step, engines, fields, words)
        rows, blocks = compressed_rows(graph, step, engines), ceil(words / BLOCK)
        cycles = blocks * float(max(BLOCK, rows)) + step.output_vectors
        return fields["tiles"] * step.groups * cycles + 2 * BLOCK, blocks * rows

    def least(self, layer: Layer, depth: int, width: int) -> tuple[float, int]:
        """All taps."""
        words = depth * layer.attributes.window.taps
        return words, words * width

    # ---- explanation

    def rate(self, own: EngineSizes) -> str:
        """Its multipliers."""
        outputs = own.outputs * own.width
        return (
            f"the convolution engine multiplies {own.inputs * own.width} inputs by {outputs} "
            "output channels a cycle"
        )

    def sentences(self, graph: Graph, plan: Plan) -> list[str]:
        """Whose weights are compressed."""
        packed = sum(step.compressed for step in plan.steps)
        return (
            [f"The weights of {packed} convolution steps are compressed in memory."]
            if packed
            else []
        )


def compressed_rows(graph: Graph, step: StepPlan, engines: Engines) -> int:
    """Words that a block of a compressed step takes in memory."""
    packed, _ = Array.weights(ENGINE, graph, step, engines)
    return block_rows(packed, engines.burst)


def expander(own: EngineSizes, bits: int, autorun: bool) -> Kernel:
    """The kernel that puts zeros back between compressed weights."""
    lanes = own.width * own.burst
    body = Body(
        # One block comes in, one rests, one goes out: four of them, each with a flag for every
        # place.
        memories=(Memory("block", 4 * BLOCK, bits, lanes, granule=1),),
        register_bits=3 * BLOCK * lanes + lanes * bits,
        multiplexer_bits=lanes * (2 * bits + BLOCK),
    )
    return Kernel("weight_expander", body, autorun, (), 2 * lanes * bits + WORD, 3, 3, 512)


ENGINE = Convolution()
