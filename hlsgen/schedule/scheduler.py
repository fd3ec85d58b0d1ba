"""`schedule`: chooses the style and completes the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace

from hlsgen.boards import Board, board_key
from hlsgen.boards import board as find_board
from hlsgen.errors import Infeasible
from hlsgen.evidence import Alternative
from hlsgen.graph import Graph
from hlsgen.model.estimate import Estimate, estimate
from hlsgen.model.resources import Caps
from hlsgen.model.times import rate
from hlsgen.plan import Plan, check_names
from hlsgen.progress import stage
from hlsgen.rewrites.weight_storage import with_storage
from hlsgen.schedule.collection import rare_collections
from hlsgen.schedule.draft import Draft, Earlier
from hlsgen.schedule.goal import Goal, check_goal
from hlsgen.schedule.knobs import first_few, flag_of
from hlsgen.schedule.pins import candidates, check_pins, demands
from hlsgen.schedule.provenance import as_simulated, sealed
from hlsgen.schedule.styles import PLANNERS
from hlsgen.style import AUTO, STYLES, effective


@dataclass(frozen=True)
class Task:
    """What is to be planned, and what the searches for it have found."""

    graph: Graph
    target: Board
    board: str
    disabled: tuple[str, ...]
    goal: Goal
    earlier: Earlier = field(default_factory=Earlier)


@rare_collections()
def schedule(
    graph: Graph,
    board: str = "pac_d5005",
    style: str = AUTO,
    disable: Sequence[str] = (),
    goal: Goal | None = None,
) -> Plan:
    """Plan a network for a board.

    `style` is base, pipelined, folded, hybrid, or auto (whichever the model predicts to serve the
    goal best of those that have all that the goal pins); `disable` lists optimisations to switch
    off. Raises UsageError for decisions that cannot be, Infeasible where no style fits, BoardError.
    """
    disabled = tuple(dict.fromkeys(disable))
    check_names(style, disabled)
    goal = check_goal(goal or Goal())
    graph = with_storage(graph, goal.weights)
    task = Task(graph, find_board(board), board_key(board), disabled, goal)
    styles = candidates(style, disabled, task.goal)
    first = Plan(graph.name, task.board, next(iter(styles)), goal.weights, disabled)
    check_pins(graph, first, task.goal)
    try:
        if style == AUTO:
            return schedule_auto(task, styles)
        plan = draft(task, effective(style, disabled)).finish()
        reaches(
            plan.style,
            as_simulated(plan, estimate(graph, plan, task.goal.calibration, task.target)),
            task,
        )
    except Infeasible as error:
        raise with_pins(error, task.goal) from None
    return with_evidence(task, plan)


def with_evidence(task: Task, plan: Plan, alternatives: Sequence[Alternative] = ()) -> Plan:
    """The plan with what the search showed of it, under the user's pins."""
    caps = () if task.goal.caps == Caps() else astuple(task.goal.caps)
    evidence = replace(
        plan.evidence, pins=pin_texts(task.goal), alternatives=tuple(alternatives), caps=caps
    )
    return sealed(task.graph, replace(plan, evidence=evidence), task.goal.calibration)


def pin_texts(goal: Goal) -> tuple[str, ...]:
    """The pins as the user writes them."""
    return tuple(f"{flag_of(*key)}={value}" for key, value in goal.pins.items())


def with_pins(error: Infeasible, goal: Goal) -> Infeasible:
    """The error with the pins that it may be due to."""
    if not goal.pins:
        return error
    pins = first_few(list(pin_texts(goal)))
    remedy = (
        f"{error.remedy}, or leave out some of: {', '.join(pins)}"
        if error.remedy
        else f"leave out {pins[0]}"
    )
    return Infeasible(error.reason, where=error.where, remedy=remedy)


