"""The engine of convolutions that multiplies by all weights, with the kernel that puts zeros back
where these lie compressed in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, prod
from typing import Any

import numpy as np

from hlsgen.engines.array import Array
from hlsgen.engines.base import (
    DEPTH,
    WORD,
    engine_vector,
    kept_weights,
    roles,
    stored_word,
    sum_vector,
    tiles,
    unrolling,
)
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.count import MANY, Count, chosen, counters, fields
from hlsgen.kernel.memory import MEMORY_DISTANCE, SUM_DISTANCE, Memory
from hlsgen.kernel.nest import Index, Loop, Weights, size
from hlsgen.kernel.phases import Buffer
from hlsgen.kernel.record import Field
from hlsgen.kernel.step import INT, LAUNCHED, Channel, End, Pointer, Registers, StepKernel
from hlsgen.kernel.values import Vector
from hlsgen.kernel.weight_order import walked
from hlsgen.ops.compress import BLOCK, block_rows, compressed
from hlsgen.ops.conv_steps import FEEDER
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan
from hlsgen.types import DataType
from hlsgen.words import counted

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
    compresses = True
    decodes = True
    hops = 3

    # ---- structure

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """Weights, tiles, multiplier array, results."""
        expands = (expander(self.start(plan), graph, plan),) if self.expands(plan) else ()
        return (
            *expands,
            self.tiles(graph, plan),
            self.array(graph, plan),
            self.results(graph, plan),
        )

    def start(self, plan: Plan) -> str:
        """By the host where one of them accumulates in global memory."""
        return LAUNCHED if self.spills(plan) else super().start(plan)

    def tiles(self, graph: Graph, plan: Plan) -> StepKernel:
        """The kernel that keeps a tile of the input, with a copy for each tap that is read at
        once."""
        assert plan.engines is not None
        own, vector = plan.engines.of(self.name), engine_vector(graph, plan, self.name)
        fed = (End(f"{FEEDER}_to_{self.name}", vector.bits),) * self.fused(plan)
        taps = f"{own.inputs} taps that are" if own.inputs > 1 else "a tap that is"
        (turns,) = fields("tile_turns")
        return StepKernel(
            "convolution_tiles",
            f"Convolution engine: {own.inputs * own.width} products of each of "
            f"{own.outputs * own.width} output channels of one pixel a cycle, in three kernels "
            "that run\nside by side: tiles come in, the multiplier array works, results go out.\n\n"
            "Keeps a tile of the input on chip and sends it once for every word of every group of "
            "outputs. A tap is one input vector at one place\nof the window; a word is "
            f"{taps} multiplied at once. Taps follow each other column by column, row by row, "
            "vector by vector.\nThe buffer has two halves: the next tile arrives in one while this "
            "one leaves from the other, no sooner than\n"
            f"{MEMORY_DISTANCE} turns after it is complete.",
            self.start(plan),
            ((Loop("n", MANY, count=turns),),),
            (
                End("convolution_step", WORD),
                End("convolution_array_step", WORD, writes=True),
                *fed,
                End("convolution_in", vector.bits),
                End("convolution_pixels", self.word(own, vector).bits, writes=True),
            ),
            onward=(("convolution_array_step", ""),),
            counts={"tiles": tiles(graph, plan).named("count")},
            arrays=(
                Buffer(
                    self.tile_memory(own, vector.type), vector, "two halves", rests=MEMORY_DISTANCE
                ),
            ),
            logic=768 + 96 * own.inputs,
            depth=3,
            template="convolution_tiles",
        )

    def tile_memory(self, own: EngineSizes, operand: DataType) -> Memory:
        """A copy for each tap that is read at once."""
        bits = own.width * operand.bits
        return Memory("tiles", 2 * own.tile_vectors, bits, copies=own.inputs)

    def array(self, graph: Graph, plan: Plan) -> StepKernel:
        """The multiplier array, with the weights in use and the next word's."""
        assert plan.engines is not None
        own, types = plan.engines.of(self.name), roles(graph, plan, self.name)
        vector = engine_vector(graph, plan, self.name)
        sums, products = sum_vector(graph, plan, self.name), own.inputs * own.width
        kept = kept_weights(graph, plan, self.name)
        weights = tuple(
            Registers(name, kept, (own.outputs, products)) for name in ("weights", "next_weights")
        )
        group = self.group_word(own, sums)
        scratch = Pointer("scratch", sums, loads=1, stores=1, qualifier="")
        (turns,) = fields("array_turns")
        return StepKernel(
            "convolution_engine",
            "The multiplier array. The weights of one word stay in registers while all pixels of "
            "the tile pass by, so the accumulator\nof a pixel rests for a whole tile between two "
            "additions and II is 1 for any window, stride and dilation. The next word's\nweights "
            f"arrive meanwhile. A phase has at least {SUM_DISTANCE} turns, so that an accumulator "
            "is not due again before it is written.",
            self.start(plan),
            ((Loop("turn", MANY, count=turns),),),
            (
                End("convolution_array_step", WORD),
                End("convolution_results_step", WORD, writes=True),
                End("convolution_weights", stored_word(graph, plan).bits),
                End("convolution_pixels", self.word(own, vector).bits),
                End("convolution_sums", group.bits, writes=True),
            ),
            (self.multiplying(own, types),),
            onward=(("convolution_results_step", ""),),
            pointers=(scratch,) if self.spills(plan) else (),
            arrays=weights if self.spills(plan) else (*weights, self.sums(own, sums)),
            choices=group.bits + own.outputs * products,
            logic=512,
            template="convolution_engine",
        )

    def word(self, own: EngineSizes, vector: Vector) -> Vector:
        """Input vectors of one pixel that are multiplied at once."""
        return replace(vector, count=own.inputs, name="convolution_word")

    def channels(self, graph: Graph, plan: Plan) -> tuple[tuple[Channel, ...], ...]:
        """With those to the array, and into the weight expander."""
        assert plan.engines is not None
        own, step = self.own(plan.engines), Vector(INT, 1)
        vector = engine_vector(graph, plan, self.name)
        count, groups, taps, pixels = fields("tiles", "out_groups", "taps", "pixels")
        word, sent = self.word(own, vector), count * groups * taps * pixels
        found = (
            *super().channels(graph, plan),
            (
                Channel("convolution_array_step", step),
                Channel("convolution_pixels", word, 16, sent, vector.ctype),
            ),
        )
        return (expander_channels(graph, plan), *found) if self.expands(plan) else found

    def spills(self, plan: Plan) -> bool:
        """Whether it accumulates in global memory."""
        return not plan.enabled("cached_writes")

    def expands(self, plan: Plan) -> bool:
        """Whether some of its weights lie compressed in memory."""
        return any(step.compressed for step in plan.steps)

    # ---- record

    def word_vectors(self, step: StepPlan, own: EngineSizes) -> int:
        """One for each iteration of the loops in which they come in."""
        return size(self.taken(step, own))

    def taken(self, step: StepPlan, own: EngineSizes) -> tuple[Loop, ...]:
        """The loops in which the weights of a word come in: for each output vector tap by tap,
        input lane by input lane."""
        return Loop("t", step.output_vectors), *self.products(own)

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
        packed = self.multiplied(graph, step, engines)
        count = packed.shape[1] // engines.burst
        fields = {"group_words": count, "blocks": 0, "block_rows": 0, "last_block": 0}
        if not step.compressed:
            return packed, fields
        rows, blocks = block_rows(packed, engines.burst), ceil(count / BLOCK)
        fields |= {"blocks": blocks, "block_rows": rows, "last_block": count - (blocks - 1) * BLOCK}
        return compressed(packed, engines.burst, rows), fields

    def multiplied(self, graph: Graph, step: StepPlan, engines: Engines) -> np.ndarray:
        """Weight vectors `(groups, vectors, V)` in the order in which they are multiplied: group by
        group of output vectors, word by word. A tap is an input vector at a place of the window,
        column by column, row by row, vector by vector."""
        block, _ = super().weights(graph, step, engines)
        own, v = engines.of(self.name), engines.width
        lanes = block.reshape(len(block), -1, v, prod(block.shape[2:])).swapaxes(1, 2)
        values = lanes.reshape(1, len(block), v, -1)
        words = ceil(values.shape[3] / own.inputs)
        loops = (Loop("group", step.groups), Loop("word", words), *self.taken(step, own))
        weights = Weights(
            values,
            filter=Index((("group", step.output_vectors * v), ("t", v))),
            input=Index((("i", 1),)),
            tap=Index((("word", own.inputs), ("b", 1))),
        )
        return walked(loops, v, weights).reshape(step.groups, -1, v)

    def share_in_memory(self, graph: Graph, step: StepPlan, engines: Engines) -> float:
        """Words of a block in memory, of its words."""
        return compressed_rows(graph, step, engines) / BLOCK

    def weight_stream(self, plan: Plan) -> Count:
        """Words with their zeros."""
        if not self.expands(plan):
            return super().weight_stream(plan)
        count, groups, words = fields("tiles", "out_groups", "group_words")
        return count * groups * words

    def weights_channel(self, plan: Plan) -> str:
        """Into the kernel that puts zeros back, if there is one."""
        return "expander_in" if self.expands(plan) else super().weights_channel(plan)

    def weights_step(self, plan: Plan) -> str:
        """It hears of a step before the engine does."""
        return "expander_step" * self.expands(plan)

    # ---- launches

    def scratch(self, plan: Plan) -> int:
        """The accumulators, where these are not on chip."""
        assert plan.engines is not None
        own = plan.engines.of(self.name)
        return own.outputs * own.tile_pixels * own.width * self.spills(plan)

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
            [f"The weights of {counted(packed, 'convolution step')} are compressed in memory."]
            if packed
            else []
        )


