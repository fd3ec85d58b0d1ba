"""FIFO depths: the analytical minimum that cannot deadlock, deep enough not to slow the pipeline, as the simulator says.

Kernels work in bursts: a window kernel idles in some rows, a fully connected one takes many turns a vector. A FIFO that is too shallow hands
one kernel's pause on to its neighbours. So all depths are doubled until the simulated design keeps the pace of one with unlimited FIFOs, or no longer
fits the board; what a FIFO never held is taken back at once, and then one FIFO after another where that does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.ops.base import vectors
from hlsgen.plan import Plan
from hlsgen.schedule.fifo import MARGIN
from hlsgen.schedule.simulate import Simulation, simulate

# Vectors that all simulations of a build may move together: some ten seconds.
WORK = 8_000_000
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


def fit_depths(graph: Graph, plan: Plan, board: Board, fits: Callable[[Plan], bool]) -> tuple[Plan, str]:
    """The plan with FIFOs that keep the pace, or come nearest to it among those that `fits` lets through, and what the simulator says of it.
    Networks too large to simulate in a build keep the analytical depths."""
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
    depths, best, runs = dict(least), dict(least), runs - 2
    while runs > 0:
        found, runs = run(depths), runs - 1
        held = {i: max(least[i], min(depth, found.occupancy[i] + 1)) for i, depth in depths.items()}
        if not fits(with_depths(plan, held)):
            break
        best = held
        wider = {i: max(least[i], min(2 * depth, IMAGES * carried[i] + MARGIN)) for i, depth in depths.items()}
        if not slow(found, free) or wider == depths:
            break
        depths = wider
    pace = run(best)
    for i in sorted((i for i in best if best[i] > least[i]), key=lambda i: -plan.edges[i].width * best[i])[:runs]:
        trial = {**best, i: least[i]}
        if not slower(found := run(trial), pace):
            best, pace = trial, found
    text = f"The simulator of the channel graph sees an image leave every {pace.interval:,.0f} cycles"
    return with_depths(plan, best), f"{text}, {free.interval:,.0f} with unlimited FIFOs."


def with_depths(plan: Plan, depths: Depths) -> Plan:
    """The plan with other FIFO depths, by position in `plan.edges`."""
    return replace(plan, edges=tuple(replace(edge, depth=depths[i]) for i, edge in enumerate(plan.edges)))


def slow(found: Simulation, free: Simulation) -> bool:
    """Whether a design deadlocks or runs slower than one with unlimited FIFOs."""
    return found.deadlocked or found.interval > SLACK * free.interval


def slower(found: Simulation, other: Simulation) -> bool:
    """Whether a design deadlocks or runs slower than another at all."""
    return found.deadlocked or found.interval > other.interval
