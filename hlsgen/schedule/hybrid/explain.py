"""What the parts of a hybrid design are."""

from __future__ import annotations

from hlsgen.graph import Graph
from hlsgen.model.estimate import Estimate
from hlsgen.plan import Plan
from hlsgen.rewrites.prefix import has_prefix
from hlsgen.schedule.folded.explain import engines_text


def hybrid_text(graph: Graph, plan: Plan, predicted: Estimate) -> str:
    """The pipelined prefix, where there is one, and the engines."""
    engines = engines_text(graph, plan, predicted)
    return f"{prefix_text(plan)} {engines}" if has_prefix(plan) else engines


def prefix_text(plan: Plan) -> str:
    """The pipeline of first layers of a hybrid design."""
    names = [kernel.layer for kernel in plan.kernels]
    first = (
        f"The first {len(names)} layers (to {names[-1]}) are"
        if len(names) > 1
        else f"The first layer ({names[0]}) is"
    )
    return f"{first} a pipeline that prepares the next launch while engines compute the others."
