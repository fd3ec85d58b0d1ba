"""Designs with both convolution engines, one that multiplies by all weights and one that skips
zeros: which sizes are worth trying.

How long a layer takes on an engine depends on that engine's size and buffers, not on those of the
other one. So every engine is timed by itself, layer by layer; a pair takes at least the sum of the
quicker times, at the clock that the two alone would leave.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from math import inf

import numpy as np

from hlsgen.boards import Board
from hlsgen.engines import arrays, on_array
from hlsgen.engines.array import Array
from hlsgen.errors import Infeasible
from hlsgen.graph import Graph
from hlsgen.kernel.charge import charged
from hlsgen.model.resources import clock_of, fitted, kernel_cost
from hlsgen.model.step_time import Times, times_on
from hlsgen.plan import Plan
from hlsgen.rewrites.dense_as_convolution import convolvable, reshaped
from hlsgen.schedule.folded.shapes import Shape
from hlsgen.schedule.folded.steps import models, use_of
from hlsgen.schedule.folded.tiling import Pace, timed_way
from hlsgen.schedule.goal import Goal

# So many pairs, the most promising, are planned step by step.
MOST_PAIRS = 100


@dataclass(frozen=True)
class Alone:
    """A design with one array: cycles of every layer, waiting for memory at the device's best clock
    and not waiting (infinite where the array's buffers hold no tile of it), and what the array's
    kernels cost."""

    plan: Plan
    waiting: np.ndarray
    working: np.ndarray
    cost: np.ndarray


@dataclass(frozen=True)
class Pair:
    """Two arrays for one design, which takes so many seconds a launch at least."""

    one: Alone
    other: Alone
    seconds: float


def has_work_for_both(graph: Graph) -> bool:
    """Whether there are two layers that an array can compute: where there is one, a pair is no
    better than the array that computes it."""
    names = convolvable(graph)
    return sum(on_array(la) or la.name in names for la in graph.layers) > 1


def pairs(
    graph: Graph,
    dense: Iterable[Shape],
    skipping: Iterable[Shape],
    board: Board,
    goal: Goal,
    limit: float,
) -> list[Shape]:
    """The most promising of the designs with an array of `dense` and one of `skipping`, where both
    could take less than `limit` seconds a launch."""
    clock = clock_of(board.reserved_alms, board.reserved_blocks, 0, board, goal.calibration)
    most, possible = limit * clock * 1e6, []
    whole, sparse = arrays()
    for ones, others in families(graph, list(dense), list(skipping), most):
        partners = [alone(graph, shape.plan, sparse, board, clock) for shape in others]
        waiting = np.array([other.waiting for other in partners])
        for shape in promising(graph, ones, waiting.min(axis=0), most) if partners else ():
            one = alone(graph, shape.plan, whole, board, clock)
            least = least_of_both(one.waiting, waiting) / (clock * 1e6)
            for n in np.flatnonzero(least < limit):
                possible.append(Pair(one, partners[n], float(least[n])))
    return [
        Shape(joined(pair.one.plan, pair.other.plan), pair.seconds, clock)
        for pair in quickest(possible, board, goal, limit)
    ]


def quickest(possible: list[Pair], board: Board, goal: Goal, limit: float) -> list[Pair]:
    """The MOST_PAIRS pairs of the fewest seconds, below `limit`, that fit; of equal ones the first.

    Waiting for memory bounds the seconds of a pair from below. So pairs are costed in the order of
    that bound, until it exceeds the seconds of as many pairs as are wanted.
    """
    found: list[tuple[float, int]] = []
    kept: list[float] = []  # a heap of the least seconds, negated
    for n in sorted(range(len(possible)), key=lambda n: possible[n].seconds):
        pair = possible[n]
        if len(kept) == MOST_PAIRS and pair.seconds > -kept[0]:
            break
        working = working_seconds(pair.one, pair.other, board, goal)
        if working < limit:
            seconds = max(pair.seconds, working)
            found.append((seconds, n))
            heappush(kept, -seconds)
            if len(kept) > MOST_PAIRS:
                heappop(kept)
    return [replace(possible[n], seconds=seconds) for seconds, n in sorted(found)[:MOST_PAIRS]]


def families(
    graph: Graph, dense: list[Shape], skipping: list[Shape], limit: float
) -> Iterator[tuple[list[Shape], list[Shape]]]:
    """The shapes that may be joined, without those that take `limit` cycles a launch or more even
    with the best of all partners."""
    members: dict[tuple[object, ...], tuple[list[Shape], list[Shape]]] = {}
    for side, shapes in enumerate((dense, skipping)):
        for shape in shapes:
            members.setdefault(family(shape.plan), ([], []))[side].append(shape)
    for sides in members.values():
        if all(sides):
            best = [np.min([least_of(graph, shape) for shape in side], axis=0) for side in sides]
            yield (
                promising(graph, sides[0], best[1], limit),
                promising(graph, sides[1], best[0], limit),
            )


def promising(graph: Graph, shapes: list[Shape], partner: np.ndarray, limit: float) -> list[Shape]:
    """Those that may take less than `limit` cycles a launch beside a partner that takes so many
    cycles for each layer."""
    return [shape for shape in shapes if np.minimum(least_of(graph, shape), partner).sum() < limit]


def least_of(graph: Graph, shape: Shape) -> np.ndarray:
    """The least cycles of each layer of a launch."""
    return np.array(
        [shape.least[model] for model in models(reshaped(graph, shape.plan), shape.plan).values()]
    )


def family(plan: Plan) -> tuple[object, ...]:
    """What two designs must have in common to be joined."""
    assert plan.engines is not None
    return plan.dense_as_convolution, plan.engines.width


def joined(dense: Plan, skipping: Plan) -> Plan:
    """A design with the arrays of both."""
    e, other = dense.engines, skipping.engines
    assert e is not None and other is not None
    _, array = arrays()
    return replace(dense, engines=array.shaped(e, array.shape(other)))


def alone(graph: Graph, plan: Plan, array: Array, board: Board, clock: float) -> Alone:
    """Times and cost of the array of a plan."""
    shaped, e = reshaped(graph, plan), plan.engines
    assert e is not None
    pace, kinds = Pace(board, clock), models(shaped, plan).values()
    times = times_on(shaped, e, board)
    of_kinds = {
        model: own_cycles(model, shaped, plan, array.name, pace, times)
        for model in dict.fromkeys(kinds)
    }
    cycles = np.array([of_kinds[model] for model in kinds])
    kernels = array.described(shaped, plan)
    cost = sum((kernel_cost(charged(kernel), board) for kernel in kernels), np.zeros(5))
    return Alone(plan, cycles[:, 0], cycles[:, 1], cost)


def own_cycles(
    model: str, graph: Graph, plan: Plan, array: str, pace: Pace, times: Times
) -> tuple[float, float]:
    """Cycles of a layer, on this array if it takes one, waiting for memory and not; infinite where
    the array's buffers are too small. `times`: on the plan's engines."""
    assert plan.engines is not None
    own = array if on_array(graph.layer(model)) else ""
    try:
        way = timed_way(graph, use_of(model, graph, plan.engines, plan, own), times)
    except Infeasible:
        return inf, inf
    working = sum(min(tiling.time.cycles for tiling in tilings) for tilings in way)
    return sum(map(pace.least, way)), working


def least_of_both(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each of the `others` (a row of cycles each) the least cycles of all layers where each
    array computes one at least; infinite where some layer fits neither."""
    least = np.minimum(one, others)
    with np.errstate(invalid="ignore"):
        found = least.sum(axis=1) + (one - least).min(axis=1) + (others - least).min(axis=1)
    return np.where(np.isinf(least).any(axis=1), inf, found)


def working_seconds(one: Alone, other: Alone, board: Board, goal: Goal) -> float:
    """Seconds of the quicker times at the clock that both arrays alone would leave, without waiting
    for memory; infinite where they do not fit."""
    resources = fitted(one.cost + other.cost, board, goal.calibration)
    if not resources.fits(board, goal.caps):
        return inf
    return float(np.minimum(one.working, other.working).sum()) / (resources.fmax * 1e6)
