"""The search for pipelined designs: vector widths and kernels of all layers together.

An option's ALMs, memory blocks and DSPs add up under the caps, and so do the weights that options
take from memory under its bandwidth. For the highest throughput the slowest layer's cycles are
bisected: is there a design in which no layer needs more than T? The last "no" proves the last "yes"
optimal. A relaxation answers most such questions (`prices.py`), OR-tools' CP-SAT the others
(`solver.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from math import ceil

import numpy as np

from hlsgen.boards import Board
from hlsgen.errors import Infeasible
from hlsgen.evidence import Evidence
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.choices import Choice
from hlsgen.schedule.pipelined.prices import any_design, least_design
from hlsgen.schedule.pipelined.problem import SCALE, Problem
from hlsgen.schedule.pipelined.relaxation import Relaxation
from hlsgen.schedule.pipelined.solver import run

# Among more levels than that the search ends when none can be faster by more than the gap.
LEVELS, GAP = 1000, 0.005


@dataclass(frozen=True)
class Solution:
    """The best choice for a goal. `proof`: what is known of how good it is; `cycles`: those that
    its slowest layer may take; `bound`: those that the search has shown no design to go below,
    within the same caps or lower ones."""

    choice: Choice
    proof: Evidence
    cycles: int
    bound: int = 0


def solve(relaxation: Relaxation, board: Board, goal: Goal, bound: int = 0) -> Solution:
    """The best choice for a goal. `bound`: what a search with higher caps has shown of the slowest
    layer's cycles. Raises Infeasible when nothing fits."""
    problem = relaxation.problem
    if (least_cost(problem) > np.maximum(problem.limits, 0)).any():
        raise smallest_is_too_large(problem, board, goal)
    levels = sorted({option.cycles for options in problem.options.values() for option in options})
    floor = max(min(option.cycles for option in options) for options in problem.options.values())
    levels = [level for level in levels if level >= floor]
    if goal.objective == "resources":
        allowed = [
            level
            for level in levels
            if goal.copies * board.device.fmax_low * 1e6 / level >= goal.fps
        ] or levels[:1]
        target, proof, bound = allowed[-1], Evidence(fps=goal.fps), 0
    else:
        target, proof, bound = fastest(
            relaxation, [level for level in levels if level >= bound] or levels[-1:], goal
        )
    decided: list[bool] = []
    if goal.objective == "latency":
        found = run(problem, target, goal, fewest=False, latency=True, decided=decided)
    else:
        found = fewest(relaxation, target, goal, decided)
    if found is None and not all(decided):
        found = anyone(relaxation, target, goal)
    if found is None:
        raise smallest_is_too_large(problem, board, goal)
    return Solution(found, proof, target, bound)


def fewest(
    relaxation: Relaxation, target: int, goal: Goal, decided: list[bool] | None = None
) -> Choice | None:
    """The choice with the fewest resources, but for the gap, whose slowest layer takes no more than
    so many cycles. None where there is none (or none was found in time: `decided` then holds
    False)."""
    answer = least_design(relaxation, target)
    if answer.settled:
        return answer.choice
    assert answer.rest is not None
    return run(answer.rest, target, goal, fewest=True, decided=decided)


def anyone(
    relaxation: Relaxation, target: int, goal: Goal, decided: list[bool] | None = None
) -> Choice | None:
    """A choice whose slowest layer takes no more than so many cycles, as `fewest` would say it."""
    answer = any_design(relaxation, target)
    if answer.settled:
        return answer.choice
    assert answer.rest is not None
    return run(answer.rest, target, goal, fewest=False, decided=decided)


def fastest(relaxation: Relaxation, levels: list[int], goal: Goal) -> tuple[int, Evidence, int]:
    """The least cycles of the slowest layer that a design within the caps reaches, the proof or the
    gap, and the proven bound (0: none). The relaxation says which levels are too low and from which
    on it knows a design; what is between them the solver decides."""
    answer = cache(lambda level: any_design(relaxation, level))
    low = bisect_left(
        levels,
        True,
        key=lambda level: not answer(level).settled or answer(level).choice is not None,
    )
    high = bisect_left(levels, True, lo=low, key=lambda level: answer(level).choice is not None)
    proven, undecided = low, False

    def possible(place: int) -> bool:
        nonlocal proven, undecided
        status: list[bool] = []
        found = anyone(relaxation, levels[place], goal, status)
        undecided = undecided or not all(status)
        if found is None and not undecided:
            proven = place + 1
        return found is not None

    if high == len(levels) and (low == high or not possible(high := high - 1)):
        return levels[-1], Evidence(), 0
    while low < high and not close(levels, low, high):
        middle = (low + high) // 2
        low, high = (low, middle) if possible(middle) else (middle + 1, high)
    if undecided:
        return (
            levels[high],
            Evidence(proof="open", gap=levels[high] / levels[proven] - 1),
            levels[proven],
        )
    proof = Evidence(proof="near", gap=GAP) if low < high else Evidence(proof="optimal")
    return levels[high], proof, levels[low]


def close(levels: list[int], low: int, high: int) -> bool:
    """Whether the rest of a long search could gain next to nothing."""
    return len(levels) > LEVELS and levels[high] <= (1 + GAP) * levels[low]


def least_cost(problem: Problem) -> np.ndarray:
    """What no design takes less of, in the solver's units: every layer's least, each resource for
    itself."""
    return np.sum(
        [np.min([o.cost for o in options], axis=0) for options in problem.options.values()], axis=0
    )


def smallest_is_too_large(problem: Problem, board: Board, goal: Goal) -> Infeasible:
    """What is short, from the least cost of every layer."""
    least = least_cost(problem) / SCALE
    limits = np.array(problem.limits) / SCALE
    names = ("ALMs", "memory blocks", "DSPs")
    worst = int(np.argmax(least / np.maximum(limits, 1)))
    if least[worst] > limits[worst]:
        text = f"needs {ceil(least[worst]):,} {names[worst]}; {int(limits[worst]):,} may be used"
    else:
        text = "needs more ALMs, memory blocks and DSPs together than may be used"
    if goal.pins:
        return Infeasible(
            f"{text}, or what --set fixes contradicts itself",
            where=f"pipelined design on {board.name}",
            remedy="a tensor has one width: the unroll_oc of its producer is the unroll_ic of its consumers",
        )
    return Infeasible(
        text,
        where=f"pipelined design on {board.name}",
        remedy="use --style folded, or a larger board",
    )
