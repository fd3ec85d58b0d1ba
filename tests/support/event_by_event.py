"""An independent simulator of pipelined designs, which moves one vector at a time: slow, and what
`hlsgen.model.simulate` must agree with."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from hlsgen.boards import board as find_board
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import COLLECTED_FIFO
from hlsgen.model.processes import Process, build_processes
from hlsgen.model.simulate import Simulation
from hlsgen.plan import Plan


@dataclass
class Channel:
    """A FIFO under way: when each token can be read, and when each was."""

    depth: int
    available: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)


@dataclass
class Walk:
    """A process under way: the event and image that it has come to, and how late it is."""

    process: Process
    due: list[int]
    ports: list[int]
    position: int = 0
    image: int = 0
    late: int = 0

    def advance(self, channels: list[Channel]) -> bool:
        """One event, if it can happen. Returns whether it did."""
        p = self.process
        turn, port = self.image * p.period + self.due[self.position], self.ports[self.position]
        if port >= 0:
            source = channels[p.inputs[port]]
            if len(source.taken) == len(source.available):
                return False
            self.late = max(self.late, source.available[len(source.taken)] - turn)
            source.taken.append(turn + self.late)
        else:
            late = self.late
            outputs = [i for i in p.outputs if p.group(i) == -1 - port]
            for target in (channels[i] for i in outputs):
                index = len(target.available) - target.depth
                if index >= len(target.taken):
                    return False
                if index >= 0:
                    late = max(late, target.taken[index] - turn - p.latency)
            self.late = late
            for i in outputs:
                channels[i].available.append(turn + late + p.latency)
        self.position = (self.position + 1) % len(self.due)
        self.image += self.position == 0
        return True


def simulate(graph: Graph, plan: Plan, images: int, depths: Mapping[int, int]) -> Simulation:
    """Run `images` images; what blocked kernels wait for is left empty."""
    processes = build_processes(graph, plan, find_board(plan.board))
    channels = [Channel(depths.get(i, edge.depth)) for i, edge in enumerate(plan.edges)]
    channels += [Channel(COLLECTED_FIFO) for kernel in plan.kernels if kernel.vectors_per_cycle > 1]
    walks = [Walk(p, p.due.tolist(), p.ports.tolist()) for p in processes]
    queue = deque(walks)
    idle = 0
    while idle < len(queue):
        walk, moved = queue.popleft(), False
        while walk.image < images and walk.advance(channels):
            moved = True
        idle = 0 if moved else idle + 1
        queue.append(walk)
    blocked = {walk.process.name: "" for walk in walks if walk.image < images}
    last = [
        (len(channels[i].taken) // images, channels[i].taken)
        for p in processes
        for i in p.inputs
        if not p.outputs
    ]
    ends = () if blocked else tuple(max(t[(i + 1) * n - 1] for n, t in last) for i in range(images))
    held = tuple(most_held(channel) for channel in channels[: len(plan.edges)])
    return Simulation(ends, blocked, held, {walk.process.name: walk.late for walk in walks})


def most_held(channel: Channel) -> int:
    """The most tokens that were in a FIFO at once: one that can be read in the cycle in which
    another is taken meets it there."""
    taken, most = 0, 0
    for count, time in enumerate(channel.available, 1):
        while taken < len(channel.taken) and channel.taken[taken] < time:
            taken += 1
        most = max(most, count - taken)
    return most
