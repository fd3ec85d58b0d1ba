"""The kernels of a pipelined design as processes: when each reads and writes vectors while nothing
holds it up.

Each kernel goes through the iterations of its loop; some of them read a vector, some write one
(`Operator.pipelined_events`). The host's readers and writers are processes too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.kernel.events import Events
from hlsgen.kernel.latency import COLLECT_DEPTH
from hlsgen.kernel.packing import Packing
from hlsgen.model.links import host_inputs, leaves, link_positions, packing, word_seconds
from hlsgen.model.pipelined_timing import initiation_interval
from hlsgen.ops import operator
from hlsgen.ops.arrays import vectors
from hlsgen.plan import Plan


@dataclass(frozen=True)
class Process:
    """A kernel. `due`: cycle of each event of an image, in order, from the image's start;
    `ports`: i where the event reads input i, -1 where it writes, -1 - k where it writes to the
    channels of group k alone. `inputs` and `outputs` are channels by position: those of
    `plan.edges`, then those of collected words; `groups` are those of the outputs. It takes
    `period` cycles an image where it never waits; what it writes can be read `latency` cycles
    later."""

    name: str
    due: np.ndarray
    ports: np.ndarray
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    latency: int
    period: int
    groups: tuple[int, ...] = ()

    def group(self, channel: int) -> int:
        """The group of writes that a channel gets."""
        return self.groups[self.outputs.index(channel)] if self.groups else 0


def build_processes(
    graph: Graph,
    plan: Plan,
    board: Board,
    interval: int = 0,
    words: tuple[tuple[int, ...], tuple[int, ...]] = ((), ()),
    clock: float = 0.0,
) -> tuple[Process, ...]:
    """Readers, layers and writers, sources first. An image enters evenly over `interval` cycles, or
    as fast as the reader can. `words`: the channels that bring words of the link from the board
    before and take those to the next, where these are simulated too. `clock`: the design's in MHz,
    where it is known."""
    wire_clock = clock or board.device.roofline_clock
    feeding: dict[str, list[int]] = {}
    reading: dict[tuple[str, int], int] = {}
    for index, edge in enumerate(plan.edges):
        feeding.setdefault(edge.tensor, []).append(index)
        reading[edge.consumer, edge.position] = index
    width = {edge.tensor: edge.width for edge in plan.edges}
    found, collected = [], len(plan.edges)
    if plan.arriving:
        packed = packing(graph, plan, plan.arriving)
        outputs = [feeding[name] for name in plan.arriving.tensors]
        cycles = wire_cycles(packed, board, wire_clock)
        found.append(receiver("link in", packed, cycles, interval, outputs, words[0]))
    for port in host_inputs(graph, plan):
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
    if plan.leaving:
        packed = packing(graph, plan, plan.leaving)
        sources = link_positions(graph, plan)
        inputs = [reading["", sources[name]] for name in plan.leaving.tensors]
        cycles = wire_cycles(packed, board, wire_clock)
        found.append(sender("link out", packed, cycles, inputs, words[1]))
    for position, port in enumerate(graph.outputs):
        if leaves(port, plan):
            continue
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


def wire_cycles(packed: Packing, board: Board, clock: float) -> int:
    """Cycles that the words of an image take on the wire, at a `clock` in MHz."""
    return ceil(packed.words * word_seconds(board) * clock * 1e6)


def receiver(
    name: str,
    packed: Packing,
    cycles: int,
    interval: int,
    outputs: list[list[int]],
    words: tuple[int, ...] = (),
) -> Process:
    """The kernel that takes words of a link apart into the `outputs` of every tensor. It takes
    `cycles` an image, or `interval`, where it never waits, and reads the channel `words` where that
    is there."""
    period = max(packed.turns, cycles, interval)
    read, left = packed.received()
    groups = [group for group, channels in enumerate(outputs) for _ in channels]
    due = [*([read] * len(words)), *left]
    ports = [np.full(len(read), 0)] * len(words)
    ports += [np.full(len(places), -1 - group) for group, places in enumerate(left)]
    times, kinds = np.concatenate(due), np.concatenate(ports)
    order = np.lexsort((kinds < 0, times))
    targets = tuple(channel for channels in outputs for channel in channels)
    times = times[order] * period // packed.turns
    return Process(name, times, kinds[order], words, targets, COLLECT_DEPTH, period, tuple(groups))


def sender(
    name: str, packed: Packing, cycles: int, inputs: list[int], words: tuple[int, ...] = ()
) -> Process:
    """The kernel that packs the `inputs`, one a tensor, into words of a link, and writes them to
    the channel `words` where that is there."""
    period = max(packed.turns, cycles)
    taken, sent = packed.sent()
    events = Events(tuple(taken), sent if words else np.arange(0))
    merged = process(name, events, packed.turns, 1, inputs, list(words), COLLECT_DEPTH)
    return replace(merged, due=merged.due * period // packed.turns, period=period)


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
