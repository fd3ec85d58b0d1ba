"""Which prefixes beside which engines are worth planning: how many first layers are a pipeline, and
how large the convolution engine for the others is.

A prefix and engines share the board. Long prefixes go with small engines: that leaves many pairs,
and planning one takes a while. So every pair is first weighed by what is known of the folded
design: how long its layers take, and how the convolutions among them would scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from hlsgen.boards import Board
from hlsgen.engines import arrays, on_array
from hlsgen.engines.array import ArrayShape
from hlsgen.graph import Graph, Layer
from hlsgen.model.estimate import Estimate
from hlsgen.model.resources import clock_of
from hlsgen.ops import operator
from hlsgen.plan import Engines, Plan
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.rewrites.prefix import prefixes
from hlsgen.schedule.folded.bounds import least_cycles
from hlsgen.schedule.folded.shapes import TILES, array_sizes, product_dsps, tile_blocks, tiles_fit
from hlsgen.schedule.goal import Goal

# Share of a prefix's multipliers that work in every cycle, as prefixes of ResNets and MobileNets
# had it (0.78 to 0.9).
EFFICIENCY = 0.85
# Share of the bits of its memory blocks that hold its weights: the rest are lines of windows,
# FIFOs, and what words do not fill (0.7 to 0.85).
FILLED = 0.8


@dataclass(frozen=True)
class Partition:
    """The first `count` layers as a pipeline beside one of `engines`, which differ in buffers
    alone, the largest first; estimates: `cycles` an image, `rate` images a second."""

    count: int
    engines: tuple[Engines, ...]
    cycles: float
    rate: float


def partitions(
    graph: Graph, board: Board, plan: Plan, goal: Goal, found: Estimate
) -> list[Partition]:
    """All pairs of a prefix and a size of the convolution engine, the most promising first; `found`
    is the estimate of the folded `plan`.

    A size's estimate scales the cycles of those convolutions that the folded design's own engine
    limits; the other layers take what they take there.
    """
    work = np.cumsum([operator(layer.op).work(layer, graph).macs for layer in graph.layers])
    weights = np.cumsum(
        [sum(map(memory_bits(layer), layer.weights.values())) for layer in graph.layers]
    )
    per = product_dsps(graph, arrays()[0], board)
    wanted, least = goal.pins.get(("prefix", "layers")), pinned_layers(graph, goal)
    options, blocks = [], cache(lambda option: tile_blocks(graph, option, board))
    for (inputs, outputs), engines in sizes(graph, board, plan, goal).items():
        times = layer_cycles(graph, plan, found, inputs, outputs)
        for count in prefixes(graph):
            if wanted in (None, count) and count >= least:
                behind = float(times[count:].sum())
                option = weighed(
                    count,
                    (float(work[count - 1]), float(weights[count - 1])),
                    behind,
                    engines,
                    plan,
                    found,
                    board,
                    goal,
                    blocks,
                    per,
                )
                options += [option] if option else []
    return sorted(options, key=lambda option: -option.rate)


def pinned_layers(graph: Graph, goal: Goal) -> int:
    """How many first layers a prefix must have at least to hold all kernels that are pinned."""
    pinned = {owner for owner, _ in goal.layer_pins()}
    return max(
        (place for place, layer in enumerate(graph.layers, 1) if layer.name in pinned), default=0
    )


def weighed(
    count: int,
    prefix: tuple[float, float],
    behind: float,
    engines: tuple[Engines, ...],
    plan: Plan,
    found: Estimate,
    board: Board,
    goal: Goal,
    tiles: Callable[[Engines], float],
    per: float,
) -> Partition | None:
    """A pair whose prefix has so many multiply-accumulates and bits of weights, and whose engines
    take `behind` cycles an image. The prefix gets the DSPs that engines and caps leave, and its
    weights must find memory blocks beside the engines' tiles, else there is no such pair; both set
    the clock. `tiles`: memory blocks of the tiles of engines; `per`: DSPs of a multiplier."""
    e, r = plan.engines, found.resources
    assert e is not None
    dsps = r.dsps + (multipliers(engines[0]) - multipliers(e)) * per
    blocks = r.blocks - tiles(e)
    blocks += prefix[1] / (FILLED * board.device.block_bits)
    most = board.device.blocks * goal.caps.blocks
    fitting = tuple(option for option in engines if blocks + tiles(option) <= most)
    left = (board.available_dsps * goal.caps.dsps - dsps) / per
    if left <= 0 or not fitting:
        return None
    cycles = max(behind, prefix[0] / (EFFICIENCY * left))
    dsps += prefix[0] / (EFFICIENCY * cycles) * per
    clock = clock_of(r.alms, blocks + tiles(fitting[0]), dsps, board, goal.calibration)
    return Partition(count, fitting, cycles, clock * 1e6 / cycles)


def memory_bits(layer: Layer) -> Callable[[np.ndarray], int]:
    """Bits of a weight of a layer as it lies on chip."""
    return lambda weight: (
        weight.size * (8 * weight.itemsize if weight.dtype.kind == "i" else layer.weight_type.bits)
    )


def multipliers(engines: Engines) -> int:
    """Multipliers of the array that multiplies by all weights; none where there is no such
    array."""
    whole, _ = arrays()
    return whole.macs(engines.of(whole.name)) if whole.name in engines.sizes else 0


def sizes(
    graph: Graph, board: Board, plan: Plan, goal: Goal
) -> dict[tuple[int, int], tuple[Engines, ...]]:
    """Engines by taps and output vectors at once: those of the plan, and where no other engine
    skips zeros beside them all others of their width."""
    e = plan.engines
    assert e is not None
    whole, skipping = arrays()
    found: dict[tuple[int, int], tuple[Engines, ...]] = {size_of(e): (e,)}
    if whole.name not in e.sizes or skipping.name in e.sizes:
        return found
    for inputs, outputs in array_sizes(graph, plan, goal.engine_pins(), whole):
        grouped = replace(e, group=outputs)
        options = [whole.shaped(grouped, ArrayShape(inputs, outputs, *tile)) for tile in TILES]
        fitting = tuple(
            option
            for option in options
            if tiles_fit(graph, option, board, goal) and goal.allows_engines(option)
        )
        if fitting:
            found[inputs, outputs] = fitting
    return found


def size_of(engines: Engines) -> tuple[int, int]:
    """Taps and output vectors at once of the array that multiplies by all weights; of a group where
    there is none."""
    whole, _ = arrays()
    if whole.name not in engines.sizes:
        return 1, engines.group
    return whole.shape(engines)[:2]


def layer_cycles(
    graph: Graph, plan: Plan, found: Estimate, inputs: int, outputs: int
) -> np.ndarray:
    """Cycles of every layer on engines of another size."""
    e, shaped = plan.engines, reshaped(graph, plan)
    assert e is not None
    whole, _ = arrays()
    convolutions = [layer.name for layer in shaped.layers if on_array(layer)]
    here, there = (
        dict(zip(convolutions, least_cycles(shaped, whole.name, e.width, *size), strict=True))
        for size in (size_of(e), (inputs, outputs))
    )
    times: dict[str, float] = {}
    for item in found.timing.layers:
        least, more = (
            there.get(item.name, 0),
            there.get(item.name, 1) / max(here.get(item.name, 1), 1),
        )
        cycles = max(item.cycles * more if item.bound == "compute" else item.cycles, least)
        times[item.name] = times.get(item.name, 0.0) + cycles
    return np.array([times.get(layer.name, 0.0) for layer in graph.layers])