def compressed_rows(graph: Graph, step: StepPlan, engines: Engines) -> int:
    """Words that a block of a compressed step takes in memory."""
    return block_rows(ENGINE.multiplied(graph, step, engines), engines.burst)


def expander_channels(graph: Graph, plan: Plan) -> tuple[Channel, ...]:
    """Those into the weight expander."""
    count, groups, words = fields("tiles", "out_groups", "weight_words")
    return (
        Channel("expander_step", Vector(INT, 1)),
        Channel("expander_in", stored_word(graph, plan), DEPTH, count * groups * words),
    )


def expander(start: str, graph: Graph, plan: Plan) -> StepKernel:
    """The kernel that puts zeros back between compressed weights."""
    assert plan.engines is not None
    e, word = plan.engines, stored_word(graph, plan)
    lanes, value = e.width * e.burst, Vector(word.type, 1)
    # One block comes in, one rests, one goes out: four of them, each with a flag for every place.
    memory = Memory("block", 4 * BLOCK, value.bits, lanes, granule=1)
    flags = Vector(DataType("uint64", BLOCK, "ulong", "uint64"), 1)
    groups, blocks, words = fields("out_groups", "blocks", "group_words")
    packed, turns = counters("packed", "turns")
    groups = (tiles(graph, plan) * groups).named("groups")
    count = (groups * blocks).named("count")
    return StepKernel(
        "weight_expander",
        f"Weight expander: words of compressed weights come in, a block of {BLOCK} at a time, "
        "while the block before the last goes out to the array,\nzeros and all: so a weight rests "
        "in between. Four entries of every lane share a word of places, a byte each; the next four "
        "words hold\ntheir values.",
        start,
        ((Loop("n", MANY, count=chosen(packed, (count + 2) * turns, groups * words)),),),
        (
            End("expander_step", WORD),
            End("expander_in", word.bits),
            End("convolution_weights", word.bits, writes=True),
        ),
        counts={"groups": groups, "blocks": count},
        arrays=(
            Buffer(memory, value, "four blocks", rests=BLOCK),
            Registers("filled", flags, (3, lanes)),
            Registers("places", word, inside=True),
        ),
        choices=lanes * (2 * value.bits + BLOCK),
        logic=512,
        depth=3,
        state=(
            unrolling(plan),
            f"for (int i = 0; i < {lanes}; ++i)",
            "    filled[0][i] = filled[1][i] = filled[2][i] = 0;",
        ),
        ahead=True,
        template="weight_expander",
    )


ENGINE = Convolution()