def draft(task: Task, style: str) -> Draft:
    """The plan of a network in one style but for the last simulations. Raises Infeasible."""
    goal = task.goal
    refuse_integers(task.graph, style)
    stage(f"{style} search")
    plan = Plan(
        task.graph.name,
        task.board,
        style,
        goal.weights,
        task.disabled,
        images=goal.images,
        copies=goal.copies or 1,
    )
    drafted = PLANNERS[style].draft(task.graph, task.target, plan, goal, task.earlier)
    task.earlier.plans[style] = drafted.plan
    return drafted


def refuse_integers(graph: Graph, style: str) -> None:
    """Raise Infeasible for a network with feature maps of integers in a style without kernels for
    them."""
    if graph.integers and not STYLES[style].integers:
        able = [name for name, other in STYLES.items() if other.integers and other.selectable]
        raise Infeasible(
            f"has no kernels for values of type {graph.integers[0].type.name}",
            where=f"value {graph.integers[0].name}",
            remedy=f"use --style {' or '.join(able)}" if able else "use a network of float32",
        )


def schedule_auto(task: Task, styles: dict[str, str]) -> Plan:
    """The style that the model predicts to serve the goal best, of those that have all the user's
    decisions. Raises Infeasible."""
    found: dict[str, tuple[Draft, Estimate]] = {}
    refused: dict[str, Infeasible] = {}
    for style in dict.fromkeys(
        effective(style, task.disabled) for style, lacks in styles.items() if not lacks
    ):
        if PLANNERS[style].follows in refused:
            continue
        try:
            drafted = draft(task, style)
            predicted = estimate(task.graph, drafted.plan, task.goal.calibration, task.target)
            reaches(style, predicted, task)
            found[style] = drafted, predicted
        except Infeasible as error:
            refused[style] = error
    others = [
        Alternative(style, refusal=f"has no {lacks}") for style, lacks in styles.items() if lacks
    ]
    others += [Alternative(style, refusal=error.reason) for style, error in refused.items()]
    if not found:
        return with_evidence(task, last_resort(task, refused), others)
    best = min(found, key=lambda style: preference(found[style][1], task.target, task.goal))
    stage("sizing FIFOs", found[best][1].throughput)
    plan = found[best][0].finish()
    found[best] = (
        found[best][0],
        as_simulated(plan, estimate(task.graph, plan, task.goal.calibration, task.target)),
    )
    others += [
        Alternative(style, predicted.throughput, predicted.latency)
        for style, (_, predicted) in found.items()
    ]
    return with_evidence(task, plan, others)


def last_resort(task: Task, refused: dict[str, Infeasible]) -> Plan:
    """The base design where nothing else can be: a kernel a layer without unrolling takes a window
    of thousands of taps. Raises Infeasible."""
    if not demands(task.goal):
        base = draft(task, "base").plan
        predicted = estimate(task.graph, base, task.goal.calibration, task.target)
        if (
            predicted.resources.fits(task.target, task.goal.caps)
            and predicted.throughput >= task.goal.fps
        ):
            return base
    *_, last = refused.values()
    why = "; ".join(f"the {style} design {error.reason}" for style, error in refused.items())
    raise Infeasible(why, where=f"no style can be built on {task.target.name}", remedy=last.remedy)


def reaches(style: str, predicted: Estimate, task: Task) -> None:
    """Raise Infeasible where the images a second that were asked for are not reached."""
    if predicted.throughput < task.goal.fps:
        raise Infeasible(
            f"reaches {rate(predicted.throughput)} of {rate(task.goal.fps)} images a second",
            where=f"{style} design on {task.target.name}",
            remedy="ask for a lower --fps, or choose a larger board",
        )


def preference(predicted: Estimate, board: Board, goal: Goal) -> tuple[float, ...]:
    """What the goal wants least of."""
    shares = sum(predicted.resources.shares(board).values())
    if goal.objective == "resources":
        return (shares,)
    return (predicted.latency,) if goal.objective == "latency" else (1 / predicted.throughput,)
