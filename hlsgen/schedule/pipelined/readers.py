"""Whether weights that stream from memory come through a reader a layer or a reader a bank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hlsgen.boards import Board
from hlsgen.errors import Infeasible, UsageError
from hlsgen.evidence import Evidence
from hlsgen.graph import Graph
from hlsgen.model.estimate import Estimate, estimate
from hlsgen.model.weight_banks import most_readers
from hlsgen.plan import Plan
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.knobs import MEMORY, flag_of

# The best kernels for a plan's readers, what is known of them, and the bound that was shown.
Found = tuple[Plan, Evidence, int]


def with_readers(
    graph: Graph, board: Board, plan: Plan, goal: Goal, search: Callable[[Plan], Found]
) -> tuple[Plan, Found]:
    """What `search` finds with a reader a layer, or a bank, whichever is predicted to be faster:
    the empty plan with that decision, and the result. Raises UsageError for a pin that the board
    does not have."""
    pinned = goal.pins.get((MEMORY, "weight_readers"))
    if pinned is not None:
        check_pin(pinned, plan, board)
        plan = replace(plan, weight_readers=pinned)
    if pinned is not None or not may_share(plan, goal):
        return plan, search(plan)
    shared, own = replace(plan, weight_readers=most_readers(board)), plan
    first, second = (shared, own) if exceeds(graph, board, goal) else (own, shared)
    try:
        found = search(first)
    except Infeasible:  # the other kind may take less
        return second, search(second)
    predicted = estimate(graph, found[0], goal.calibration, board)
    if not worthwhile(graph, board, found[0], second, goal, predicted):
        return first, found
    try:
        other = search(second)
    except Infeasible:
        return first, found
    faster = estimate(graph, other[0], goal.calibration, board).throughput > predicted.throughput
    return (second, other) if faster else (first, found)


def check_pin(readers: int, plan: Plan, board: Board) -> None:
    """Raise UsageError for more readers than banks, or copies, which have none to share."""
    flag = flag_of(MEMORY, "weight_readers")
    if readers > most_readers(board):
        raise UsageError(
            f"{board.name} has banks for {most_readers(board)}", where=f"{flag}={readers}"
        )
    if readers and (plan.copies > 1 or plan.disabled):
        raise UsageError("needs one copy, and all optimisations", where=f"{flag}={readers}")


def may_share(plan: Plan, goal: Goal) -> bool:
    """Whether a search weighs both."""
    return plan.copies == 1 and not plan.disabled and goal.objective == "throughput"


def exceeds(graph: Graph, board: Board, goal: Goal) -> bool:
    """Whether the weights alone are more than the memory blocks that may be used hold."""
    bits = sum(
        array.size * layer.weight_type.bits
        for layer in graph.layers
        for array in layer.weights.values()
    )
    return bits > goal.caps.blocks * board.device.blocks * board.device.block_bits


def worthwhile(
    graph: Graph, board: Board, best: Plan, second: Plan, goal: Goal, predicted: Estimate
) -> bool:
    """Whether the other kind of readers may be faster: a bank's where a reader a layer leaves
    memory the limit, a layer's where the same kernels are no slower with them."""
    if second.weight_readers:
        return predicted.timing.bottleneck == "external memory"
    if not any(kernel.row_tiles for kernel in best.kernels):
        return False
    own = estimate(graph, replace(best, weight_readers=0), goal.calibration, board)
    return own.throughput >= predicted.throughput
