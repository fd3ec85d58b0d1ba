"""What is under way in a simulated run: processes with the times of their events, and the FIFOs
between them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hlsgen.model.processes import Process

# What may not hold of a FIFO: that each token is there before it is read, and that there is room
# before it is written.
DOUBTS = ("tokens", "room")


class Walk:
    """A process under way through all images. Its first `settled` events have their final times,
    the last of them `late` cycles late; those up to `reached` have times that may yet rise."""

    def __init__(self, process: Process, images: int) -> None:
        ports = np.tile(process.ports, images)
        self.process = process
        self.due = np.add.outer(process.period * np.arange(images), process.due).ravel()
        self.reads = tuple(np.flatnonzero(ports == port) for port in range(len(process.inputs)))
        groups = range(max(process.groups, default=0) + 1)
        self.writes = tuple(np.flatnonzero(ports == -1 - group) for group in groups)
        # when each vector that it writes can be read
        self.ready = tuple(np.zeros(len(places), np.int64) for places in self.writes)
        self.late = 0
        self.reach(0)
        self.settle()

    def reach(self, event: int) -> None:
        """Events before this one have times, no others."""
        self.reached = event
        self.written = [int(places.searchsorted(event)) for places in self.writes]
        self.read = [int(places.searchsorted(event)) for places in self.reads]

    def settle(self) -> None:
        """The times that there are are final."""
        self.settled, self.settled_writes, self.settled_reads = (
            self.reached,
            self.written,
            self.read,
        )

    @property
    def finished(self) -> bool:
        """Whether all its events are settled."""
        return self.settled == len(self.due)


@dataclass
class Channel:
    """A FIFO under way: its ends, and when each token was read. `group`: of its writer's writes.
    `doubt`: what has not been looked at since an end took on new times."""

    depth: int
    writer: Walk
    group: int
    reader: Walk
    port: int
    taken: np.ndarray
    doubt: set[str] = field(default_factory=set)

    def counts(self) -> tuple[int, int]:
        """Tokens that were written and read, as far as is known."""
        return self.writer.written[self.group], self.reader.read[self.port]

    @property
    def ready(self) -> np.ndarray:
        """When each token can be read."""
        return self.writer.ready[self.group]

    def full(self) -> bool:
        """Whether there is no room for another token."""
        written, read = self.counts()
        return written - self.depth >= read

    def starved(self) -> bool:
        """Whether its reader took a token before it was there. Not asked again before an end takes
        on new times, where it did not."""
        if "tokens" not in self.doubt:
            return False
        written, read = self.counts()
        first = self.reader.settled_reads[self.port]
        if read > written or (self.taken[first:read] < self.ready[first:read]).any():
            return True
        self.doubt.discard("tokens")
        return False

    def overfull(self) -> bool:
        """Whether its writer wrote a token before there was room for it. Asked again as `starved`
        is."""
        if "room" not in self.doubt:
            return False
        written, read = self.counts()
        first = max(self.writer.settled_writes[self.group] - self.depth, 0)
        last = max(written - self.depth, first)
        early = self.ready[first + self.depth : last + self.depth] < self.taken[first:last]
        if last > read or early.any():
            return True
        self.doubt.discard("room")
        return False


def most_held(available: np.ndarray, taken: np.ndarray) -> int:
    """The most tokens that were in a FIFO at once, from when each could be read, and when each
    was."""
    held = np.arange(1, len(available) + 1) - np.searchsorted(taken, available, side="left")
    return int(held.max(initial=0))
