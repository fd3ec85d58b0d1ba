"""Engine shapes of folded designs: all that are worth trying, and bounds that rule many of them
out."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from hlsgen.boards import Board
from hlsgen.engines import arrays, on_array
from hlsgen.engines import engines as engines_by_name
from hlsgen.engines.array import Array, ArrayShape
from hlsgen.engines.base import feature_type, integer_weights
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.memory import memory_blocks
from hlsgen.model.resources import clock_of
from hlsgen.ops import operator
from hlsgen.ops.arrays import vectors
from hlsgen.ops.sparse import WORTHWHILE, density
from hlsgen.plan import Engines, Plan
from hlsgen.rewrites.dense_as_convolution import convolvable, reshaped
from hlsgen.rewrites.im2col import unfold, worth_unfolding
from hlsgen.rewrites.weight_storage import weight_type
from hlsgen.schedule.folded.bounds import Bound
from hlsgen.schedule.folded.steps import models
from hlsgen.schedule.goal import Goal

WIDTHS = (16, 8, 4, 2, 1)
# Output vectors that the array computes at once. Counts between the powers of two use up a device's
# last DSPs.
OUTPUTS = (20, 18, 16, 14, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1)
# Taps that it multiplies at once.
INPUTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 18, 20)
# Words of 512 bits are one burst of a DDR4 channel: the weight stream may take this many a cycle.
BURSTS = (4, 2, 1)
LONG_BURSTS = (16, 8, *BURSTS)  # of bytes
# Sizes of the input tile and the accumulators that are tried, in vectors and pixels.
TILES = ((16384, 4096), (8192, 2048), (4096, 1024), (2048, 512), (1024, 256), (512, 64), (256, 16))


@dataclass(frozen=True)
class Shape:
    """A plan with engines to try, and seconds a launch below which no tiling brings its steps, at
    the `clock` (MHz) of a design without anything else. `least`: cycles of a layer of every kind,
    for a launch, where that is known."""

    plan: Plan
    seconds: float
    clock: float
    least: Mapping[str, float] = field(default_factory=dict)


def candidates(graph: Graph, board: Board, plan: Plan, goal: Goal, array: Array) -> Iterator[Shape]:
    """The plan with all engines worth trying, with an engine of their own for fully connected
    layers and without; `array` computes the convolutions."""
    names = convolvable(graph)
    both = names and any(on_array(layer) for layer in graph.layers)
    pins = goal.engine_pins()
    for convolved in ((), names) if both else ((),):
        for width in WIDTHS if plan.enabled("unroll") else (1,):
            if aligned(graph, width) and pins.get("width", width) == width:
                given = (pins["burst"],) if "burst" in pins else weight_bursts(graph, width, board)
                for burst in (b for b in given if b in bursts(graph, width)):
                    sized = replace(
                        plan,
                        engines=with_needed(Engines(width, burst, 1), graph),
                        im2col=worth_unfolding(graph, width),
                        dense_as_convolution=convolved,
                    )
                    yield from shapes(graph, board, sized, goal, array)


def shapes(graph: Graph, board: Board, plan: Plan, goal: Goal, array: Array) -> Iterator[Shape]:
    """All sizes of an array in a design whose other engines are fixed, with all tile buffers."""
    e, shaped, pins = plan.engines, reshaped(graph, plan), goal.engine_pins()
    assert e is not None
    price = product_dsps(shaped, array, board)
    multipliers = board.available_dsps * goal.caps.dsps / price
    bound = Bound(shaped, plan, board)
    for inputs, outputs in array_sizes(shaped, plan, pins, array):
        if any(map(on_array, shaped.layers)) and inputs * e.width % e.burst:
            continue
        used = e.width**2 * inputs * outputs
        if used > multipliers and not plan.disabled:
            continue
        dsps = used * price
        clock = clock_of(board.reserved_alms, board.reserved_blocks, dsps, board, goal.calibration)
        least = bound.cycles(array.name, inputs, outputs, clock)
        seconds = sum(least[model] for model in models(shaped, plan).values()) / (clock * 1e6)
        for tile in tile_sizes(graph, plan, pins, array):
            # Groups of other engines' results are as large as the array's.
            engines = replace(e, group=outputs)
            if any(map(on_array, shaped.layers)):
                engines = array.shaped(engines, ArrayShape(inputs, outputs, *tile))
            if plan.disabled or tiles_fit(graph, engines, board, goal):
                yield Shape(replace(plan, engines=engines), seconds, clock, least)


def product_dsps(graph: Graph, array: Array, board: Board) -> float:
    """DSPs of a multiplier of an array: bytes share one."""
    computes_on_integers = any(
        array.serves(layer) and graph.tensors[layer.inputs[0]].type.integer
        for layer in graph.layers
    )
    device = board.device
    return 1 / device.int8_macs_per_dsp if computes_on_integers else device.multiply_add_dsps


def array_sizes(
    graph: Graph, plan: Plan, pins: dict[str, int], array: Array
) -> list[tuple[int, int]]:
    """Taps and output vectors at once of an array, under the plan's switches and the user's pins;
    none where a pin leaves the array out, one of each where no layer needs it."""
    assert plan.engines is not None
    if not any(map(on_array, graph.layers)):
        return [(1, 1)]
    if any(pins.get(f"{array.name}.{field}") == 0 for field in ArrayShape._fields):
        return []
    outputs = list(OUTPUTS) if plan.enabled("unroll") and plan.enabled("tile") else [1]
    # Several taps at once pay where the widest vector is too narrow; of integers at any width, for
    # a lane of readers, epilogue and writer takes more logic than many products.
    several = plan.engines.width == WIDTHS[0] or bool(graph.integers)
    inputs = list(INPUTS) if several else [1]
    inputs, outputs = (
        [pins[name]] if name in pins else options
        for name, options in ((f"{array.name}.inputs", inputs), (f"{array.name}.outputs", outputs))
    )
    return [(i, o) for o in outputs for i in inputs]


def tile_sizes(
    graph: Graph, plan: Plan, pins: dict[str, int], array: Array
) -> list[tuple[int, int]]:
    """Tile buffers and accumulators of an array."""
    assert plan.engines is not None
    if not plan.enabled("tile"):
        return [whole_layers(unfold(graph, plan.im2col), plan.engines.width)]
    names = [f"{array.name}.{field}" for field in ("tile_vectors", "tile_pixels")]
    return list(dict.fromkeys((pins.get(names[0], v), pins.get(names[1], p)) for v, p in TILES))


def is_sparse(layer: Layer) -> bool:
    """Whether so many weights of a convolution are zero that skipping them may pay. (What skips
    zeros does not decode weights.)"""
    return (
        not layer.narrow
        and may_skip_zeros(layer)
        and density(layer.weights["weight"]) <= WORTHWHILE
    )


def may_skip_zeros(layer: Layer) -> bool:
    """Whether the array that skips zeros computes a layer: none of integers."""
    _, skipping = arrays()
    return on_array(layer) and skipping.serves(layer)


def tiles_fit(graph: Graph, engines: Engines, board: Board, goal: Goal) -> bool:
    """Whether the copies of the tile buffers alone leave the caps in peace. (What needs less than
    the whole buffer comes again with a smaller one.)"""
    return (
        tile_blocks(graph, engines, board) + board.reserved_blocks
        <= goal.caps.blocks * board.device.blocks
    )


def tile_blocks(graph: Graph, engines: Engines, board: Board) -> int:
    """Memory blocks of the copies of the tile buffers."""
    blocks = 0
    for known in arrays():
        if known.name in engines.sizes:
            tile = known.tile_memory(engines.of(known.name), feature_type(graph))
            size = memory_blocks(tile.depth, tile.bits, board.device.block_bits)
            blocks += tile.copies * tile.parts * size
    return blocks


def bursts(graph: Graph, width: int) -> tuple[int, ...]:
    """How many weight vectors a word of weights may hold: more than `width` of integers alone,
    since what the inputs' memory held before then meets weights of 0, and 0 times that is 0."""
    return tuple(burst for burst in WIDTHS if burst <= width or graph.integers)


