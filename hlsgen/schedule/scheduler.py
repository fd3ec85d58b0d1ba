"""`schedule`: chooses the style and completes the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hlsgen.boards import Board, board_key
from hlsgen.boards import board as find_board
from hlsgen.errors import PlanError
from hlsgen.front import check_between, halves, has_front
from hlsgen.graph import Graph
from hlsgen.plan import Plan, check_names
from hlsgen.schedule.check_folded import check_folded
from hlsgen.schedule.depths import Draft
from hlsgen.schedule.estimate import Estimate, estimate
from hlsgen.schedule.folded import plan_folded
from hlsgen.schedule.goal import Goal, check_goal
from hlsgen.schedule.hybrid import draft_hybrid
from hlsgen.schedule.layered import check_layered, plan_layered
from hlsgen.schedule.pipelined import check_pipelined, draft_pipelined
from hlsgen.schedule.problem import Known
from hlsgen.schedule.times import rate

# Switching one of these off leaves nothing of the style but a kernel a layer through global memory.
FALLS_BACK = {
    "pipelined": {"channels"},
    "folded": {"channels", "parameterised"},
    "hybrid": {"channels", "parameterised"},
}


def schedule(
    graph: Graph, board: str = "pac_d5005", style: str = "auto", disable: Sequence[str] = (), goal: Goal | None = None
) -> Plan:
    """Plan a network for a board.

    `style` is base, pipelined, folded, or auto (whichever the model predicts to serve the goal best); `disable` lists
    optimisations to switch off. Raises PlanError or BoardError.
    """
    disabled = tuple(dict.fromkeys(disable))
    check_names(style, disabled)
    goal = check_goal(goal or Goal())
    target, board = find_board(board), board_key(board)
    if goal.copies > 1 and style not in ("auto", "pipelined"):
        raise PlanError(f"a {style} design has no copies", where="--copies", remedy="use --style pipelined")
    if style == "auto":
        return schedule_auto(graph, target, board, disabled, goal)
    return draft(graph, target, board, style, disabled, goal, {}).finish()


def draft(
    graph: Graph, target: Board, board: str, style: str, disabled: tuple[str, ...], goal: Goal, known: Known
) -> Draft:
    """The plan of a network in one style but for the last simulations; `known` remembers the options of pipelined layers. Raises PlanError."""
    effective = "layered" if FALLS_BACK.get(style, set()) & set(disabled) else style
    images = goal.images if effective in ("folded", "hybrid") else 1
    copies = goal.copies if effective == "pipelined" else 1
    plan = Plan(graph.name, board, effective, disabled=disabled, images=images, copies=copies)
    if effective == "pipelined":
        return draft_pipelined(graph, target, plan, goal, known)
    if effective == "hybrid":
        return draft_hybrid(graph, target, plan, goal)
    found = (plan_folded if effective == "folded" else plan_layered)(graph, target, plan, goal)
    return Draft(found, lambda: found)


def schedule_auto(graph: Graph, target: Board, board: str, disabled: tuple[str, ...], goal: Goal) -> Plan:
    """The style that the model predicts to serve the goal best, with the reason."""
    found: dict[str, Draft] = {}
    refused: dict[str, PlanError] = {}
    known: Known = {}
    for style in ("pipelined", "folded"):
        try:
            found[style] = draft(graph, target, board, style, disabled, goal, known)
        except PlanError as error:
            refused[style] = error
    if "folded" in found and found["folded"].plan.style == "folded":
        empty = Plan(graph.name, board, "hybrid", disabled=disabled, images=goal.images)
        try:
            found["hybrid"] = draft_hybrid(graph, target, empty, goal, found["folded"].plan, known)
        except PlanError as error:
            refused["hybrid"] = error
    if not found:
        # A window of thousands of taps fits neither style; one kernel a layer without unrolling takes anything.
        base = schedule(graph, board, "base", disabled, goal)
        if not estimate(graph, base, goal.calibration, target).resources.fits(target, goal.caps):
            raise refused["folded"]
        why = "; ".join(f"the {style} design {error.reason}" for style, error in refused.items())
        return base.with_reason(f"Base, because {why}. {base.reason}")
    predicted = {style: estimate(graph, drafted.plan, goal.calibration, target) for style, drafted in found.items()}
    best = min(predicted, key=lambda style: preference(predicted[style], target, goal))
    clauses = [f"the {style} design {error.reason}" for style, error in refused.items()]
    if len(found) > 1:
        figures = [
            f"{rate(p.throughput)} images a second and {p.latency * 1e3:.3g} ms {style}"
            for style, p in predicted.items()
        ]
        clauses.append(f"the model predicts {', '.join(figures)}")
    plan = found[best].finish()
    return plan.with_reason(f"{best.capitalize()}, because {'; '.join(clauses)}. {plan.reason}")


def preference(predicted: Estimate, board: Board, goal: Goal) -> tuple[float, ...]:
    """What the goal wants least of."""
    shares = sum(predicted.resources.shares(board).values())
    if goal.objective == "resources":
        return max(goal.fps / predicted.throughput, 1.0), shares
    return (predicted.latency,) if goal.objective == "latency" else (1 / predicted.throughput,)


def check_plan(graph: Graph, plan: Plan) -> Plan:
    """A plan that was loaded or edited, checked against the network. Raises PlanError."""
    board = board_key(plan.board)
    known = {layer.name for layer in graph.layers}
    for kernel in plan.kernels:
        if kernel.layer not in known:
            raise PlanError(
                "the network has no such layer",
                where=f"plan, kernel {kernel.layer}",
                remedy="save a new plan with build",
            )
    if plan.copies > 1 and plan.style != "pipelined":
        raise PlanError(f"a {plan.style} design has no copies", where="plan, copies", remedy="set copies to 1")
    if has_front(plan):
        (front, ahead), (rest, after) = halves(graph, plan)
        check_pipelined(front, ahead)
        check_folded(rest, after)
        check_between(rest, plan)
    elif plan.style == "pipelined":
        check_pipelined(graph, plan)
    elif plan.style in ("folded", "hybrid"):
        check_folded(graph, plan)
    else:
        check_layered(graph, plan)
    return replace(plan, network=graph.name, board=board)
