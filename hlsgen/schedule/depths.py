"""FIFO depths: the analytical minimum that cannot deadlock, made deep enough not to slow the pipeline, as the simulator says."""

from __future__ import annotations

from dataclasses import replace

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.ops.base import vectors
from hlsgen.plan import Plan
from hlsgen.schedule.simulate import Simulation, simulate

# Designs with more tokens than this an image keep the analytical depths: simulating them takes too long inside a build.
MOST_TOKENS = 1_000_000
# How much slower than with unlimited FIFOs the pipeline may run.
SLACK = 1.01
ROUNDS = 6


def tokens(graph: Graph, plan: Plan) -> int:
    """Vectors that flow through all channels for an image."""
    return sum(graph.tensors[e.tensor].pixels * vectors(graph.tensors[e.tensor].channels, e.width) for e in plan.edges)


def fit_depths(graph: Graph, plan: Plan, board: Board) -> Plan:
    """The plan with FIFOs where branches join as deep as the rate needs, and no deeper than they were ever filled."""
    if tokens(graph, plan) > MOST_TOKENS:
        return plan
    joins = [i for i, edge in enumerate(plan.edges) if edge.consumer and len(graph.layer(edge.consumer).inputs) > 1]
    if not joins:
        return plan
    free = simulate(graph, plan, 2, board, {i: 1 << 40 for i in range(len(plan.edges))})
    depths = {i: plan.edges[i].depth for i in joins}
    found = simulate(graph, plan, 2, board, depths)
    for _ in range(ROUNDS):
        if not slow(found, free):
            break
        depths = {i: depth + max(depth // 4, 16) for i, depth in depths.items()}
        found = simulate(graph, plan, 2, board, depths)
    trimmed = {i: min(depths[i], max(found.occupancy[i], 1)) for i in joins}
    if not slow(simulate(graph, plan, 2, board, trimmed), free):
        depths = trimmed
    edges = tuple(replace(edge, depth=depths.get(i, edge.depth)) for i, edge in enumerate(plan.edges))
    return replace(plan, edges=edges)


def slow(found: Simulation, free: Simulation) -> bool:
    """Whether a design deadlocks or runs slower than one with unlimited FIFOs."""
    return found.deadlocked or found.interval > SLACK * free.interval
