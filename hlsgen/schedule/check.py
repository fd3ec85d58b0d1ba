"""Checks of plans that were loaded or edited: whatever a plan says must be what its style can do
with the network, or it is refused."""

from __future__ import annotations

from dataclasses import fields, replace

from hlsgen.boards import board_key
from hlsgen.errors import PlanError
from hlsgen.graph import Graph
from hlsgen.plan import Plan, check_fields
from hlsgen.rewrites.weight_storage import with_storage
from hlsgen.schedule.goal import MOST_COPIES, MOST_IMAGES
from hlsgen.schedule.styles import PLANNERS
from hlsgen.style import PARTS, STYLES

# What a plan says of parts that its style does not have.
DEFAULTS = {f.name: f.default for f in fields(Plan)}


def check_plan(graph: Graph, plan: Plan) -> Plan:
    """A plan that was loaded or edited, checked against the network. Raises PlanError,
    BoardError."""
    board = board_key(plan.board)
    check_fields(plan, "plan")
    graph = with_storage(graph, plan.weights)
    check_parts(plan)
    check_kernels(graph, plan)
    PLANNERS[plan.style].check(graph, plan)
    return replace(plan, network=graph.name, board=board)


def check_parts(plan: Plan) -> None:
    """Raise PlanError for decisions that the style does not have, and for more images a launch, or
    copies, than can be."""
    for name in PARTS:
        value, default = getattr(plan, name), DEFAULTS[name]
        if name not in STYLES[plan.style].parts and value != default:
            raise PlanError(
                f"a {plan.style} design has no {name}",
                where=f"plan, {name}",
                remedy=f"set {name} to {default}" if default else "leave them empty",
            )
    for name, most in (("images", MOST_IMAGES), ("copies", MOST_COPIES)):
        count = getattr(plan, name)
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
