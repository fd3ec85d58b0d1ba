"""What a design is that runs a kernel a layer through global memory."""

from __future__ import annotations

from hlsgen.graph import Graph
from hlsgen.model.estimate import Estimate
from hlsgen.plan import Plan


def layered_text(graph: Graph, plan: Plan, predicted: Estimate) -> str:
    """The kernels of a layered design."""
    return "A kernel a layer through global memory."


def layered_limit(plan: Plan, predicted: Estimate) -> str:
    """What keeps it from being faster."""
    return f"the slowest kernel is {predicted.timing.bottleneck}"
