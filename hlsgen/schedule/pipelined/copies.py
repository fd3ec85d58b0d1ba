"""How many copies of a pipelined design stand on the board, where that is left to the search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf

from hlsgen.boards import Board
from hlsgen.errors import Infeasible
from hlsgen.graph import Graph
from hlsgen.model.estimate import estimate
from hlsgen.plan import Plan
from hlsgen.schedule.draft import Draft
from hlsgen.schedule.goal import ANY_COPIES, MOST_COPIES, Goal

# A copy that makes a design faster by less than that is not worth its logic.
WORTHWHILE = 1.001


def with_copies(
    graph: Graph, board: Board, plan: Plan, goal: Goal, draft: Callable[[Plan, Goal], Draft]
) -> Draft:
    """What `draft` makes of as many copies as are wanted, or, where the search may choose, of the
    number from which on one more copy does not fit, makes nothing faster, or is not asked for: a
    copy brings no image sooner. Raises Infeasible where not even one fits."""
    if goal.copies != ANY_COPIES:
        return draft(plan, goal)
    most = 1 if goal.objective == "latency" else MOST_COPIES
    enough = goal.fps if goal.objective == "resources" else inf
    best, fastest = None, 0.0
    for count in range(1, most + 1):
        try:
            trial = draft(replace(plan, copies=count), replace(goal, copies=count))
        except Infeasible:
            if best is None:
                raise
            break
        predicted = estimate(graph, trial.plan, goal.calibration, board)
        if predicted.throughput < WORTHWHILE * fastest:
            break
        best, fastest = trial, predicted.throughput
        if predicted.throughput >= enough or predicted.timing.bottleneck == "host link":
            break
    assert best is not None
    return best
