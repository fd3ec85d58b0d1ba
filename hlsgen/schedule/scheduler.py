"""`schedule`: chooses the style and completes the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hlsgen.boards import board as find_board
from hlsgen.errors import PlanError
from hlsgen.graph import Graph
from hlsgen.plan import Plan, check_names
from hlsgen.schedule.folded import check_folded, plan_folded
from hlsgen.schedule.layered import check_layered, plan_layered
from hlsgen.schedule.pipelined import check_pipelined, plan_pipelined

# Switching one of these off leaves nothing of the style but a kernel a layer through global memory.
FALLS_BACK = {"pipelined": {"channels"}, "folded": {"channels", "parameterised"}}


def schedule(graph: Graph, board: str = "pac_d5005", style: str = "auto", disable: Sequence[str] = ()) -> Plan:
    """Plan a network for a board.

    `style` is base, pipelined, folded, or auto (pipelined where the network fits the board, else folded);
    `disable` lists optimisations to switch off. Raises PlanError or BoardError.
    """
    disabled = tuple(dict.fromkeys(disable))
    check_names(style, disabled)
    target = find_board(board)
    if style == "auto":
        return schedule_auto(graph, board, disabled)
    effective = "layered" if FALLS_BACK.get(style, set()) & set(disabled) else style
    plan = Plan(graph.name, board, effective, disabled=disabled)
    if effective == "pipelined":
        return plan_pipelined(graph, target, plan)
    if effective == "folded":
        return plan_folded(graph, target, plan)
    return plan_layered(graph, target, plan)


def schedule_auto(graph: Graph, board: str, disabled: tuple[str, ...]) -> Plan:
    """Pipelined when it fits, else folded, with the reason."""
    try:
        plan = schedule(graph, board, "pipelined", disabled)
    except PlanError as error:
        plan = schedule(graph, board, "folded", disabled)
        return plan.with_reason(f"Folded, because the pipelined design {error.reason}. {plan.reason}")
    return plan.with_reason(f"Pipelined, because the whole network fits the board. {plan.reason}")


def check_plan(graph: Graph, plan: Plan) -> Plan:
    """A plan that was loaded or edited, checked against the network. Raises PlanError."""
    find_board(plan.board)
    known = {layer.name for layer in graph.layers}
    for kernel in plan.kernels:
        if kernel.layer not in known:
            raise PlanError(
                "the network has no such layer",
                where=f"plan, kernel {kernel.layer}",
                remedy="save a new plan with build",
            )
    if plan.style == "pipelined":
        check_pipelined(graph, plan)
    elif plan.style == "folded":
        check_folded(graph, plan)
    else:
        check_layered(graph, plan)
    return replace(plan, network=graph.name)
