"""Plans layered designs: a kernel a layer through global memory. The base style is the one with
everything off."""

from __future__ import annotations

from dataclasses import replace

from hlsgen.boards import Board
from hlsgen.errors import PlanError
from hlsgen.graph import Graph, Layer
from hlsgen.model.estimate import estimate
from hlsgen.plan import KernelPlan, Plan
from hlsgen.schedule.goal import Goal

# Unroll factors of the channel loops; they must divide the channels, since feature maps are not
# padded here.
FACTORS = (16, 8, 4, 2, 1)


def plan_layered(graph: Graph, board: Board, plan: Plan, goal: Goal) -> Plan:
    """Complete `plan` with equal unroll factors for all layers, the largest that fit the board and
    its caps."""
    unroll, tile = plan.enabled("unroll"), plan.enabled("unroll") and plan.enabled("tile")
    for limit in FACTORS if tile else (1,):
        kernels = tuple(plan_kernel(layer, graph, limit, unroll) for layer in graph.layers)
        best = replace(plan, kernels=kernels)
        predicted = estimate(graph, best, goal.calibration, board)
        if limit == 1 or predicted.resources.fits(board, goal.caps):
            break
    return best


def plan_kernel(layer: Layer, graph: Graph, limit: int, unroll: bool) -> KernelPlan:
    """Largest factors up to `limit` that divide the channels, for the operators that have channel
    loops."""
    if layer.op not in ("conv", "dense"):
        return KernelPlan(layer.name, unroll_window=unroll)
    inputs = layer.weights["weight"].shape[1]
    outputs = layer.weights["weight"].shape[0] // getattr(layer.attributes, "groups", 1)
    return KernelPlan(
        layer.name,
        next(f for f in FACTORS if f <= limit and inputs % f == 0),
        next(f for f in FACTORS if f <= limit and outputs % f == 0),
        unroll,
    )


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
