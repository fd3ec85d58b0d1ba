"""A cycle-approximate simulator of pipelined designs: tokens through FIFOs of true depth.

An event of a kernel waits until its vector is there and its place in every FIFO is free; then all
later ones are late by as much. So its time is the maximum of times of other events, each plus a
constant, and the true times are the least that satisfy all these bounds. They are found with NumPy,
a kernel's events at once: first as if no FIFO were ever full, sources first, then again and again
for each kernel whose bounds no longer hold. All bounds only rise, so what is there at the end is
the least solution, whatever the order. That is done window by window of time, so that lateness
spreads before much was reckoned without it: what is settled depends on nothing that is not, and is
never touched again. A loop over events, one by one, does the same in Python some ten times as
slowly; compiled, it would need a compiler for every user.

Kernels are deterministic, so whether a design deadlocks does not depend on the order either:
nothing happens in a window in which something must.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hlsgen.boards import Board
from hlsgen.boards import board as find_board
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import COLLECTED_FIFO
from hlsgen.model.processes import Process, build_processes
from hlsgen.model.walks import DOUBTS, Channel, Walk, most_held
from hlsgen.plan import Plan

# A window that takes more rounds is halved.
ROUNDS = 8


@dataclass(frozen=True)
class Simulation:
    """`completions`: cycle at which each image's last result was written. `blocked`: kernels that
    wait for ever, with the channel they wait for. `occupancy`: most vectors that each channel held.
    `stalls`: cycles that each kernel waited."""

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
        """Cycles between images, the mean over the later half of them; of a single image, all its
        cycles."""
        if len(self.completions) < 2:
            return float(self.completions[0])
        first = (len(self.completions) - 1) // 2
        return (self.completions[-1] - self.completions[first]) / (
            len(self.completions) - 1 - first
        )

    def no_later(self, other: Simulation) -> bool:
        """Whether every image leaves, and none later than in the other."""
        pairs = zip(self.completions, other.completions, strict=False)
        return not self.deadlocked and (
            other.deadlocked or all(mine <= theirs for mine, theirs in pairs)
        )


def simulate(
    graph: Graph,
    plan: Plan,
    images: int = 3,
    board: Board | None = None,
    depths: Mapping[int, int] | None = None,
) -> Simulation:
    """Run `images` images through a pipelined plan. `depths` overrides those of channels by their
    position in `plan.edges`."""
    run = Run.of(graph, plan, images, board or find_board(plan.board), depths)
    run.finish()
    return run.simulation()


@dataclass(frozen=True)
class Queue:
    """A FIFO before a run: its depth, what its tokens are, and where it leads from and to."""

    depth: int
    token: str = "a word of vectors"
    place: str = "for a word of vectors"


def queues(plan: Plan, count: int, depths: Mapping[int, int] | None = None) -> list[Queue]:
    """The `count` FIFOs of a plan: those of its channels, then those of collected words. `depths`
    overrides those of the former."""
    found = [
        Queue(
            (depths or {}).get(i, edge.depth),
            f"a vector of {edge.tensor}",
            f"in the channel of {edge.tensor} to {edge.consumer or 'the output'}",
        )
        for i, edge in enumerate(plan.edges)
    ]
    return found + [Queue(COLLECTED_FIFO)] * (count - len(found))


class Run:
    """Images on their way through processes that FIFOs join, of which the first `measured` ones'
    occupancy is asked for."""

    def __init__(
        self, processes: Sequence[Process], fifos: Sequence[Queue], images: int, measured: int
    ) -> None:
        self.images, self.fifos, self.measured = images, fifos, measured
        self.walks = [Walk(process, images) for process in processes]
        writers = {channel: walk for walk in self.walks for channel in walk.process.outputs}
        ends = {
            channel: (walk, port)
            for walk in self.walks
            for port, channel in enumerate(walk.process.inputs)
        }
        self.channels = []
        for i, fifo in enumerate(fifos):
            group = writers[i].process.group(i)
            taken = np.zeros(len(writers[i].writes[group]), np.int64)
            self.channels.append(Channel(fifo.depth, writers[i], group, *ends[i], taken))
        # Whatever can happen happens within so many cycles of the last event.
        self.longest = max(process.period + process.latency for process in processes)
        self.window, self.end, self.active = self.longest, 0, 0

    @staticmethod
    def of(
        graph: Graph, plan: Plan, images: int, board: Board, depths: Mapping[int, int] | None = None
    ) -> Run:
        """Images on their way through a plan."""
        processes = build_processes(graph, plan, board)
        count = sum(len(process.inputs) for process in processes)
        return Run(processes, queues(plan, count, depths), images, len(plan.edges))

    def finish(self) -> None:
        """Go on until all images are through, or nothing can move."""
        while self.advance():
            pass

    def advance(self) -> bool:
        """Settle one more window of time. Returns whether anything can happen after it."""
        start, self.end = self.end, self.end + self.window
        for walk in self.walks:
            self.step(walk, hopeful=True)
        rounds = 0
        while self.raise_times():
            rounds += 1
            if rounds % ROUNDS == 0 and self.end > start + 1:
                self.end = (start + self.end) // 2
                for walk in self.walks:
                    self.step(walk)
        self.window = min(
            max(2 * (self.end - start) // (1 + (rounds > ROUNDS // 2)), 1), self.longest
        )
        for walk in self.walks:
            if walk.reached > walk.settled:
                self.active = self.end
                walk.settle()
                walk.late = self.lateness(walk)
        return self.end < self.active + self.longest and not all(
            walk.finished for walk in self.walks
        )

    def raise_times(self) -> bool:
        """Step each process once back and once forth whose bounds do not hold. Returns whether
        there was one."""
        risen = False
        for walk in reversed(self.walks):
            if any(self.channels[i].overfull() for i in walk.process.outputs):
                self.step(walk)
                risen = True
        for walk in self.walks:
            if any(self.channels[i].starved() for i in walk.process.inputs):
                self.step(walk)
                risen = True
        return risen

    def step(self, walk: Walk, hopeful: bool = False) -> None:
        """Give a process's events in this window the least times that its neighbours allow as far
        as these are known. A `hopeful` one takes it that there will be room for all that it
        writes."""
        process, first = walk.process, walk.settled
        last = max(self.last(walk, hopeful), first)
        if first == last == walk.reached:
            return
        due, waits = walk.due[first:last], np.full(last - first, walk.late)
        for port, i in enumerate(process.inputs):
            low, high = walk.settled_reads[port], int(walk.reads[port].searchsorted(last))
            places = walk.reads[port][low:high] - first
            waits[places] = self.channels[i].ready[low:high] - due[places]
        ends = [int(places.searchsorted(last)) for places in walk.writes]
        for i in process.outputs:
            channel = self.channels[i]
            low = max(walk.settled_writes[channel.group], channel.depth)
            high = max(ends[channel.group], channel.depth)
            places = walk.writes[channel.group][low:high] - first
            # A result enters the FIFO when it leaves the kernel's pipeline.
            free = (
                channel.taken[low - channel.depth : high - channel.depth]
                - process.latency
                - due[places]
            )
            waits[places] = np.maximum(waits[places], free)
        waits[:1] = np.maximum(waits[:1], walk.late)
        times = due + np.maximum.accumulate(waits)
        walk.reach(first + int(times.searchsorted(self.end)))
        for start, end, writes, ready in zip(
            walk.settled_writes, walk.written, walk.writes, walk.ready, strict=True
        ):
            ready[start:end] = times[writes[start:end] - first] + process.latency
        for port, i in enumerate(process.inputs):
            low, high = walk.settled_reads[port], walk.read[port]
            self.channels[i].taken[low:high] = times[walk.reads[port][low:high] - first]
        for i in (*process.inputs, *process.outputs):
            self.channels[i].doubt.update(DOUBTS)

    def last(self, walk: Walk, hopeful: bool) -> int:
        """The first event of a process that cannot happen in this window, for want of time, tokens
        or room."""
        last = int(walk.due.searchsorted(self.end - walk.late))
        for port, i in enumerate(walk.process.inputs):
            written, _ = self.channels[i].counts()
            last = min([last, *walk.reads[port][written : written + 1]])
        for i in () if hopeful else walk.process.outputs:
            channel = self.channels[i]
            room = channel.counts()[1] + channel.depth
            last = min([last, *walk.writes[channel.group][room : room + 1]])
        return int(last)

    def time(self, walk: Walk, event: int) -> int:
        """When an event happens."""
        port = walk.process.ports[event % len(walk.process.ports)]
        if port < 0:
            group = -1 - port
            place = walk.writes[group].searchsorted(event)
            return int(walk.ready[group][place]) - walk.process.latency
        return int(
            self.channels[walk.process.inputs[port]].taken[walk.reads[port].searchsorted(event)]
        )

    def lateness(self, walk: Walk) -> int:
        """By how many cycles the last settled event of a process is late; 0 without one."""
        last = walk.settled - 1
        return self.time(walk, last) - int(walk.due[last]) if walk.settled else 0

    def simulation(self) -> Simulation:
        """What has happened so far."""
        waiting = {
            walk.process.name: self.waiting_for(walk) for walk in self.walks if not walk.finished
        }
        held = tuple(most_held(*self.known(channel)) for channel in self.channels[: self.measured])
        return Simulation(
            self.completions(), waiting, held, {walk.process.name: walk.late for walk in self.walks}
        )

    def known(self, channel: Channel) -> tuple[np.ndarray, np.ndarray]:
        """When each token of a channel could be read, and when each was."""
        written, read = channel.counts()
        return channel.ready[:written], channel.taken[:read]

    def completions(self) -> tuple[int, ...]:
        """When each image's last result was written, of the images that are through."""
        ends = []
        for channel in self.channels:
            if not channel.reader.process.outputs:
                count = len(channel.taken) // self.images
                ends.append(channel.taken[count - 1 : channel.counts()[1] : count])
        return tuple(int(max(times)) for times in zip(*ends, strict=False))

    def waiting_for(self, walk: Walk) -> str:
        """What a blocked process waits for."""
        port = int(walk.process.ports[walk.settled % len(walk.process.ports)])
        if port >= 0:
            return self.fifos[walk.process.inputs[port]].token
        full = next(
            i
            for i in walk.process.outputs
            if self.channels[i].group == -1 - port and self.channels[i].full()
        )
        return f"room {self.fifos[full].place}"
