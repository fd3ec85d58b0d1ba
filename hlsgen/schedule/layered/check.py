"""Checks of layered plans, perhaps edited."""

from __future__ import annotations

from dataclasses import replace

from hlsgen.errors import PlanError
from hlsgen.graph import Graph
from hlsgen.plan import Plan
from hlsgen.schedule.layered.planner import plan_kernel


def check_layered(graph: Graph, plan: Plan) -> None:
    """Raise PlanError for kernels that this style cannot have: factors that do not divide their
    channels, what belongs to pipelined kernels."""
    for layer in graph.layers:
        kernel = plan.kernel(layer.name)
        where = f"plan, kernel {layer.name}"
        inputs, outputs = (
            plan_kernel(layer, graph, width, kernel.unroll_window)
            for width in (kernel.input_width, kernel.output_width)
        )
        if (inputs.input_width, outputs.output_width) != (kernel.input_width, kernel.output_width):
            raise PlanError("its unroll factors do not divide the channels", where=where)
        if kernel != replace(inputs, output_width=outputs.output_width):
            raise PlanError(
                "its other fields belong to pipelined kernels", where=where, remedy="leave them out"
            )
