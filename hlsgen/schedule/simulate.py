"""A cycle-approximate simulator of pipelined designs: tokens through FIFOs of true depth.

Each kernel walks the turns of its loop; some turns read a vector, some write one (`Operator.pipelined_events`). A turn waits until
its vector is there and its place in every FIFO is free; then all later turns are late by as much. Kernels are deterministic, so running
each until it blocks, in any order, gives every token its exact time. If nobody can go on, that is a deadlock. Where FIFOs are unlimited
nobody waits for room, and each kernel's tokens follow from its inputs' in one go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hlsgen.boards import Board
from hlsgen.boards import board as find_board
from hlsgen.graph import Graph
from hlsgen.hardware import COLLECTED_FIFO, KERNEL_LATENCY
from hlsgen.ops import operator
from hlsgen.ops.base import Events, vectors
from hlsgen.plan import EdgePlan, Plan
from hlsgen.schedule.pipelined_timing import initiation_interval, pipelined_cycles


@dataclass(frozen=True)
class Simulation:
    """`completions`: cycle at which each image's last result was written. `blocked`: kernels that wait for ever, with the channel
    they wait for. `occupancy`: most vectors that each channel held. `stalls`: cycles that each kernel waited."""

    completions: tuple[int, ...]
    blocked: Mapping[str, str]
    occupancy: tuple[int, ...]
    stalls: Mapping[str, int]

    @property
    def deadlocked(self) -> bool:
        """Whether the design stopped for ever."""
        return bool(self.blocked)

    @property
    def interval(self) -> float:
        """Cycles between images, the mean over the later half of them; of a single image, all its cycles."""
        if len(self.completions) < 2:
            return float(self.completions[0])
        first = (len(self.completions) - 1) // 2
        return (self.completions[-1] - self.completions[first]) / (len(self.completions) - 1 - first)

    def no_later(self, other: Simulation) -> bool:
        """Whether every image leaves, and none later than in the other."""
        pairs = zip(self.completions, other.completions, strict=False)
        return not self.deadlocked and (other.deadlocked or all(mine <= theirs for mine, theirs in pairs))


@dataclass
class Channel:
    """A FIFO under way: when each token can be read, and when each was read."""

    depth: int
    available: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)


@dataclass
class Process:
    """A kernel under way: the events of an image in order, the event and image that it has come to, and how late it is. It takes
    `period` cycles an image where it never waits."""

    name: str
    turns: list[int]
    ports: list[int]  # -1 writes; i >= 0 reads input i
    inputs: list[int]
    outputs: list[int]
    latency: int
    period: int
    position: int = 0
    image: int = 0
    late: int = 0


def simulate(
    graph: Graph, plan: Plan, images: int = 3, board: Board | None = None, depths: Mapping[int, int] | None = None
) -> Simulation:
    """Run `images` images through a pipelined plan. `depths` overrides those of channels by their position in `plan.edges`."""
    target = board or find_board(plan.board)
    channels = [Channel((depths or {}).get(i, edge.depth)) for i, edge in enumerate(plan.edges)]
    channels += [Channel(COLLECTED_FIFO) for kernel in plan.kernels if kernel.at_once > 1]
    processes = build_processes(graph, plan, target)
    run_until_blocked(processes, channels, images)
    blocked = {p.name: waiting_for(p, channels, plan.edges) for p in processes if p.image < images}
    writers = [p for p in processes if not p.outputs]
    last = [channels[p.inputs[0]].taken for p in writers]
    ends = (
        tuple(max(t[(i + 1) * len(p.turns) - 1] for p, t in zip(writers, last, strict=True)) for i in range(images))
        if not blocked
        else ()
    )
    return Simulation(
        ends,
        blocked,
        tuple(most_held(np.array(c.available), np.array(c.taken)) for c in channels[: len(plan.edges)]),
        {p.name: p.late for p in processes},
    )


@dataclass(frozen=True)
class EvenFlow:
    """What a design with unlimited FIFOs does when an image enters evenly every `interval` cycles, as long as its slowest kernel takes:
    the most vectors that each channel held."""

    interval: int
    occupancy: tuple[int, ...]


def even_flow(graph: Graph, plan: Plan, images: int, board: Board) -> EvenFlow:
    """Run `images` images through unlimited FIFOs. With none of them an image cannot leave more often than every `interval` cycles; with FIFOs
    as deep as the occupancy says none leaves less often, because nobody would have waited for room, and a vector that comes earlier makes
    no other one later."""
    slowest = max(pipelined_cycles(layer, graph, plan.kernel(layer.name), plan, board) for layer in graph.layers)
    interval = max(slowest, *(p.period for p in build_processes(graph, plan, board)))
    processes = build_processes(graph, plan, board, interval)
    available: dict[int, np.ndarray] = {}
    taken: dict[int, np.ndarray] = {}
    for p in processes:
        turns = np.add.outer(p.period * np.arange(images), p.turns).ravel()
        ports = np.tile(p.ports, images)
        waits = np.zeros(len(turns), np.int64)
        for port, channel in enumerate(p.inputs):
            reads = ports == port
            waits[reads] = available[channel] - turns[reads]
        turns += np.maximum.accumulate(np.maximum(waits, 0))
        taken |= {channel: turns[ports == port] for port, channel in enumerate(p.inputs)}
        available |= dict.fromkeys(p.outputs, turns[ports < 0] + p.latency)
    for p in processes:
        word = next((channel for channel in p.outputs if channel >= len(plan.edges)), None)
        if word is not None:  # there is room for few words: a vector waits in front until its word is taken
            ports = np.tile(p.ports, images)
            taken[p.inputs[0]] = taken[word][np.cumsum(ports < 0)[ports == 0]]
    return EvenFlow(interval, tuple(most_held(available[i], taken[i]) for i in range(len(plan.edges))))


def build_processes(graph: Graph, plan: Plan, board: Board, pace: int = 0) -> list[Process]:
    """Readers, layers and writers, sources first. An image enters evenly over `pace` cycles, or as fast as the reader can."""
    feeding: dict[str, list[int]] = {}
    reading: dict[tuple[str, int], int] = {}
    for index, edge in enumerate(plan.edges):
        feeding.setdefault(edge.tensor, []).append(index)
        reading[edge.consumer, edge.position] = index
    width = {edge.tensor: edge.width for edge in plan.edges}
    found, collected = [], len(plan.edges)
    for port in graph.inputs:
        count = graph.tensors[port.tensor].pixels * vectors(graph.tensors[port.tensor].channels, width[port.tensor])
        cycles = max(count, pace)
        events = Events((), np.arange(count) * cycles // count)
        found.append(
            process(f"input {port.name}", events, cycles, 1, [], feeding[port.tensor], board.device.load_latency)
        )
    for layer in graph.layers:
        kernel, op = plan.kernel(layer.name), operator(layer.op)
        interval = initiation_interval(layer, graph, kernel, plan, board)
        inputs = [reading[layer.name, i] for i in range(len(layer.inputs))]
        if kernel.at_once > 1:
            tensor = graph.tensors[layer.inputs[0]]
            count = vectors(tensor.channels, kernel.input_width)
            events = collector_events(tensor.pixels, count, kernel.at_once)
            name, cycles = f"{layer.name}_collect", tensor.pixels * count
            found.append(process(name, events, cycles, 1, inputs, [collected], KERNEL_LATENCY))
            inputs, collected = [collected], collected + 1
        # A kernel that gets words of several vectors waits for them here.
        cycles = (op.pipelined_turns if kernel.at_once > 1 else op.pipelined_cycles)(layer, graph, kernel)
        events = op.pipelined_events(layer, graph, kernel)
        found.append(process(layer.name, events, cycles, interval, inputs, feeding[layer.output], KERNEL_LATENCY))
    for position, port in enumerate(graph.outputs):
        count = graph.tensors[port.tensor].pixels * vectors(graph.tensors[port.tensor].channels, width[port.tensor])
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
    return found


def collector_events(pixels: int, count: int, at_once: int) -> Events:
    """A kernel that puts `at_once` of a pixel's `count` vectors together reads one a turn, and writes when a word is full or the pixel ends."""
    ends = np.append(np.arange(at_once, count, at_once), count) - 1
    return Events((np.arange(pixels * count),), (np.arange(pixels)[:, None] * count + ends).ravel())


