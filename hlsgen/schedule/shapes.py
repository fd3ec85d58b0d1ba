"""Engine shapes of folded designs: all that are worth trying, and bounds that rule many of them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil
from typing import Any

from hlsgen.boards import Board
from hlsgen.graph import Graph, Layer
from hlsgen.ops.base import pad_axis, vectors
from hlsgen.ops.conv_steps import group_runs
from hlsgen.ops.skipping import list_lengths
from hlsgen.ops.sparse import WORTHWHILE
from hlsgen.plan import Engines, Plan
from hlsgen.schedule.convolve import convolvable, reshaped
from hlsgen.schedule.estimate import Estimate
from hlsgen.schedule.folded_timing import density
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.resources import clock_of, memory_blocks
from hlsgen.schedule.steps import engine_of
from hlsgen.schedule.times import BYTES
from hlsgen.schedule.unfold import unfold, worth_unfolding

WIDTHS = (16, 8, 4, 2, 1)
# Output vectors that the array computes at once. Counts between the powers of two use up a device's last DSPs.
OUTPUTS = (20, 18, 16, 14, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1)
# Taps that it multiplies at once.
INPUTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 18, 20)
# Words of 512 bits are one burst of a DDR4 channel: the weight stream may take this many a cycle.
BURSTS = (4, 2, 1)
# Sizes of the input tile and the accumulators that are tried, in vectors and pixels.
TILES = ((16384, 4096), (8192, 2048), (4096, 1024), (2048, 512), (1024, 256), (512, 64), (256, 16))


def candidates(graph: Graph, board: Board, plan: Plan, goal: Goal, skipping: bool = False) -> Iterator[Plan]:
    """The plan with all engines worth trying, with an engine of their own for fully connected layers and without; whether the convolution engine
    skips zeros."""
    names = convolvable(graph)
    both = names and any(engine_of(layer) == "convolution" for layer in graph.layers)
    for convolved in ((), names) if both else ((),):
        for plain in shapes(graph, board, plan, goal):
            engines = replace(plain, skipping=skipping)
            if goal.allows_engines(engines) and (plan.disabled or tiles_fit(engines, board, goal)):
                unfolded = worth_unfolding(graph, engines.width)
                yield replace(plan, engines=engines, unfolded=unfolded, convolved=convolved)


def is_sparse(layer: Layer) -> bool:
    """Whether so many weights of a convolution are zero that skipping them may pay."""
    return engine_of(layer) == "convolution" and density(layer) <= WORTHWHILE


def tiles_fit(engines: Engines, board: Board, goal: Goal) -> bool:
    """Whether the copies of the tile buffer alone leave the caps in peace. (What needs less than the whole buffer comes again with a smaller one.)"""
    words, bits = 2 * engines.tile_vectors, BYTES["float32"] * 8
    if engines.skipping:
        blocks = engines.width**2 * engines.inputs * engines.outputs * memory_blocks(words, bits, board.device)
    else:
        blocks = engines.inputs * memory_blocks(words, engines.width * bits, board.device)
    return blocks * goal.calibration.ram + board.reserved_blocks <= goal.caps.blocks * board.device.blocks


def shapes(graph: Graph, board: Board, plan: Plan, goal: Goal) -> Iterator[Engines]:
    """All engine shapes worth trying under the plan's switches and the goal's pins."""
    base, pins = network_sizes(graph), goal.engine_pins()
    unroll, tile = plan.enabled("unroll"), plan.enabled("tile")
    multiplies = any(engine_of(layer) == "convolution" for layer in graph.layers)
    for width in WIDTHS if unroll else (1,):
        if not aligned(graph, width):
            continue
        sizes = with_width(base, graph, width)
        burst = pins.get("burst", weight_burst(width, board))
        limit = board.available_dsps * goal.caps.dsps / board.device.multiply_add_dsps
        outputs = [pins["outputs"]] if "outputs" in pins else list(OUTPUTS) if unroll and tile else [1]
        if not multiplies:
            outputs = outputs[-1:]
        if tile:
            tiles = [(pins.get("tile_vectors", v), pins.get("tile_pixels", p)) for v, p in TILES]
        else:
            tiles = [whole_layers(unfold(graph, worth_unfolding(graph, width)), width)]
        for count in outputs:
            # Several taps at once pay where the widest vector is too narrow.
            for inputs in INPUTS if width == WIDTHS[0] else (1,):
                if unroll and width * width * count * inputs > limit and not plan.disabled:
                    continue
                for tile_vectors, tile_pixels in dict.fromkeys(tiles):
                    engines = replace(sizes, width=width, inputs=inputs, outputs=count, burst=burst,
                                      tile_vectors=tile_vectors, tile_pixels=tile_pixels)  # fmt: skip
                    yield engines


def weight_burst(width: int, board: Board) -> int:
    """The most weight vectors a cycle that the memory delivers at its peak."""
    vector = width * 4 * board.device.fmax * 1e6
    return next(b for b in BURSTS if b <= width and (b == 1 or b * vector <= board.bandwidth * 1e9))


def aligned(graph: Graph, width: int) -> bool:
    """Whether concatenations fall on whole vectors, all inputs but the last."""
    return all(
        tensor.channels % width == 0
        for layer in graph.layers
        if layer.op == "concat"
        for tensor in graph.input_tensors(layer)[:-1]
    )


def network_sizes(graph: Graph) -> Engines:
    """Window and line sizes that the network's layers need, at width 1."""
    sizes: dict[str, Any] = {
        "depthwise_extent": 1,
        "pool_extent": 1,
        "depthwise_line": 1,
        "pool_line": 1,
        "normalisation_size": 1,
    }
    for layer in graph.layers:
        window = getattr(layer.attributes, "window", None)
        engine = engine_of(layer)
        if engine in ("depthwise", "pooling") and window is not None:
            key = "depthwise" if engine == "depthwise" else "pool"
            source = graph.tensors[layer.inputs[0]]
            columns = window.scan_size(source.height, source.width)[1]
            sizes[f"{key}_extent"] = max(sizes[f"{key}_extent"], *window.extent)
            sizes[f"{key}_line"] = max(sizes[f"{key}_line"], sizes[f"{key}_extent"], columns)
        if engine == "normalisation":
            sizes["normalisation_size"] = max(sizes["normalisation_size"], layer.attributes.size)
    return Engines(1, 1, 1, 1, 1, **sizes)


