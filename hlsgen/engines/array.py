"""Engines that compute convolutions tile by tile: an array of multipliers beside a tile of the
input, and the kernel that sends its results one by one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from math import ceil
from typing import Any, NamedTuple

from hlsgen.engines.base import WORD, Engine, Size, sum_vector, tiles
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.count import MANY, fields
from hlsgen.kernel.memory import MEMORY_DISTANCE, SUM_DISTANCE, Memory, power_of_two
from hlsgen.kernel.nest import Combine, Loop, Nest, Source
from hlsgen.kernel.phases import Buffer
from hlsgen.kernel.record import Field
from hlsgen.kernel.step import INT, Channel, End, StepKernel
from hlsgen.kernel.values import Roles, Vector
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan
from hlsgen.types import DataType

COUNTS = range(257)
# Tile buffers are addressed by bits.
BUFFERS = (0, *(1 << bits for bits in range(17)))
PIXELS = range(1 << 17)
# Accumulators of an array that exists.
FEWEST_PIXELS = 16
# So large that no tile is refused.
ROOM = 1 << 40


class ArrayShape(NamedTuple):
    """The sizes of an array (see `Array`)."""

    inputs: int
    outputs: int
    tile_vectors: int
    tile_pixels: int


# That of an array which a design does not have.
NO_ARRAY = ArrayShape(0, 0, 0, 0)


class Array(Engine):
    """`inputs`: what is multiplied in parallel for each of `outputs` output vectors (see the
    engines); `tile_vectors`, `tile_pixels`: capacity of the input tile, a power of two, and of the
    accumulators."""

    sizes = (
        Size("inputs", COUNTS, timed=True),
        Size("outputs", COUNTS),
        Size("tile_vectors", BUFFERS),
        Size("tile_pixels", PIXELS),
    )
    fields: tuple[Field, ...] = (
        Field(440, "image_step", "int", "tile vectors from image to image"),
        Field(450, "row_step", "int", "tile vectors from output row to output row"),
        Field(460, "column_step", "int", "tile vectors from output column to output column"),
        Field(470, "tap_step_x", "int", "tile vectors from tap to tap"),
        Field(
            480,
            "tap_step_y",
            "int",
            "tile vectors from the last tap of a row to the first of the next row",
        ),
        Field(
            490,
            "vector_step",
            "int",
            "tile vectors from the last tap of an input vector to the first of the next one",
        ),
        Field(
            560,
            "send_turns",
            "int",
            "convolution: turns in which a tile is sent to the array, or multiplied where "
            "zeros are skipped",
        ),
        Field(570, "first_turns", "int", "convolution: turns in which the first tile comes in"),
        Field(
            580,
            "pass_turns",
            "int",
            "convolution: turns in which a tile is sent while the next comes in",
        ),
        Field(590, "tile_turns", "int", "convolution: turns of all tiles"),
        Field(
            600,
            "group_turns",
            "int",
            "convolution: turns in which a group's results leave while the next come in",
        ),
        Field(610, "result_turns", "int", "convolution: turns of all groups' results"),
        Field(
            620,
            "word_turns",
            "int",
            "convolution: turns in which a word is sent, its pixels' or as many as its taps",
        ),
        Field(
            630,
            "window_taps",
            "int",
            "convolution: taps of a group, an input vector at a place of the window each",
        ),
        Field(640, "tile_vectors", "int", "convolution: input vectors at each position of a tile"),
        Field(650, "taps_y", "int", "convolution: window height"),
        Field(660, "taps_x", "int", "convolution: window width"),
        Field(
            760, "taps", "int", "convolution: words of a group, so many additions to an accumulator"
        ),
        Field(770, "tap_words", "int", "convolution: weight words of a word of taps"),
        Field(780, "phases", "int", "convolution: words of all groups of all tiles"),
        Field(790, "phase_turns", "int", "convolution: turns of a phase"),
        Field(800, "array_turns", "int", "convolution: turns of the array in all"),
    )
    weighted = True
    takes_images = True

    # ---- sizes

    def refusal(self, own: EngineSizes) -> str | None:
        """Tiles are addressed by bits; words of weights are not shared by output vectors."""
        if own.tile_vectors & (own.tile_vectors - 1):
            return "tile_vectors must be a power of two"
        if own.inputs * own.width % own.burst:
            return "burst must divide width, or inputs times width"
        return None

    def shape(self, engines: Engines) -> ArrayShape:
        """Its sizes; all 0 where the design does not have it."""
        return ArrayShape(**engines.sizes[self.name]) if self.name in engines.sizes else NO_ARRAY

    def shaped(self, engines: Engines, shape: ArrayShape) -> Engines:
        """The engines with this array in that shape."""
        return engines.sized(**{self.name: shape._asdict()})

    def roomy(self, engines: Engines) -> Engines:
        """The engines with room in this array for any tile."""
        shape = self.shape(engines)._replace(tile_vectors=ROOM, tile_pixels=ROOM)
        return self.shaped(engines, shape)

    def holding(self, engines: Engines, tiles: Iterable[int], pixels: Iterable[int]) -> Engines:
        """The engines with buffers of this array no larger than tiles of so many vectors, and
        accumulators of so many pixels, need."""
        buffer = max(power_of_two(tile) for tile in tiles)
        shape = self.shape(engines)._replace(
            tile_vectors=buffer, tile_pixels=max(FEWEST_PIXELS, *pixels)
        )
        return self.shaped(engines, shape)

    def images_at_once(self, engines: Engines, vectors: int, pixels: int) -> int:
        """How many images share a tile, each of so many input vectors and output pixels."""
        own = self.shape(engines)
        return min(own.tile_pixels // pixels, own.tile_vectors // vectors)

    def misfit(self, engines: Engines, step: StepPlan, tile: int) -> str | None:
        """Why a step with a tile of so many vectors cannot be; None where it can."""
        own, pixels = self.shape(engines), step.tile_images * step.tile_height * step.tile_width
        if step.output_vectors > own.outputs or pixels > own.tile_pixels:
            return "it computes more outputs at once than the engine has accumulators"
        if tile > own.tile_vectors:
            return f"its input tile of {tile} vectors exceeds the engine's {own.tile_vectors}"
        return None

    def group(self, engines: Engines) -> int:
        """As many as there are accumulators for."""
        return engines.of(self.name).outputs

    # ---- structure

    def multiplying(self, own: EngineSizes, types: Roles) -> Nest:
        """All products of a word of a tile, and the additions to the sums of a pixel; a lane's only
        product and the addition that follows are one unit."""
        vector = Vector(types.operand, own.width, own.inputs, "vec")
        return Nest(
            what="",
            lanes=own.outputs * own.width,
            sources=(Source(vector, MANY, 1),),
            loops=(
                Loop("tap", MANY, reduces=True),
                Loop("pixel", own.tile_pixels),
                *self.products(own),
            ),
            combine=Combine("multiply", lane="i"),
            kept=True,
            types=types,
        )

    def products(self, own: EngineSizes) -> tuple[Loop, ...]:
        """Those of an output vector that are multiplied at once: of each word, its lanes."""
        return Loop("b", own.inputs, unrolled=True), Loop("i", own.width, unrolled=True)

    @abstractmethod
    def tile_memory(self, own: EngineSizes, operand: DataType) -> Memory:
        """The input tile, two halves."""

    def sums(self, own: EngineSizes, vector: Vector) -> Buffer:
        """The accumulators of the pixels; vectors beyond a step's outputs rest, so each is stored
        alone."""
        memory = Memory("sums", own.tile_pixels, vector.bits, own.outputs, granule=1)
        return Buffer(memory, vector, "pixel by pixel", rests=SUM_DISTANCE)

    def fused(self, plan: Plan) -> bool:
        """Whether another engine feeds it in some steps."""
        return any(step.feeder and step.engine == self.name for step in plan.steps)

    def group_word(self, own: EngineSizes, vector: Vector) -> Vector:
        """All output vectors of one pixel."""
        return replace(vector, count=own.outputs, name=f"{self.name}_group")

    def channels(self, graph: Graph, plan: Plan) -> tuple[tuple[Channel, ...], ...]:
        """To the kernel of its results."""
        assert plan.engines is not None
        sums = sum_vector(graph, plan, self.name)
        group = self.group_word(self.own(plan.engines), sums)
        count, groups, pixels = fields("tiles", "out_groups", "pixels")
        return (
            (
                Channel(f"{self.name}_results_step", Vector(INT, 1)),
                Channel(f"{self.name}_sums", group, 16, count * groups * pixels, sums.ctype),
            ),
        )

    def results(self, graph: Graph, plan: Plan) -> StepKernel:
        """The kernel that sends results one by one."""
        assert plan.engines is not None
        own, vector = plan.engines.of(self.name), sum_vector(graph, plan, self.name)
        turns, groups = fields("result_turns", "out_groups")
        group = self.group_word(own, vector)
        memory = Memory("results", 2 * own.tile_pixels, vector.bits, own.outputs)
        return StepKernel(
            f"{self.name}_results",
            "Sends the results of a group of output vectors one by one while the next group's are "
            f"collected. A result leaves no sooner than {MEMORY_DISTANCE} turns\nafter it was "
            "stored, so groups follow each other without a break.",
            self.start(plan),
            ((Loop("n", MANY, count=turns),),),
            (
                End(f"{self.name}_results_step", WORD),
                End(f"{self.name}_sums", group.bits),
                End(f"{self.name}_out", vector.bits, writes=True),
            ),
            counts={"groups": (tiles(graph, plan) * groups).named("count")},
            arrays=(Buffer(memory, vector, "two halves", rests=MEMORY_DISTANCE),),
            choices=group.bits,
            logic=512,
            template="array_results",
        )

    # ---- record

    @abstractmethod
    def word_vectors(self, step: StepPlan, own: EngineSizes) -> int:
        """Weight vectors of a word of one group: of what is multiplied in parallel."""

    @abstractmethod
    def turns_of_word(self, pixels: int, turns: int, own: EngineSizes) -> int:
        """Turns in which a word's pixels leave the tile, where it takes the array `turns`."""

    @abstractmethod
    def first_turns(self, loads: int, tap_words: int, own: EngineSizes) -> int:
        """Turns in which the first tile comes in, of so many vectors."""

    def derived(self, fields: dict[str, Any], step: StepPlan, engines: Engines) -> dict[str, Any]:
        """How a tile is walked, and the array's turns.

        A fused step's tile holds the results of the engine that feeds it, and its convolution is
        1x1.
        """
        walk = fused_walk(fields, step) if step.feeder else tile_walk(fields)
        return walk | self.turns(fields | walk, step, engines.of(self.name))

    def turns(self, fields: dict[str, Any], step: StepPlan, own: EngineSizes) -> dict[str, Any]:
        """A phase is one word of taps of one group of one tile."""
        pixels, tiles, loads = fields["pixels"], fields["tiles"], fields["tile_loads"]
        window_taps = fields["tile_vectors"] * fields["taps_y"] * fields["taps_x"]
        taps = fields["taps"] or ceil(window_taps / own.inputs)
        tap_words = self.word_vectors(step, own) // own.burst
        turns = max(pixels, tap_words, SUM_DISTANCE)
        word_turns = self.turns_of_word(pixels, turns, own)
        phases = tiles * step.groups * taps
        send_turns = step.groups * taps * word_turns
        # The half of a buffer that was filled last is read no sooner than a store has been done.
        first_turns = self.first_turns(loads, tap_words, own) + MEMORY_DISTANCE
        pass_turns = max(loads, send_turns) + MEMORY_DISTANCE
        group_turns = pixels * step.output_vectors + MEMORY_DISTANCE
        return {
            "taps": taps,
            "window_taps": window_taps,
            "word_turns": word_turns,
            "send_turns": send_turns,
            "first_turns": first_turns,
            "pass_turns": pass_turns,
            "tile_turns": first_turns + (tiles - 1) * pass_turns + send_turns,
            "group_turns": group_turns,
            "result_turns": (tiles * step.groups + 1) * group_turns,
            "tap_words": tap_words,
            "phases": phases,
            "phase_turns": turns,
            "array_turns": tap_words + phases * turns,
        }

    # ---- time

    def group_words(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> int:
        """Of all words of taps."""
        return int(fields["taps"] * fields["tap_words"])

    def cycles(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> float:
        """For each tile the array's turns, or those in which the next tile comes in."""
        sent = fields["send_turns"]
        tile = MEMORY_DISTANCE + float(sent if step.feeder else max(fields["tile_loads"], sent))
        turns, group = fields["taps"] * fields["phase_turns"], float(fields["group_turns"])
        return float(fields["tiles"] * max(step.groups * max(turns, group), tile))

    def fill(self, step: StepPlan, fields: dict[str, Any]) -> float:
        """The first tile comes in: vector by vector, or as fast as the engine that feeds it goes
        through its planes; then the first weights."""
        fed = fields["in_groups"] * fields["plane_turns"] + MEMORY_DISTANCE
        return float((fed if step.feeder else fields["first_turns"]) + fields["tap_words"])

    def drain(self, fields: dict[str, Any]) -> float:
        """The last group is collected, and leaves."""
        return float(2 * fields["group_turns"] - fields["pixels"] - MEMORY_DISTANCE)

    def macs(self, own: EngineSizes) -> int:
        """All multipliers."""
        return own.width**2 * own.inputs * own.outputs

    @abstractmethod
    def least(self, layer: Layer, depth: int, width: int) -> tuple[float, int]:
        """Below what no tiling of a layer comes whose input is `depth` vectors: words of one tap
        (or one weight a lane) of a group of outputs, and weight vectors that come from memory for
        each output vector."""


def tile_walk(fields: dict[str, Any]) -> dict[str, Any]:
    """Places in a tile from tap to tap, and from output to output, of a window's input."""
    vectors, columns = fields["in_vectors"], fields["in_columns"]
    taps_y, taps_x = fields["kernel_y"], fields["kernel_x"]
    tap, row_of_taps = fields["dilation_x"] * vectors, fields["dilation_y"] * columns * vectors
    return {
        "fused": 0,
        "tile_vectors": vectors,
        "taps_y": taps_y,
        "taps_x": taps_x,
        "image_step": fields["in_rows"] * columns * vectors,
        "row_step": fields["stride_y"] * columns * vectors,
        "column_step": fields["stride_x"] * vectors,
        "tap_step_x": tap,
        "tap_step_y": row_of_taps - (taps_x - 1) * tap,
        "vector_step": 1 - (taps_y - 1) * row_of_taps - (taps_x - 1) * tap,
        "tile_loads": fields["tile_loads"],
    }


def fused_walk(fields: dict[str, Any], step: StepPlan) -> dict[str, Any]:
    """The same where another engine fills the tile: pixel by pixel of its results, of one tap."""
    vectors = fields["in_groups"]
    ones = dict.fromkeys(
        ("kernel_y", "kernel_x", "stride_y", "stride_x", "dilation_y", "dilation_x"), 1
    )
    seen = {"in_vectors": vectors, "in_columns": step.tile_width}
    walk = tile_walk(fields | ones | seen)
    return walk | {"fused": 1, "tile_loads": fields["pixels"] * vectors}


def tile_size(fields: dict[str, Any], step: StepPlan) -> int:
    """Vectors that a convolution's tile takes: of its input, or of what another layer feeds it."""
    if step.feeder:
        return int(step.tile_height * step.tile_width * fields["in_groups"])
    positions = step.tile_images * fields["in_rows"] * fields["in_columns"]
    return int(positions * fields["in_vectors"])