def process(
    name: str, events: Events, cycles: int, interval: int, inputs: list[int], outputs: list[int], latency: int
) -> Process:
    """Events of one image merged in order of turns, reads first."""
    turns = np.concatenate([*events.reads, events.writes])
    ports = np.concatenate([*[np.full(len(r), i) for i, r in enumerate(events.reads)], np.full(len(events.writes), -1)])
    order = np.lexsort((ports < 0, turns))
    return Process(
        name, (turns[order] * interval).tolist(), ports[order].tolist(), inputs, outputs, latency, cycles * interval
    )


def run_until_blocked(processes: list[Process], channels: list[Channel], images: int) -> None:
    """Let every process run as far as it can, until none can. Only one whose neighbour has moved may go on."""
    ends: dict[int, list[int]] = {}
    for number, p in enumerate(processes):
        for channel in (*p.inputs, *p.outputs):
            ends.setdefault(channel, []).append(number)
    neighbours = [sorted({n for c in (*p.inputs, *p.outputs) for n in ends[c]} - {i}) for i, p in enumerate(processes)]
    waiting, queue = [True] * len(processes), deque(range(len(processes)))
    while queue:
        number = queue.popleft()
        waiting[number], current, moved = False, processes[number], False
        while current.image < images and advance(current, channels):
            moved = True
        for other in neighbours[number] if moved else ():
            if not waiting[other]:
                waiting[other] = True
                queue.append(other)