def with_width(engines: Engines, graph: Graph, width: int) -> Engines:
    """The sizes that depend on the vector width."""
    dense = pixel = 1
    for layer in graph.layers:
        source = graph.tensors[layer.inputs[0]]
        count = vectors(source.channels, width)
        if layer.op == "dense":
            dense = max(dense, source.pixels * count)
        if engine_of(layer) in ("softmax", "normalisation"):
            pixel = max(pixel, count)
    return replace(engines, dense_vectors=dense, pixel_vectors=pixel)


def whole_layers(graph: Graph, width: int) -> tuple[int, int]:
    """Tile sizes that hold any convolution's whole input and output (tiling switched off)."""
    tile, pixels = 1, 16
    for layer in graph.layers:
        if engine_of(layer) == "convolution":
            source, result, window = (
                graph.tensors[layer.inputs[0]],
                graph.output_tensor(layer),
                layer.attributes.window,
            )
            rows, columns = window.scan_size(source.height, source.width)
            tile = max(tile, rows * columns * vectors(source.channels, width))
            pixels = max(pixels, result.pixels)
    return 1 << (tile - 1).bit_length(), pixels


def no_smaller(shape: Plan, done: Plan) -> bool:
    """Whether a shape differs from a finished plan in buffers alone, and these would hold all that the plan's steps put there."""
    new, old = shape.engines, done.engines
    assert new is not None and old is not None
    same = replace(old, tile_vectors=new.tile_vectors, tile_pixels=new.tile_pixels) == new
    return (
        same
        and shape.convolved == done.convolved
        and new.tile_vectors >= old.tile_vectors
        and new.tile_pixels >= old.tile_pixels
    )


def hopeless(graph: Graph, shape: Plan, best: Estimate, board: Board, goal: Goal) -> bool:
    """Whether the convolution engine alone, never waiting and at the clock of a design without anything else, would take longer than the best."""
    if goal.objective == "resources":
        return False
    e = shape.engines
    assert e is not None
    dsps = e.width**2 * e.inputs * e.outputs * board.device.multiply_add_dsps
    clock = clock_of(board.reserved_alms, board.reserved_blocks, dsps, board, goal.calibration)[0]
    least = shape.images * least_cycles(reshaped(graph, shape), e) / (clock * 1e6)
    known = best.latency if goal.objective == "latency" else shape.images / best.throughput
    return least > known


def least_cycles(graph: Graph, engines: Engines) -> int:
    """Cycles an image below which no tiling brings the convolution engine: whole words of taps, whole groups of outputs, a result vector a cycle."""
    total = 0
    for layer in graph.layers:
        if engine_of(layer) == "convolution":
            a, source, result = layer.attributes, graph.tensors[layer.inputs[0]], graph.output_tensor(layer)
            runs = group_runs(source.channels, a.filters, a.groups, engines.width)
            depth, outputs = (ceil(vectors(n, engines.width) / runs) for n in (source.channels, a.filters))
            words = ceil(depth * a.window.taps / engines.inputs)
            if engines.skipping:  # a step takes as many as the longest list of its vectors: no fewer than their mean
                lengths = pad_axis(list_lengths(layer.weights["weight"], a.groups, engines.width), 0, engines.width)
                fullest = lengths.reshape(-1, engines.width**2).max(axis=1)
                words = max(1, ceil(float(fullest.mean()) / engines.inputs))
            total += runs * result.pixels * max(ceil(outputs / engines.outputs) * words, outputs)
    return total
