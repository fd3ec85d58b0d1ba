"""The kernels of a pipelined design as processes: when each reads and writes vectors while nothing
holds it up.

Each kernel goes through the iterations of its loop; some of them read a vector, some write one
(`Operator.pipelined_events`). The host's readers and writers are processes too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.kernel.events import Events
from hlsgen.kernel.latency import COLLECT_DEPTH
from hlsgen.model.pipelined_timing import initiation_interval
from hlsgen.ops import operator
from hlsgen.ops.arrays import vectors
from hlsgen.plan import Plan


@dataclass(frozen=True)
class Process:
    """A kernel. `due`: cycle of each event of an image, in order, from the image's start;
    `ports`: -1 where the event writes, i where it reads input i. `inputs` and `outputs` are
    channels by position: those of `plan.edges`, then those of collected words. It takes `period`
    cycles an image where it never waits; what it writes can be read `latency` cycles later."""

    name: str
    due: np.ndarray
    ports: np.ndarray
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    latency: int
    period: int


def build_processes(
    graph: Graph, plan: Plan, board: Board, interval: int = 0
) -> tuple[Process, ...]:
    """Readers, layers and writers, sources first. An image enters evenly over `interval` cycles, or
    as fast as the reader can."""
    feeding: dict[str, list[int]] = {}
    reading: dict[tuple[str, int], int] = {}
    for index, edge in enumerate(plan.edges):
        feeding.setdefault(edge.tensor, []).append(index)
        reading[edge.consumer, edge.position] = index
    width = {edge.tensor: edge.width for edge in plan.edges}
    found, collected = [], len(plan.edges)
    for port in graph.inputs:
        count = graph.tensors[port.tensor].pixels * vectors(
            graph.tensors[port.tensor].channels, width[port.tensor]
        )
        cycles = max(count, interval)
        events = Events((), np.arange(count) * cycles // count)
        found.append(
            process(
                f"input {port.name}",
                events,
                cycles,
                1,
                [],
                feeding[port.tensor],
                board.device.load_latency,
            )
        )
    for layer in graph.layers:
        kernel, op = plan.kernel(layer.name), operator(layer.op)
        interval = initiation_interval(layer, graph, kernel, plan, board)
        inputs = [reading[layer.name, i] for i in range(len(layer.inputs))]
        if kernel.vectors_per_cycle > 1:
            tensor = graph.tensors[layer.inputs[0]]
            count = vectors(tensor.channels, kernel.input_width)
            events = collector_events(tensor.pixels, count, kernel.vectors_per_cycle)
            name, cycles = f"{layer.name}_collect", tensor.pixels * count
            found.append(process(name, events, cycles, 1, inputs, [collected], COLLECT_DEPTH))
            inputs, collected = [collected], collected + 1
        # A kernel that gets words of several vectors waits for them here.
        cycles = (op.pipelined_turns if kernel.vectors_per_cycle > 1 else op.pipelined_cycles)(
            layer, graph, kernel
        )
        events = op.pipelined_events(layer, graph, kernel)
        depth = op.pipeline_depth(layer, graph, kernel)
        found.append(
            process(layer.name, events, cycles, interval, inputs, feeding[layer.output], depth)
        )
    for position, port in enumerate(graph.outputs):
        count = graph.tensors[port.tensor].pixels * vectors(
            graph.tensors[port.tensor].channels, width[port.tensor]
        )
        found.append(
            process(
                f"output {port.name}",
                Events((np.arange(count),), np.arange(0)),
                count,
                1,
                [reading["", position]],
                [],
                0,
            )
        )
    return tuple(found)


def collector_events(pixels: int, count: int, vectors_per_cycle: int) -> Events:
    """A kernel that puts `vectors_per_cycle` of a pixel's `count` vectors together reads one a
    turn, and writes when a word is full or the pixel ends."""
    ends = np.append(np.arange(vectors_per_cycle, count, vectors_per_cycle), count) - 1
    return Events((np.arange(pixels * count),), (np.arange(pixels)[:, None] * count + ends).ravel())


def process(
    name: str,
    events: Events,
    cycles: int,
    interval: int,
    inputs: list[int],
    outputs: list[int],
    latency: int,
) -> Process:
    """Events of one image merged in order of time, reads first."""
    due = np.concatenate([*events.reads, events.writes])
    ports = np.concatenate(
        [*[np.full(len(r), i) for i, r in enumerate(events.reads)], np.full(len(events.writes), -1)]
    )
    order = np.lexsort((ports < 0, due))
    return Process(
        name,
        due[order] * interval,
        ports[order],
        tuple(inputs),
        tuple(outputs),
        latency,
        cycles * interval,
    )
