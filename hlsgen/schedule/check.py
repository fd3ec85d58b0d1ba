"""Checks of plans that were loaded or edited: whatever a plan says must be what its style can do
with the network, or it is refused."""

from __future__ import annotations

from dataclasses import replace

from hlsgen.boards import board_key
from hlsgen.errors import PlanError
from hlsgen.graph import Graph
from hlsgen.plan import Plan, check_fields
from hlsgen.rewrites.prefix import check_between, halves, has_prefix
from hlsgen.schedule.folded.check import check_folded
from hlsgen.schedule.goal import MOST_COPIES, MOST_IMAGES
from hlsgen.schedule.knobs import FOLDED
from hlsgen.schedule.layered.planner import check_layered
from hlsgen.schedule.pipelined.planner import check_pipelined

# What the plan of a style does not have.
FOREIGN = {
    "pipelined": ("engines", "steps", "im2col", "dense_as_convolution"),
    "folded": ("kernels", "edges"),
    "hybrid": (),
    "layered": ("edges", "engines", "steps", "im2col", "dense_as_convolution"),
    "base": ("edges", "engines", "steps", "im2col", "dense_as_convolution"),
}


def check_plan(graph: Graph, plan: Plan) -> Plan:
    """A plan that was loaded or edited, checked against the network. Raises PlanError,
    BoardError."""
    board = board_key(plan.board)
    check_fields(plan, "plan")
    for name in FOREIGN[plan.style]:
        if getattr(plan, name):
            raise PlanError(
                f"a {plan.style} design has no {name}",
                where=f"plan, {name}",
                remedy="leave them empty",
            )
    if plan.style == "hybrid" and plan.edges and not plan.kernels:
        raise PlanError(
            "a hybrid design without kernels has no edges",
            where="plan, edges",
            remedy="leave them empty",
        )
    check_launch(plan)
    check_kernels(graph, plan)
    if has_prefix(plan):
        (prefix, ahead), (rest, after) = halves(graph, plan)
        check_pipelined(prefix, ahead)
        check_folded(rest, after)
        check_between(rest, plan)
    elif plan.style == "pipelined":
        check_pipelined(graph, plan)
    elif plan.style in FOLDED:
        check_folded(graph, plan)
    else:
        check_layered(graph, plan)
    return replace(plan, network=graph.name, board=board)


def check_launch(plan: Plan) -> None:
    """Raise PlanError for images a launch, or copies, that the style does not have."""
    for name, styles, most in (
        ("images", FOLDED, MOST_IMAGES),
        ("copies", ("pipelined",), MOST_COPIES),
    ):
        count = getattr(plan, name)
        if count > 1 and plan.style not in styles:
            raise PlanError(
                f"a {plan.style} design has no {name}",
                where=f"plan, {name}",
                remedy=f"set {name} to 1",
            )
        if count > most:
            raise PlanError(f"{name} is {count}; at most {most} can be", where="plan")


def check_kernels(graph: Graph, plan: Plan) -> None:
    """Raise PlanError for kernels of layers that the network does not have, and for two of one
    layer."""
    known, seen = {layer.name for layer in graph.layers}, set()
    for kernel in plan.kernels:
        if kernel.layer not in known or kernel.layer in seen:
            why = (
                "has a kernel already" if kernel.layer in seen else "the network has no such layer"
            )
            raise PlanError(
                why, where=f"plan, kernel {kernel.layer}", remedy="save a new plan with build"
            )
        seen.add(kernel.layer)