def weight_bursts(graph: Graph, width: int, board: Board) -> tuple[int, ...]:
    """How many weight vectors a cycle are worth trying: the most that the memory delivers at its
    peak, up to `width`; of integers also more."""
    kind = integer_weights(graph) if graph.integers else weight_type(graph)
    vector = width * kind.bytes * board.device.fmax * 1e6
    bursts = LONG_BURSTS if graph.integers else BURSTS
    delivered = [b for b in bursts if b == 1 or b * vector <= board.bandwidth * 1e9]
    more = [b for b in delivered if b > width] if graph.integers else []
    return (*more, next(b for b in delivered if b <= width))


def aligned(graph: Graph, width: int) -> bool:
    """Whether concatenations fall on whole vectors, all inputs but the last."""
    return all(
        tensor.channels % width == 0
        for layer in graph.layers
        if operator(layer.op).concatenates
        for tensor in graph.input_tensors(layer)[:-1]
    )


def with_needed(engines: Engines, graph: Graph) -> Engines:
    """The engines with all that the layers may be computed by, but for arrays, in the sizes that
    these need."""
    return engines.sized(**needed_sizes(graph, engines.width))


def needed_sizes(graph: Graph, width: int) -> dict[str, dict[str, int]]:
    """The sizes of engines that follow from the layers: what they must have at least."""
    return {
        name: known.needed(graph, width)
        for name, known in engines_by_name().items()
        if not isinstance(known, Array) and any(map(known.serves, graph.layers))
    }


