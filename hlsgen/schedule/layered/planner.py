"""Plans layered designs: a kernel a layer through global memory. The base style is the one with
everything off."""

from __future__ import annotations

from dataclasses import replace

from hlsgen.boards import Board
from hlsgen.graph import Graph, Layer
from hlsgen.model.estimate import estimate
from hlsgen.plan import KernelPlan, Plan
from hlsgen.schedule.draft import Draft, Earlier
from hlsgen.schedule.goal import Goal

# Unroll factors of the channel loops; they must divide the channels, since feature maps are not
# padded here.
FACTORS = (16, 8, 4, 2, 1)


def draft_layered(graph: Graph, board: Board, plan: Plan, goal: Goal, earlier: Earlier) -> Draft:
    """Complete `plan` with equal unroll factors for all layers, the largest that fit the board and
    its caps."""
    unroll, tile = plan.enabled("unroll"), plan.enabled("unroll") and plan.enabled("tile")
    for limit in FACTORS if tile else (1,):
        kernels = tuple(plan_kernel(layer, graph, limit, unroll) for layer in graph.layers)
        best = replace(plan, kernels=kernels)
        predicted = estimate(graph, best, goal.calibration, board)
        if limit == 1 or predicted.resources.fits(board, goal.caps):
            break
    return Draft(best, lambda: best)


def plan_kernel(layer: Layer, graph: Graph, limit: int, unroll: bool) -> KernelPlan:
    """Largest factors up to `limit` that divide the channels, for the operators that have channel
    loops."""
    if "weight" not in layer.weights:
        return KernelPlan(layer.name, unroll_window=unroll)
    inputs = layer.weights["weight"].shape[1]
    outputs = layer.weights["weight"].shape[0] // getattr(layer.attributes, "groups", 1)
    return KernelPlan(
        layer.name,
        next(f for f in FACTORS if f <= limit and inputs % f == 0),
        next(f for f in FACTORS if f <= limit and outputs % f == 0),
        unroll,
    )
