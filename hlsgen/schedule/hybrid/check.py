"""Checks of hybrid plans, perhaps edited: both parts, and what leads from one to the other."""

from __future__ import annotations

from hlsgen.errors import PlanError
from hlsgen.graph import Graph
from hlsgen.plan import Plan
from hlsgen.rewrites.prefix import check_between, halves, has_prefix
from hlsgen.schedule.folded.check import check_folded
from hlsgen.schedule.pipelined.check import check_pipelined


def check_hybrid(graph: Graph, plan: Plan) -> None:
    """Raise PlanError when a (perhaps edited) plan does not fit the network."""
    if plan.edges and not plan.kernels:
        raise PlanError(
            "a hybrid design without kernels has no edges",
            where="plan, edges",
            remedy="leave them empty",
        )
    if not has_prefix(plan):
        check_folded(graph, plan)
        return
    (prefix, ahead), (rest, after) = halves(graph, plan)
    check_pipelined(prefix, ahead)
    check_folded(rest, after)
    check_between(rest, plan)
