"""FIFO depths: the analytical minimum that cannot deadlock, deep enough not to slow the pipeline,
as the simulator says.

Kernels work unevenly: a window kernel idles in some rows, a fully connected one takes many turns a
vector. A FIFO that is too shallow hands one kernel's pause on to its neighbours. How deep is deep
enough, `even_flow` tells. Where so much does not fit the board, all depths are cut by the same
share. Last, one FIFO after another goes back to the least depth where that does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.model.even_flow import even_flow
from hlsgen.model.shrink import shrink
from hlsgen.model.simulate import Run, Simulation, simulate
from hlsgen.ops.arrays import vectors
from hlsgen.plan import Plan
from hlsgen.schedule.pipelined.fifo import MARGIN

# Vectors that the simulations of a build may move together, some two seconds, and images that each
# moves.
WORK = 16_000_000
LEAST_IMAGES, MOST_IMAGES, MOST_RUNS = 2, 6, 60
# Where there is time for fewer runs, they are not worth it.
LEAST_RUNS = 3
# Images until the FIFOs of an even flow hold what they ever hold.
SETTLED = 8
# Where the needed depths do not fit, so many equal parts of them are tried.
PARTS = 32
# No FIFO is made deeper than so many images of its tensor: a branch may lag more than one behind
# another.
IMAGES = 4

Depths = dict[int, int]


def edge_tokens(graph: Graph, plan: Plan) -> list[int]:
    """Vectors an image that each channel carries."""
    return [
        graph.tensors[e.tensor].pixels * vectors(graph.tensors[e.tensor].channels, e.width)
        for e in plan.edges
    ]


@dataclass(frozen=True)
class Deepened:
    """A plan with FIFO depths. `interval`: cycles between images where FIFOs are unlimited (0: the
    network is too large to simulate); `complete`: the FIFOs are as deep as they need be; `least`:
    the depths that cannot deadlock; `needed`: those that sustain the rate besides."""

    plan: Plan
    interval: int
    complete: bool
    least: Depths
    needed: Depths


def deepen(graph: Graph, plan: Plan, board: Board, fits: Callable[[Plan], bool]) -> Deepened:
    """The plan with FIFOs that sustain the rate, or come as near to it as `fits` lets them.
    Networks too large to simulate in a build keep the analytical depths."""
    carried = edge_tokens(graph, plan)
    least = {i: edge.depth for i, edge in enumerate(plan.edges)}
    images = min(SETTLED, WORK // max(sum(carried), 1))
    if images < LEAST_IMAGES + 1:
        return Deepened(plan, 0, True, least, least)
    flow = even_flow(graph, plan, images, board)
    needed = {
        i: max(depth, min(flow.occupancy[i] + 1, IMAGES * carried[i] + MARGIN))
        for i, depth in least.items()
    }
    for part in range(PARTS, -1, -1):
        depths = {i: max(depth, ceil(needed[i] * part / PARTS)) for i, depth in least.items()}
        deeper = with_depths(plan, depths)
        if part == 0 or fits(deeper):
            break
    return Deepened(deeper, flow.interval, part == PARTS, least, needed)


def simulated(graph: Graph, plan: Plan, board: Board) -> Simulation:
    """A run of as many images as there is time for."""
    return simulate(graph, plan, images_a_run(graph, plan), board)


def trimmed(graph: Graph, deepened: Deepened, board: Board, work: int = WORK) -> tuple[Plan, float]:
    """One FIFO after another back at its least depth, the largest first, where no image leaves
    later, as long as the simulations move no more than `work` vectors; and the cycles between
    images that the simulator then sees (0: too large to simulate)."""
    if not deepened.interval:
        return deepened.plan, 0.0
    plan, least = deepened.plan, deepened.least
    run = Run.of(graph, plan, images_a_run(graph, plan), board)
    run.finish()
    found = run.simulation()
    tokens = sum(edge_tokens(graph, plan)) * run.images
    deep = [i for i, edge in enumerate(plan.edges) if edge.depth > least[i]]
    largest = sorted(deep, key=lambda i: -plan.edges[i].width * plan.edges[i].depth)
    runs = work // tokens - 2
    tried = largest[: min(MOST_RUNS, runs) if runs >= LEAST_RUNS and not found.deadlocked else 0]
    back = {i for i in tried if shrink(run, i, least[i])}
    plan = with_depths(
        plan, {i: least[i] if i in back else edge.depth for i, edge in enumerate(plan.edges)}
    )
    return plan, found.interval


def images_a_run(graph: Graph, plan: Plan) -> int:
    """Images of one simulation: more show the rate in the long run, fewer take less time."""
    return max(LEAST_IMAGES, min(MOST_IMAGES, WORK // (4 * max(sum(edge_tokens(graph, plan)), 1))))


def with_depths(plan: Plan, depths: Depths) -> Plan:
    """The plan with other FIFO depths, by position in `plan.edges`."""
    return replace(
        plan, edges=tuple(replace(edge, depth=depths[i]) for i, edge in enumerate(plan.edges))
    )
