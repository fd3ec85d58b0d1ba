"""Designs with both convolution engines, one that multiplies by all weights and one that skips zeros: which sizes are worth trying.

How long a layer takes on an engine depends on that engine's size and buffers, not on those of the other one. So every engine is timed by itself, layer
by layer; a pair takes at least the sum of the quicker times, at the clock that the two alone would leave.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.plan import ARRAYS, Plan
from hlsgen.schedule.convolve import reshaped
from hlsgen.schedule.engines import convolution_kernels, skipping_kernels
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pace import Pace, TimedWays, timed_ways
from hlsgen.schedule.resources import clock_of, fitted, kernel_cost
from hlsgen.schedule.shapes import Shape, with_array
from hlsgen.schedule.steps import Ways, models, step_ways
from hlsgen.schedule.times import BYTES

# So many pairs, the most promising, are planned step by step.
MOST_PAIRS = 100
LIMITLESS = 1 << 40


@dataclass(frozen=True)
class Alone:
    """A design with one array: cycles of every layer, waiting for memory at the device's best clock and not waiting (infinite where the
    array's buffers hold no tile of it), and what the array's kernels cost."""

    plan: Plan
    waiting: np.ndarray
    working: np.ndarray
    cost: np.ndarray


def pairs(
    graph: Graph, dense: Iterable[Shape], skipping: Iterable[Shape], board: Board, goal: Goal, limit: float
) -> list[Shape]:
    """The most promising of the designs with an array of `dense` and one of `skipping`, where both could take less than `limit` seconds a
    launch."""
    clock = clock_of(board.reserved_alms, board.reserved_blocks, 0, board, goal.calibration)[0]
    found = []
    for ones, others in families(list(dense), list(skipping), limit * clock * 1e6):
        partners = [alone(graph, shape.plan, "skipping", board, clock) for shape in others]
        for shape in ones if partners else ():
            one = alone(graph, shape.plan, "convolution", board, clock)
            waiting = np.array([least_of_both(one.waiting, other.waiting) for other in partners]) / (clock * 1e6)
            for other, seconds in zip(partners, waiting, strict=True):
                if seconds < limit and (slower := working_seconds(one, other, board, goal)) < limit:
                    found.append(Shape(joined(one.plan, other.plan), max(seconds, slower), clock))
    return sorted(found, key=lambda shape: shape.seconds)[:MOST_PAIRS]


def families(dense: list[Shape], skipping: list[Shape], limit: float) -> Iterator[tuple[list[Shape], list[Shape]]]:
    """The shapes that may be joined, without those that take `limit` cycles a launch or more even with the best of all partners."""
    members: dict[tuple[object, ...], tuple[list[Shape], list[Shape]]] = {}
    for side, shapes in enumerate((dense, skipping)):
        for shape in shapes:
            members.setdefault(family(shape.plan), ([], []))[side].append(shape)
    for sides in members.values():
        if all(sides):
            cycles = [np.array([shape.cycles for shape in side]) for side in sides]
            best = [rows.min(axis=0) for rows in cycles]
            least = [np.minimum(rows, best[1 - side]).sum(axis=1) for side, rows in enumerate(cycles)]
            ones, others = (
                [shape for shape, total in zip(side, totals, strict=True) if shape.plan.images * total < limit]
                for side, totals in zip(sides, least, strict=True)
            )
            yield ones, others


def family(plan: Plan) -> tuple[object, ...]:
    """What two designs must have in common to be joined."""
    assert plan.engines is not None
    return plan.convolved, plan.engines.width


def joined(dense: Plan, skipping: Plan) -> Plan:
    """A design with the arrays of both."""
    e, s = dense.engines, skipping.engines
    assert e is not None and s is not None
    own = s.of("skipping")
    size, tile = (own.inputs, own.outputs), (own.tile_vectors, own.tile_pixels)
    return replace(dense, engines=with_array(e, "skipping", size, tile))


def alone(graph: Graph, plan: Plan, name: str, board: Board, clock: float) -> Alone:
    """Times and cost of the array of a plan."""
    shaped, e = reshaped(graph, plan), plan.engines
    assert e is not None
    other = next(array for array in ARRAYS if array != name)
    roomy = with_array(e, other, (1, 1), (LIMITLESS, LIMITLESS))  # so that every layer has a way
    pace = Pace(board, clock)
    of_kinds = {
        model: own_cycles(timed_ways(shaped, without(other, ways), roomy, board), pace)
        for model, ways in step_ways(shaped, roomy, plan).items()
    }
    cycles = np.array([of_kinds[model] for model in models(shaped, plan).values()])
    own, bits = e.of(name), BYTES[plan.dtype] * 8
    kernels = skipping_kernels(own, bits, True) if name == "skipping" else convolution_kernels(own, bits, True, ())
    cost = sum((kernel_cost(kernel, board.device) for kernel in kernels), np.zeros(5))
    return Alone(plan, cycles[:, 0], cycles[:, 1], cost)


def without(array: str, ways: Ways) -> Ways:
    """The first of a layer's ways that leaves an array alone; none where all need it."""
    return [way for way in ways if all(step.engine != array for step in way)][:1]


def own_cycles(ways: TimedWays, pace: Pace) -> tuple[float, float]:
    """Cycles of a layer in its one way, waiting for memory and not; infinite where it has none."""
    if not ways:
        return inf, inf
    working = sum(min(tiling.time.cycles for tiling in tilings) for tilings in ways[0])
    return sum(map(pace.least, ways[0])), working


def least_of_both(one: np.ndarray, other: np.ndarray) -> float:
    """The least cycles of all layers where each array computes one at least; infinite where some layer fits neither."""
    least = np.minimum(one, other)
    if np.isinf(least).any():
        return inf
    return float(least.sum() + (one - least).min() + (other - least).min())


def working_seconds(one: Alone, other: Alone, board: Board, goal: Goal) -> float:
    """Seconds of the quicker times at the clock that both arrays alone would leave, without waiting for memory; infinite where they do not fit."""
    resources = fitted(one.cost + other.cost, board, goal.calibration)
    if not resources.fits(board, goal.caps):
        return inf
    return float(np.minimum(one.working, other.working).sum()) / (resources.fmax * 1e6)
