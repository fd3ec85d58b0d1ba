"""The problem that the search for pipelined designs solves: every way to build every layer, with
its cycles and cost, what channels cost, and what there is.

Every tensor class has a width, every layer one option (widths, window unrolled or not, vectors at
once, weights on chip or from memory) that agrees with the widths of its tensors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from math import ceil
from operator import le
from typing import Any

import numpy as np

from hlsgen.boards import Board
from hlsgen.errors import Infeasible
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Fifo, Lsu
from hlsgen.model.pipelined_structure import (
    WEIGHT_FIFO,
    collected,
    input_bits,
    pipelined_kernels,
    streamed,
    transfer,
)
from hlsgen.model.pipelined_timing import lead, pipelined_cycles
from hlsgen.model.resources import clock_of, costs, fifo_cost, kernel_cost
from hlsgen.ops import operator
from hlsgen.ops.base import vectors
from hlsgen.ops.skip import nonzeros
from hlsgen.ops.sparse import WORTHWHILE
from hlsgen.plan import KernelPlan, Plan
from hlsgen.rewrites.weight_storage import piece_type
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.buffering import Buffering, buffering
from hlsgen.schedule.pipelined.choices import WIDTHS, partial_sums_of
from hlsgen.schedule.pipelined.fifo import depth, pixel_times
from hlsgen.types import FLOAT32

# Resources in the solver are whole numbers: ALMs, and hundredths of memory blocks and DSPs.
SCALE = np.array([1, 100, 100])
# Kernels that take weights from memory, as a search first assumes.
STREAMS = 3
# Lanes of the vectors of convolutions whose weights stream from memory: narrow ones would take long
# for a row tile's rows, wide ones leave less choice of how many vectors are multiplied at once.
STREAMED_WIDTHS = (4, 8)
# RowTiles that the search tries: more take weights from memory too often.
STRIPS = (1, 2, 7)


@dataclass(frozen=True)
class Option:
    """One way to build a layer: its kernel, cycles an image, (ALMs, blocks, DSPs) scaled by SCALE,
    bytes of weights that it takes from memory for an image, and the share of its input that it
    needs before its first output."""

    kernel: KernelPlan
    cycles: int
    cost: tuple[int, ...]
    bytes: int = 0
    lead: float = 0.0


@dataclass(frozen=True)
class OptionCache:
    """What was built before within one search, by all that it depends on: options of layers, and of
    a layer's kernels whether pins allow them and others beat them or not."""

    options: dict[Any, tuple[Option, ...]] = field(default_factory=dict)
    kernels: dict[Any, dict[KernelPlan, Option]] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """Options of every layer, cost of every tensor class's channels at each width, fixed costs and
    limits. `bandwidth`: bytes of weights that memory has a cycle; `buffering`: FIFOs round kernels
    that take them from there; `bit_blocks`: scaled memory blocks of a bit."""

    options: dict[str, tuple[Option, ...]]
    widths: dict[str, tuple[int, ...]]
    channels: dict[tuple[str, int], tuple[int, ...]]
    limits: tuple[int, ...]
    ends: dict[str, tuple[str, str]]
    bandwidth: float
    buffering: Buffering
    bit_blocks: float

    @cached_property
    def least_cost(self) -> np.ndarray:
        """What no design takes less of, in the solver's units: every layer's least, each resource
        for itself."""
        least: np.ndarray = np.sum(
            [np.min([o.cost for o in options], axis=0) for options in self.options.values()], axis=0
        )
        return least