def advance(p: Process, channels: list[Channel]) -> bool:
    """Run one process until its image ends, its next token is not there or a FIFO is full. Returns whether it moved."""
    start, position, late = p.position, p.position, p.late
    turns, ports, end, begun = p.turns, p.ports, len(p.turns), p.image * p.period
    inputs = [channels[i] for i in p.inputs]
    outputs = [channels[i] for i in p.outputs]
    while position < end:
        turn, port = begun + turns[position], ports[position]
        if port >= 0:
            source = inputs[port]
            index = len(source.taken)
            if index >= len(source.available):
                break
            wait = source.available[index] - turn
            if wait > late:
                late = wait
            source.taken.append(turn + late)
        else:
            wait = late
            for target in outputs:
                index = len(target.available) - target.depth
                if index >= 0:
                    if index >= len(target.taken):
                        break
                    # The result enters the FIFO when it leaves the kernel's pipeline.
                    free = target.taken[index] - turn - p.latency
                    if free > wait:
                        wait = free
            else:
                late = wait
                ready = turn + late + p.latency
                for target in outputs:
                    target.available.append(ready)
                position += 1
                continue
            break
        position += 1
    p.position, p.late = position, late
    if position == end:
        p.position, p.image = 0, p.image + 1
    return position > start


def waiting_for(p: Process, channels: list[Channel], edges: tuple[EdgePlan, ...]) -> str:
    """What a blocked process waits for."""
    port = p.ports[p.position]
    if port >= 0:
        index = p.inputs[port]
        return f"a vector of {edges[index].tensor}" if index < len(edges) else "a word of vectors"
    full = next(i for i in p.outputs if len(channels[i].available) - channels[i].depth >= len(channels[i].taken))
    if full >= len(edges):
        return "room for a word of vectors"
    return f"room in the channel of {edges[full].tensor} to {edges[full].consumer or 'the output'}"


def most_held(available: np.ndarray, taken: np.ndarray) -> int:
    """The most tokens that were in a FIFO at once, from when each could be read, and when each was."""
    held = np.arange(1, len(available) + 1) - np.searchsorted(taken, available, side="left")
    return int(held.max(initial=0))
