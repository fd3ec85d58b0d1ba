"""The problem that the search for pipelined designs solves: every way to build every layer, with
its cycles and cost, what channels cost, and what there is.

Every tensor class has a width, every layer one option (widths, window unrolled or not, vectors at
once, weights on chip or from memory) that agrees with the widths of its tensors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.model.resources import clock_of
from hlsgen.model.weight_banks import bank_bandwidth
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.buffering import Buffering, buffering
from hlsgen.schedule.pipelined.charges import SCALE, channel_cost, fit_matrix, fixed_cost, scaled
from hlsgen.schedule.pipelined.choices import WIDTHS
from hlsgen.schedule.pipelined.fifo import pixel_times
from hlsgen.schedule.pipelined.options import Option, OptionCache, alike, layer_options

# Kernels that take weights from memory, as a search first assumes.
STREAMS = 3


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
        same, shared = source == result, streams and plan.weight_readers > 0
        kind = alike(layer, graph)
        key = kind, same, widths[source], widths[result], readers, pins, streams, shared
        if key not in cache.options:
            built = cache.kernels.setdefault((kind, readers), {})
            cache.options[key] = layer_options(
                layer, graph, board, plan, goal, classes, widths, convert, built, streams
            )
        options[layer.name] = cache.options[key]
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
        memory_bytes(board, plan, full_clock(board, goal), len(graph.inputs), STREAMS),
        buffering(graph),
        SCALE[1] / board.device.block_bits,
    )


def memory_bytes(board: Board, plan: Plan, clock: float, ports: int, streams: int) -> float:
    """Bytes a cycle of `clock` MHz that memory has for weights where so many kernels read inputs,
    and weights for so many layers; all copies share what is read."""
    count = plan.weight_readers
    rate = (
        count * bank_bandwidth(board, ports, count, clock)
        if count
        else board.sustained_bandwidth(ports + streams) * 1e9
    )
    return rate / (clock * 1e6) * plan.copies


def full_clock(board: Board, goal: Goal) -> float:
    """The clock of a design that fills memory blocks and DSPs to their caps, and half as many ALMs:
    such designs take about as many."""
    caps, device = goal.caps, board.device
    full = (
        caps.alms / 2 * device.alms,
        caps.blocks * device.blocks,
        caps.dsps * board.available_dsps,
    )
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
