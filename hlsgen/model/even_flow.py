"""How full the FIFOs of a pipelined design get while images enter evenly and nobody waits for
room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.model.pipelined_timing import pipelined_cycles
from hlsgen.model.processes import build_processes
from hlsgen.model.walks import most_held
from hlsgen.plan import Plan


@dataclass(frozen=True)
class EvenFlow:
    """What a design with unlimited FIFOs does when an image enters evenly every `interval` cycles,
    as long as its slowest kernel takes: the most vectors that each channel held."""

    interval: int
    occupancy: tuple[int, ...]


def even_flow(graph: Graph, plan: Plan, images: int, board: Board) -> EvenFlow:
    """Run `images` images through unlimited FIFOs. With none of them an image cannot leave more
    often than every `interval` cycles; with FIFOs as deep as the occupancy says none leaves less
    often, because nobody would have waited for room, and a vector that comes earlier makes no other
    one later."""
    slowest = max(
        pipelined_cycles(layer, graph, plan.kernel(layer.name), plan, board)
        for layer in graph.layers
    )
    interval = max(slowest, *(p.period for p in build_processes(graph, plan, board)))
    processes = build_processes(graph, plan, board, interval)
    available: dict[int, np.ndarray] = {}
    taken: dict[int, np.ndarray] = {}
    for p in processes:
        due = np.add.outer(p.period * np.arange(images), p.due).ravel()
        ports = np.tile(p.ports, images)
        waits = np.zeros(len(due), np.int64)
        for port, channel in enumerate(p.inputs):
            reads = ports == port
            waits[reads] = available[channel] - due[reads]
        due += np.maximum.accumulate(np.maximum(waits, 0))
        taken |= {channel: due[ports == port] for port, channel in enumerate(p.inputs)}
        available |= {i: due[ports == -1 - p.group(i)] + p.latency for i in p.outputs}
    for p in processes:
        word = next((channel for channel in p.outputs if channel >= len(plan.edges)), None)
        if (
            word is not None
        ):  # there is room for few words: a vector waits in front until its word is taken
            ports = np.tile(p.ports, images)
            taken[p.inputs[0]] = taken[word][np.cumsum(ports < 0)[ports == 0]]
    return EvenFlow(
        interval, tuple(most_held(available[i], taken[i]) for i in range(len(plan.edges)))
    )
