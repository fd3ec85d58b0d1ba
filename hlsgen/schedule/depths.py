"""FIFO depths: the analytical minimum that cannot deadlock, deep enough not to slow the pipeline, as the simulator says.

Kernels work in bursts: a window kernel idles in some rows, a fully connected one takes many turns a vector. A FIFO that is too shallow hands
one kernel's pause on to its neighbours. So all depths are doubled until the simulated design keeps the pace of one with unlimited FIFOs, and
then taken back one by one where that does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.ops.base import vectors
from hlsgen.plan import Plan
from hlsgen.schedule.fifo import MARGIN
from hlsgen.schedule.simulate import Simulation, simulate

# Vectors that all simulations of a build may move together: some seconds.
WORK = 3_000_000
MOST_RUNS = 60
# How much slower than with unlimited FIFOs the pipeline may run.
SLACK = 1.01
UNLIMITED = 1 << 40
# No FIFO is made deeper than so many images of its tensor: a branch may lag more than one behind another.
IMAGES = 4

Depths = Mapping[int, int]


def edge_tokens(graph: Graph, plan: Plan) -> list[int]:
    """Vectors that each channel carries for an image."""
    return [graph.tensors[e.tensor].pixels * vectors(graph.tensors[e.tensor].channels, e.width) for e in plan.edges]


def fit_depths(graph: Graph, plan: Plan, board: Board) -> tuple[Plan, str]:
    """The plan with FIFOs that keep the pace, and what the simulator says of it. Networks too large to simulate in a build keep
    the analytical depths."""
    carried = edge_tokens(graph, plan)
    runs = min(MOST_RUNS, WORK // max(sum(carried), 1))
    if runs < 3:
        return (
            plan,
            "The network is too large to simulate its FIFOs in a build: they have the least depths that cannot deadlock.",
        )

    def run(depths: Depths) -> Simulation:
        return simulate(graph, plan, 2, board, depths)

    free = run(dict.fromkeys(range(len(carried)), UNLIMITED))
    least = {i: edge.depth for i, edge in enumerate(plan.edges)}
    depths, runs = dict(least), runs - 2
    while runs > 0 and slow(run(depths), free):
        wider = {i: max(least[i], min(2 * depth, IMAGES * carried[i] + MARGIN)) for i, depth in depths.items()}
        runs -= 1
        if wider == depths:
            break
        depths = wider
    bits = {i: edge.width * depths[i] for i, edge in enumerate(plan.edges)}
    raised: Iterable[int] = sorted((i for i in depths if depths[i] > least[i]), key=lambda i: -bits[i])
    for i in raised:
        if runs <= 0:
            break
        trial, runs = {**depths, i: least[i]}, runs - 1
        if not slow(run(trial), free):
            depths = trial
    pace = run(depths).interval
    text = f"The simulator of the channel graph sees an image leave every {pace:,.0f} cycles"
    done = replace(plan, edges=tuple(replace(edge, depth=depths[i]) for i, edge in enumerate(plan.edges)))
    return done, f"{text}, {free.interval:,.0f} with unlimited FIFOs."


def slow(found: Simulation, free: Simulation) -> bool:
    """Whether a design deadlocks or runs slower than one with unlimited FIFOs."""
    return found.deadlocked or found.interval > SLACK * free.interval
