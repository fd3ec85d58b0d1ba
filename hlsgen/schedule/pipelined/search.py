"""The search for pipelined designs: vector widths and kernels of all layers together.

An option's ALMs, memory blocks and DSPs add up under the caps, and so do the weights that options
take from memory under its bandwidth. For the highest throughput the slowest layer's cycles are
bisected: is there a design in which no layer needs more than T? The last "no" proves the last "yes"
optimal. A relaxation answers most such questions (`prices.py`), OR-tools' CP-SAT the others
(`solver.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cache
from math import ceil

import numpy as np

from hlsgen.boards import Board
from hlsgen.errors import Infeasible
from hlsgen.evidence import Evidence
from hlsgen.progress import stage
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.charges import SCALE
from hlsgen.schedule.pipelined.choices import Choice
from hlsgen.schedule.pipelined.prices import any_design, least_design
from hlsgen.schedule.pipelined.problem import Problem
from hlsgen.schedule.pipelined.relaxation import Relaxation
from hlsgen.schedule.pipelined.solver import Outcome, run

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
    if (problem.least_cost > np.maximum(problem.limits, 0)).any():
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
            relaxation, [level for level in levels if level >= bound] or levels[-1:], board, goal
        )
    if goal.objective == "latency":
        found = run(problem, target, goal, fewest=False, latency=True)
    else:
        found = fewest(relaxation, target, goal)
    if found.choice is None and not found.decided:
        found = replace(anyone(relaxation, target, goal), decided=False)
    if found.choice is None:
        raise (smallest_is_too_large if found.decided else out_of_time)(problem, board, goal)
    return Solution(found.choice, replace(proof, limited=not found.decided), target, bound)


def fewest(relaxation: Relaxation, target: int, goal: Goal) -> Outcome:
    """The choice with the fewest resources, but for the gap, whose slowest layer takes no more than
    so many cycles; the best that is known where the solver runs into its time limit."""
    answer = least_design(relaxation, target)
    if answer.settled:
        return Outcome(answer.choice)
    assert answer.rest is not None
    found = run(answer.rest, target, goal, fewest=True)
    if not found.decided and answer.cost < found.cost:
        return replace(found, choice=answer.best, cost=answer.cost)
    return found


def anyone(relaxation: Relaxation, target: int, goal: Goal) -> Outcome:
    """A choice whose slowest layer takes no more than so many cycles."""
    answer = any_design(relaxation, target)
    if answer.settled:
        return Outcome(answer.choice)
    assert answer.rest is not None
    return run(answer.rest, target, goal, fewest=False)


def fastest(
    relaxation: Relaxation, levels: list[int], board: Board, goal: Goal
) -> tuple[int, Evidence, int]:
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
        found = anyone(relaxation, levels[place], goal)
        undecided = undecided or (found.choice is None and not found.decided)
        if found.choice is None and not undecided:
            proven = place + 1
        return found.choice is not None

    if high == len(levels) and (low == high or not possible(high := high - 1)):
        return levels[-1], Evidence(), 0

    def tell() -> None:
        best, bound = (
            goal.copies * board.device.fmax * 1e6 / levels[place] for place in (high, low)
        )
        stage("pipelined search", best, bound)

    # What the relaxation does not rule out is mostly possible, or nearly so: the lowest levels come
    # first, in steps that double, and the middle where the solver cannot decide them.
    step = 1 if relaxation.steps is not None else len(levels)
    while low < high and not close(levels, low, high):
        tell()
        middle = min((low + high) // 2, low + step - 1)
        if possible(middle):
            high = middle
        else:
            low, step = middle + 1, len(levels) if undecided else 2 * step
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


def out_of_time(problem: Problem, board: Board, goal: Goal) -> Infeasible:
    """No design was found, and none is known not to be there."""
    return Infeasible(
        f"no design was found within the time limit of {goal.seconds:g} s a call of the solver",
        where=f"pipelined design on {board.name}",
        remedy="give a longer --time-limit, or use --style folded",
    )


def smallest_is_too_large(problem: Problem, board: Board, goal: Goal) -> Infeasible:
    """What is short, from the least cost of every layer."""
    least = problem.least_cost / SCALE
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
            remedy="a tensor has one width: the unroll_oc of its producer is the unroll_ic of its "
            "consumers",
        )
    return Infeasible(
        text,
        where=f"pipelined design on {board.name}",
        remedy="use --style folded, or a larger board",
    )