def whole_layers(graph: Graph, width: int) -> tuple[int, int]:
    """Tile sizes that hold any convolution's whole input and output (tiling switched off)."""
    tile, pixels = 1, 16
    for layer in graph.layers:
        if on_array(layer):
            source, result, window = (
                graph.tensors[layer.inputs[0]],
                graph.output_tensor(layer),
                layer.attributes.window,
            )
            rows, columns = window.scan_size(source.height, source.width)
            tile = max(tile, rows * columns * vectors(source.channels, width))
            pixels = max(pixels, result.pixels)
    return 1 << (tile - 1).bit_length(), pixels


def buffers(e: Engines) -> tuple[int, ...]:
    """Capacities of the arrays' buffers."""
    shapes = (known.shape(e) for known in arrays())
    return tuple(size for shape in shapes for size in (shape.tile_vectors, shape.tile_pixels))


class Tried:
    """The shapes that were tried, by all but their buffers: one that has smaller buffers, which
    would yet hold all that the steps of the finished plan put there, gives the same design."""

    def __init__(self) -> None:
        self.count = 0
        self.capacities: dict[Hashable, list[tuple[Engines, Engines]]] = {}

    def add(self, shape: Plan, done: Plan) -> None:
        """Note a shape and the plan that came of it, its buffers no larger than they are used."""
        assert shape.engines is not None and done.engines is not None
        self.count += 1
        self.capacities.setdefault(self.family(shape), []).append((shape.engines, done.engines))

    def covers(self, shape: Plan) -> bool:
        """Whether a shape gives no other design than one that was tried."""
        assert shape.engines is not None
        new = buffers(shape.engines)
        return any(
            all(c <= b <= a for a, b, c in zip(buffers(old), new, buffers(used), strict=True))
            for old, used in self.capacities.get(self.family(shape), ())
        )

    @staticmethod
    def family(plan: Plan) -> Hashable:
        """What shapes that differ in buffers alone have in common."""
        assert plan.engines is not None
        sizes = (known.shape(plan.engines)[:2] for known in arrays())
        e = plan.engines
        return plan.dense_as_convolution, e.width, e.burst, e.group, *sizes
