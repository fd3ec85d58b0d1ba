"""Plans hybrid designs: depthwise layers that stream into the convolutions after them, and a front of first layers as a pipeline of its own.

A network's first layers suit shared engines least: few channels, many pixels, pooling. As a pipeline they need few multipliers, since they have as
long as the engines take for all other layers; they work on the images of the next launch meanwhile.
"""

from __future__ import annotations

from dataclasses import replace

from hlsgen.boards import Board
from hlsgen.errors import PlanError
from hlsgen.front import check_between, cut, fronts, halves, is_front
from hlsgen.graph import Graph
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.schedule.convolve import convolve
from hlsgen.schedule.depths import deepen, trimmed
from hlsgen.schedule.estimate import estimate
from hlsgen.schedule.folded import Candidate, compress, evaluate, plan_folded, score
from hlsgen.schedule.folded_reason import reason
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined import search
from hlsgen.schedule.shapes import network_sizes, with_width
from hlsgen.schedule.steps import feeding_layers

# Which fronts are tried, counted from the shortest on: ever fewer of the long ones.
TRIED = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64)
# Shares of the engines' pace that are tried, until the front fits beside them.
PACES = (1.0, 0.95, 0.9, 0.85, 0.8)
# Share of the DSPs that smaller engines leave for a front.
ROOM = 0.1
# Sizes of engines that follow from the layers.
NETWORK_SIZES = (
    "depthwise_extent", "pool_extent", "depthwise_line", "pool_line", "dense_vectors", "pixel_vectors", "normalisation_size",
)  # fmt: skip


def plan_hybrid(graph: Graph, board: Board, plan: Plan, goal: Goal, folded: Plan | None = None) -> Plan:
    """The folded design with whatever of both makes it better. Raises PlanError where neither does, and where no pipeline of as many first layers as
    a pin asks for can be.

    `folded` is the folded plan of the same network and goal, where it is known already. Where its engines leave no room for a front, smaller ones
    are tried.
    """
    paired, wanted = bool(feeding_layers(graph)), goal.pins.get(("front", "layers"))
    plain = folded if folded is not None and not paired else plan_folded(graph, board, plan, goal)
    start = Candidate(plain, estimate(graph, plain, goal.calibration, board))
    best = None
    if not plan.disabled and goal.objective != "resources" and wanted != 0:
        best = with_front(graph, board, plain, goal, start) or with_front(
            graph, board, smaller_engines(graph, board, plan, goal), goal, start
        )
    if best is not None:
        return explained(graph, board, *settled(graph, board, best, goal), goal)
    if wanted:
        raise PlanError(
            f"its first {wanted} layers cannot be a pipeline beside engines for the others",
            where="--set front.layers",
            remedy="choose another number, or leave it to the search",
        )
    if not paired:
        raise PlanError(
            "has no depthwise layer that alone feeds a 1x1 convolution, and its first layers as a pipeline do not make it better",
            where="hybrid design",
            remedy="use --style folded",
        )
    return plain


def smaller_engines(graph: Graph, board: Board, plan: Plan, goal: Goal) -> Plan | None:
    """The folded design that leaves some of the DSPs for a front; None where there is none."""
    caps = replace(goal.caps, dsps=goal.caps.dsps - ROOM)
    try:
        return plan_folded(graph, board, plan, replace(goal, caps=caps))
    except PlanError:
        return None


def with_front(graph: Graph, board: Board, plan: Plan | None, goal: Goal, start: Candidate) -> Candidate | None:
    """The design with the best front beside the engines of `plan`; None where none is better than `start`."""
    wanted = goal.pins.get(("front", "layers"))
    best = start if wanted is None else None
    for count in tried(graph) if wanted is None else (wanted,):
        try:
            found = beside(graph, board, plan, goal, count) if plan is not None else None
        except PlanError:  # a front cannot end there; a longer one may
            continue
        if found is None:
            break  # a longer front is larger still
        if best is None or score(found, board, goal) < score(best, board, goal):
            best = found
    return best if best is not start else None


def tried(graph: Graph) -> list[int]:
    """Numbers of layers of the fronts that are tried."""
    return [count for number, count in enumerate(fronts(graph), start=1) if number in TRIED]


def beside(graph: Graph, board: Board, plan: Plan, goal: Goal, count: int) -> Candidate | None:
    """The design whose first `count` layers are a pipeline beside the engines of `plan`: the smallest one that keeps their pace, or comes as near to
    it as the board has room for. None where it does not fit, or has a layer that no pipeline takes. Raises PlanError where no front can end there.
    """
    if not is_front(graph, count):
        return None
    front, rest = cut(graph, count)
    if any(operator(layer.op).refusal(layer, front, "pipelined") for layer in front.layers):
        return None
    empty = Plan(plan.network, plan.board, "pipelined", plan.dtype)
    names = {layer.name for layer in front.layers}
    pins = {(owner, field): value for (owner, field), value in goal.pins.items() if owner in names}
    after = engines_for(rest, board, plan, goal)
    for pace in PACES:
        # Both parts have the same clock, so that the pace is one of cycles; `search` reckons with the lowest clock.
        fps = pace * board.device.fmax_low * 1e6 / after.predicted.timing.cycles
        try:
            ahead, _ = search(front, board, empty, replace(goal, objective="resources", fps=fps, pins=pins, images=1))
        except PlanError:  # not even the smallest fits
            return None
        both = together(after.plan, ahead)
        check_between(rest, both)
        predicted = estimate(graph, both, goal.calibration, board)
        if predicted.resources.fits(board, goal.caps):
            return Candidate(both, predicted)
    return None


def engines_for(rest: Graph, board: Board, plan: Plan, goal: Goal) -> Candidate:
    """The engines of a plan computing the rest alone, those sizes of theirs that depend on the layers fitted to it. Raises PlanError."""
    e = plan.engines
    assert e is not None
    names = {layer.name for layer in rest.layers}
    convolved = tuple(name for name in plan.convolved if name in names)
    needed = with_width(network_sizes(convolve(rest, convolved)), rest, e.width)
    sizes = {name: getattr(needed, name) for name in NETWORK_SIZES}
    own = replace(
        plan, style="hybrid", engines=replace(e, **sizes), steps=(), unfolded=(), convolved=convolved, reason=""
    )
    return compress(evaluate(rest, own, board, goal), rest, board, goal)


def together(rest: Plan, front: Plan) -> Plan:
    """One plan of both parts."""
    return replace(rest, kernels=front.kernels, edges=front.edges)


def settled(graph: Graph, board: Board, found: Candidate, goal: Goal) -> tuple[Plan, str]:
    """The plan with FIFOs in its front that keep the pace, and what the simulator says of them."""
    (front, ahead), _ = halves(graph, found.plan)

    def fits(candidate: Plan) -> bool:
        predicted = estimate(graph, together(found.plan, candidate), goal.calibration, board)
        return predicted.resources.fits(board, goal.caps)

    deep, pace = trimmed(front, deepen(front, ahead, board, fits), board)
    return together(found.plan, deep), pace


def explained(graph: Graph, board: Board, plan: Plan, pace: str, goal: Goal) -> Plan:
    """The plan with one paragraph on it."""
    predicted = estimate(graph, plan, goal.calibration, board)
    names = [kernel.layer for kernel in plan.kernels]
    layers = (
        f"The first {len(names)} layers (to {names[-1]}) are" if len(names) > 1 else f"The first layer ({names[0]}) is"
    )
    text = reason(plan, predicted, graph, board, goal)
    return plan.with_reason(
        f"{layers} a pipeline that prepares the next launch while engines compute the others. {text} {pace}"
    )
