"""What each kernel of a pipelined design does while images pass: it works, waits for input, or
waits for room in a FIFO; as the simulator sees it.

An event of a kernel that is later than the one before it allows has waited since then: for a vector
where it reads, for room where it writes. So the waits follow from the times of a finished run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hlsgen.boards import Board
from hlsgen.boards import board as find_board
from hlsgen.graph import Graph
from hlsgen.model.simulate import Run, Simulation
from hlsgen.model.walks import Walk
from hlsgen.plan import Plan

INPUT, ROOM = "input", "room"


@dataclass(frozen=True)
class Track:
    """A kernel's waits, in equal spans of time: the shares of each in which it waits for `input`
    and for `room`; in the rest it works, until its last event at cycle `end`. `steady` are the same
    shares over the time of its later images; `blockers` the share of that
    time for each neighbour that it waits for, by INPUT or ROOM and the neighbour's name."""

    name: str
    input: np.ndarray
    room: np.ndarray
    end: int
    steady: Mapping[str, float]
    blockers: Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Timeline:
    """All kernels, sources first, over the `cycles` of a simulation."""

    simulation: Simulation
    cycles: int
    tracks: tuple[Track, ...]


def timeline(
    graph: Graph, plan: Plan, images: int, spans: int, board: Board | None = None
) -> Timeline:
    """Simulate `images` images, two or more, in `spans` of equal time. A design that deadlocks
    has no tracks."""
    run = Run.of(graph, plan, images, board or find_board(plan.board), None)
    run.finish()
    found = run.simulation()
    if found.deadlocked:
        return Timeline(found, 0, ())
    edges = np.linspace(0, found.completions[-1], spans + 1)
    tracks = tuple(track(run, walk, edges) for walk in run.walks)
    return Timeline(found, found.completions[-1], tracks)


def track(run: Run, walk: Walk, edges: np.ndarray) -> Track:
    """The waits of one process. `edges` bound the spans. The steady time is that of the later half
    of its own images: first kernels are ahead of the last by some."""
    times = event_times(run, walk)
    window = times[[len(walk.process.due) * ((run.images + 1) // 2) - 1, -1]]
    waited, blocker = np.diff(times - walk.due, prepend=0), blockers(run, walk)
    reads = np.tile(walk.process.ports >= 0, run.images)
    (taking, giving), (input_, room) = (
        [shares_of(times[kind], waited[kind], bounds) for kind in (reads, ~reads)]
        for bounds in (edges, window)
    )
    found = {}
    for channel in (*walk.process.inputs, *walk.process.outputs):
        kind, end = (INPUT, "writer") if channel in walk.process.inputs else (ROOM, "reader")
        of = blocker == channel
        name = getattr(run.channels[channel], end).process.name
        found[kind, name] = float(shares_of(times[of], waited[of], window)[0])
    steady = {INPUT: float(input_[0]), ROOM: float(room[0])}
    return Track(walk.process.name, taking, giving, int(times[-1]), steady, found)


def event_times(run: Run, walk: Walk) -> np.ndarray:
    """When each event of a finished process happens."""
    times = np.empty(len(walk.due), np.int64)
    for writes, ready in zip(walk.writes, walk.ready, strict=True):
        times[writes] = ready - walk.process.latency
    for port, channel in enumerate(walk.process.inputs):
        times[walk.reads[port]] = run.channels[channel].taken
    return times


def blockers(run: Run, walk: Walk) -> np.ndarray:
    """The channel that each event of a finished process would wait for: the one that it reads, or
    of those that it writes the one where room comes last."""
    found = np.full(len(walk.due), -1)
    for port, channel in enumerate(walk.process.inputs):
        found[walk.reads[port]] = channel
    for group, writes in enumerate(walk.writes):
        outputs = [i for i in walk.process.outputs if run.channels[i].group == group]
        free = np.zeros((len(outputs), len(writes)), np.int64)
        for row, channel in zip(free, outputs, strict=True):
            depth, taken = run.channels[channel].depth, run.channels[channel].taken
            row[depth:] = taken[: max(len(taken) - depth, 0)]
        if len(free):
            found[writes] = np.array(outputs)[free.argmax(axis=0)]
    return found


def shares_of(times: np.ndarray, waited: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The share of each span between `edges` that lies in waits, which end at `times` and are so
    long."""
    some = waited > 0
    ends, lengths = times[some], waited[some]
    if not len(ends):
        return np.zeros(len(edges) - 1)
    total = np.cumsum(lengths)
    marks = np.stack([ends - lengths, ends], 1).ravel()
    sums = np.stack([total - lengths, total], 1).ravel()
    found: np.ndarray = np.diff(np.interp(edges, marks, sums)) / np.diff(edges)
    return found