def build_problem(
    graph: Graph,
    board: Board,
    plan: Plan,
    goal: Goal,
    classes: dict[str, str],
    cache: OptionCache | None = None,
    streams: bool = True,
) -> Problem:
    """All options with their costs; `cache` remembers those of layers that several graphs have.
    Without `streams` all weights are on chip. Raises Infeasible when pins leave a layer without
    any."""
    tile = plan.enabled("unroll") and plan.enabled("tile")
    possible = WIDTHS if tile else (1,)
    widths = {
        name: legal_widths(graph, classes, name, possible)
        for name in dict.fromkeys(classes.values())
    }
    convert = fit_matrix(goal)
    options, cache = {}, cache or OptionCache()
    for layer in graph.layers:
        source, result = classes[layer.inputs[0]], classes[layer.output]
        pins = tuple(
            sorted(
                (field, value) for (owner, field), value in goal.pins.items() if owner == layer.name
            )
        )
        readers = len(graph.consumers[layer.output])
        key = alike(layer, graph), source == result, widths[source], widths[result], readers, pins
        if key not in cache.options:
            built = cache.kernels.setdefault((key[0], readers), {})
            found = layer_options(layer, graph, board, plan, goal, classes, widths, convert, built)
            cache.options[key] = found
            cache.options[key, "on chip"] = tuple(option for option in found if not option.bytes)
        options[layer.name] = cache.options[key] if streams else cache.options[key, "on chip"]
    times = pixel_times(graph)
    channels = {
        (name, width): scaled(
            convert @ channel_cost(graph, board, plan, classes, name, width, times)
        )
        for name in widths
        for width in widths[name]
    }
    fixed = scaled(convert @ fixed_cost(graph, board, plan))  # of all copies
    totals = np.array([*goal.caps.units(board).values()])
    totals -= np.array([board.reserved_alms, board.reserved_blocks, 0])
    if plan.disabled:
        totals = totals * 1000  # an ablated design need not fit
    limits = tuple(int(v) // plan.copies for v in np.floor(totals * SCALE) - np.array(fixed))
    ends = {layer.name: (classes[layer.inputs[0]], classes[layer.output]) for layer in graph.layers}
    return Problem(
        options,
        widths,
        channels,
        limits,
        ends,
        memory_bytes(board, plan, full_clock(board, goal), len(graph.inputs) + STREAMS),
        buffering(graph),
        SCALE[1] / board.device.block_bits,
    )


def alike(layer: Layer, graph: Graph) -> Any:
    """What layers have in common that have the same options: all that these depend on but widths,
    or the layer itself where its weights have zeros to skip."""
    shapes = tuple(
        (graph.tensors[name].shape, graph.tensors[name].type)
        for name in (*layer.inputs, layer.output)
    )
    weights: tuple[Any, ...] = tuple(
        (name, w.shape, w.dtype.str) for name, w in layer.weights.items()
    )
    weight = layer.weights.get(
        "weight"
    )  # a bias without values, as of every layer that has none, is no zero to skip
    if weight is not None and nonzeros(weight) < WORTHWHILE * weight.size:
        weights = (("of", layer.name),)
    return layer.op, operator(layer.op).structure(layer), layer.activation, shapes, weights


def memory_bytes(board: Board, plan: Plan, clock: float, readers: int) -> float:
    """Bytes a cycle of `clock` MHz that memory has for weights where so many kernels read it; all
    copies share what is read."""
    return board.sustained_bandwidth(readers) * 1e9 / (clock * 1e6) * plan.copies


def full_clock(board: Board, goal: Goal) -> float:
    """The clock of a design that fills memory blocks and DSPs to their caps, and half as many ALMs:
    such designs take about as many."""
    caps, device = goal.caps, board.device
    full = caps.alms / 2 * device.alms, caps.blocks * device.blocks, caps.dsps * device.dsps
    return clock_of(*full, board, goal.calibration)


def legal_widths(
    graph: Graph, classes: dict[str, str], name: str, possible: Iterable[int]
) -> tuple[int, ...]:
    """Widths that all kernels at a class's tensors can handle, none wider than twice its
    channels."""
    members = [graph.tensors[tensor] for tensor, owner in classes.items() if owner == name]
    widest = max(tensor.channels for tensor in members)
    found = []
    for width in possible:
        if width > 1 and width >= 2 * widest:
            continue
        if all(
            operator(layer.op).legal_widths(layer, tensor, width)
            for tensor in members
            for layer in graph.layers
            if tensor.name in (*layer.inputs, layer.output)
        ):
            found.append(width)
    return tuple(found)


def layer_options(
    layer: Layer, graph: Graph, board: Board, plan: Plan, goal: Goal, classes: dict[str, str],
    widths: dict[str, tuple[int, ...]], convert: np.ndarray, built: dict[KernelPlan, Option],
) -> tuple[Option, ...]:  # fmt: skip
    """Every kernel of a layer that pins allow, with cycles and cost; `built` remembers them."""
    source, result = classes[layer.inputs[0]], classes[layer.output]
    windows = window_choices(layer, plan)
    found = []
    for width in widths[source]:
        for output in (width,) if source == result else widths[result]:
            for window in windows:
                pinned = goal.pins.get((layer.name, "row_tiles"))
                choices = kernels_of(
                    layer, graph, plan, KernelPlan(layer.name, width, output, window), pinned
                )
                kernels = [kernel for kernel in choices if goal.allows(kernel)]
                new = [kernel for kernel in kernels if kernel not in built]
                built |= zip(new, costed(layer, graph, board, plan, new, convert), strict=True)
                found += undominated([built[kernel] for kernel in kernels])
    if not found:
        raise Infeasible("cannot be built as --set asks for", where=f"layer {layer.name}")
    return tuple(found)


def window_choices(layer: Layer, plan: Plan) -> tuple[bool, ...]:
    """Whether a layer's window may be unrolled, or must be."""
    if not plan.enabled("unroll"):
        return (False,)
    if hasattr(layer.attributes, "counted_pads"):
        return (True,)  # pooling always reduces its whole window at once
    return (False, True) if hasattr(layer.attributes, "window") else (False,)


def undominated(options: list[Option]) -> list[Option]:
    """The options of one pair of widths without those that another beats, or equals, in time and in
    every resource."""
    ordered = sorted(options, key=lambda o: (o.cycles, sum(o.cost)))
    kept: list[Option] = []
    prices: list[tuple[int, ...]] = []
    for option in ordered:
        price = (*option.cost, option.bytes)
        if not any(all(map(le, best, price)) for best in prices):
            kept.append(option)
            prices.append(price)
    return kept


def cheapest(options: list[Option]) -> list[Option]:
    """The options among which one is best where time does not matter: of every pair of widths, and
    with every number of row tiles, those that no other one beats, or equals, in every resource."""
    groups: dict[tuple[int, int, int], list[Option]] = {}
    for option in sorted(options, key=lambda o: (sum(o.cost), o.bytes)):
        kernel, price = option.kernel, (*option.cost, option.bytes)
        kept = groups.setdefault((kernel.input_width, kernel.output_width, kernel.row_tiles), [])
        if not any(
            all(a <= b for a, b in zip((*o.cost, o.bytes), price, strict=True)) for o in kept
        ):
            kept.append(option)
    return [option for kept in groups.values() for option in kept]


def kernels_of(
    layer: Layer, graph: Graph, plan: Plan, kernel: KernelPlan, row_tiles: int | None = None
) -> list[KernelPlan]:
    """The kernels of given widths: folded or not, skipping zeros or not, with one input vector a
    turn or several, weights on chip or from memory (in so many `row_tiles`, where a pin says
    so)."""
    op, free = operator(layer.op), plan.enabled("fuse") and plan.enabled("tile")
    shapes = [
        replace(kernel, lane_folding=folding)
        for folding in (op.lane_folding_options(layer, kernel) if free else (1,))
    ]
    if free and plan.enabled("unroll") and plan.enabled("cached_writes"):
        shapes += [
            replace(kernel, nonzeros_per_lane=count)
            for count in op.nonzeros_options(layer, graph, kernel)
            if count
        ]
        shapes += [
            replace(kernel, vectors_per_cycle=count)
            for count in op.vectors_per_cycle_options(layer, graph, kernel)
            if count > 1
        ]
        shapes += streaming(layer, graph, kernel, FLOAT32.bits, row_tiles)
    sums = [partial_sums_of(layer, graph, shape) for shape in shapes]
    return [
        shape if n == shape.partial_sums else replace(shape, partial_sums=n)
        for shape, n in zip(shapes, sums, strict=True)
    ]


def streaming(
    layer: Layer, graph: Graph, kernel: KernelPlan, bits: int, pinned: int | None
) -> list[KernelPlan]:
    """The kernels of given widths whose weights stream from memory: those that are `pinned`, else
    those that have less on chip than the weights are."""
    op = operator(layer.op)
    if (
        pinned is None
        and op.works_in_row_tiles(layer)
        and {kernel.input_width, kernel.output_width} - set(STREAMED_WIDTHS)
    ):
        return []
    here, found = on_chip(layer, graph, kernel, bits), []
    wanted = STRIPS if pinned is None else (pinned,)
    for shape in (
        replace(kernel, row_tiles=n)
        for n in op.row_tile_options(layer, graph, kernel)
        if n and n in wanted
    ):
        if pinned is not None or on_chip(layer, graph, shape, bits) < here:
            inputs = vectors(graph.tensors[layer.inputs[0]].channels, kernel.input_width)
            counts = {
                ceil(inputs / n): n
                for n in reversed(op.vectors_per_cycle_options(layer, graph, shape))
            }
            found += [replace(shape, vectors_per_cycle=n) for n in counts.values()]
    return found


def on_chip(layer: Layer, graph: Graph, kernel: KernelPlan, bits: int) -> int:
    """Bits of a kernel's memories."""
    memories = operator(layer.op).pipelined_body(layer, graph, kernel, bits).memories
    return sum(memory.depth * memory.bits * memory.banks * memory.copies for memory in memories)


def costed(
    layer: Layer,
    graph: Graph,
    board: Board,
    plan: Plan,
    kernels: list[KernelPlan],
    convert: np.ndarray,
) -> list[Option]:
    """Kernels with cycles and cost."""
    table = np.array(
        [option_cost(layer, graph, board, plan, kernel) for kernel in kernels]
    ).reshape(-1, 5)

    @cache
    def first(row_tiles: int) -> float:
        """What a kernel needs before its first output: widths change nothing of it."""
        kernel = next(kernel for kernel in kernels if kernel.row_tiles == row_tiles)
        return lead(layer, graph, kernel)

    return [
        Option(
            kernel,
            pipelined_cycles(layer, graph, kernel, plan, board),
            cost,
            operator(layer.op).streamed_values(layer, graph, kernel) * layer.weight_type.bytes,
            first(kernel.row_tiles),
        )
        for kernel, cost in zip(kernels, map(tuple, whole(table @ convert.T).tolist()), strict=True)
    ]


def option_cost(
    layer: Layer, graph: Graph, board: Board, plan: Plan, kernel: KernelPlan
) -> np.ndarray:
    """(ALUT, FF, RAM, DSP, MLAB) of one kernel, with its share of the weight loader."""
    kernels = pipelined_kernels(layer, graph, plan, kernel, len(graph.consumers[layer.output]))
    cost = sum((kernel_cost(k, board) for k in kernels), np.zeros(5))
    if kernel.vectors_per_cycle > 1:
        cost = cost + fifo_cost(collected(kernel, input_bits(layer, graph)), board.device)
    if kernel.row_tiles:
        reader = (Lsu("filters", kernel.output_width * layer.weight_type.bits),)
        cost = cost + fifo_cost(streamed(kernel, layer.weight_type.bits), board.device)
        cost = cost + kernel_cost(transfer("filters", reader, reader[0].bits, 1), board)
        cost = cost + costs(board.device.family)["interconnect_per_lsu"]
    if layer.weights:
        cost = cost + fifo_cost(
            Fifo("weights", piece_type(graph, plan.weights).bits, WEIGHT_FIFO), board.device
        )
    return cost


def channel_cost(
    graph: Graph,
    board: Board,
    plan: Plan,
    classes: dict[str, str],
    name: str,
    width: int,
    times: dict[str, np.ndarray],
) -> np.ndarray:
    """Cost of all channels of a class's tensors at a width, and of the kernels between them and
    memory."""
    total = np.zeros(5)
    for tensor in (t for t, owner in classes.items() if owner == name):
        readers = [
            (layer.name, i)
            for layer in graph.layers
            for i, name in enumerate(layer.inputs)
            if name == tensor
        ]
        readers += [("", 0)] * sum(port.tensor == tensor for port in graph.outputs)
        bits = width * graph.tensors[tensor].type.bits
        kernels = [
            transfer("reader", (Lsu("image_data", bits),), bits * len(readers), len(readers))
            for port in graph.inputs
            if port.tensor == tensor
        ]
        kernels += [
            transfer("writer", (Lsu("image_data", bits, store=True),), bits, 1)
            for port in graph.outputs
            if port.tensor == tensor
        ]
        total = total + sum((kernel_cost(kernel, board) for kernel in kernels), np.zeros(5))
        for reader, position in readers:
            fifo = Fifo(tensor, bits, depth(tensor, reader, position, width, graph, times))
            total = total + fifo_cost(fifo, board.device)
    return total


def fixed_cost(graph: Graph, board: Board, plan: Plan) -> np.ndarray:
    """The weight loader and the interconnect, of all copies."""
    table, piece = costs(board.device.family), piece_type(graph, plan.weights).bits
    count = plan.copies * sum(bool(layer.weights) for layer in graph.layers)
    units = plan.copies * (len(graph.inputs) + len(graph.outputs)) + (count > 0)
    total: np.ndarray = table["interconnect"] + units * table["interconnect_per_lsu"]
    if count:
        loader = transfer("weight_loader", (Lsu("weights", piece),), piece * count, count)
        total = total + kernel_cost(loader, board)
    return total


def fit_matrix(goal: Goal) -> np.ndarray:
    """From (ALUT, FF, RAM, DSP, MLAB) to (ALM at the upper quartile, blocks, DSPs)."""
    return np.array([goal.calibration.upper_alm, (0, 0, 1, 0, 0), (0, 0, 0, 1, 0)])


def scaled(cost: np.ndarray) -> tuple[int, ...]:
    """The cost in the solver's units."""
    return tuple(whole(cost).tolist())


def whole(costs: np.ndarray) -> np.ndarray:
    """Rounded up to the solver's whole numbers; what exceeds any device by far is as good as
    infinite."""
    units: np.ndarray = np.minimum(np.ceil(costs * SCALE - 1e-9), 1 << 40)
    return units.astype(np.int64)
