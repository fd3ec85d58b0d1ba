"""Makes FIFOs of a simulated run less deep, going on from where that first makes a difference."""

from __future__ import annotations

import numpy as np

from hlsgen.model.simulate import Run
from hlsgen.model.walks import DOUBTS, Channel

# Times of all vectors of a run: when each can be read, by kernel, and when each was, by channel.
State = tuple[tuple[tuple[np.ndarray, ...], ...], tuple[np.ndarray, ...]]


def shrink(run: Run, index: int, depth: int) -> bool:
    """Make a FIFO of a finished run less deep if no image leaves later for it. Returns whether
    none does.

    Until the first vector that now has to wait for room nothing changes, so that the run goes
    on from there.
    """
    channel = run.channels[index]
    before, images, state = channel.depth, run.completions(), state_of(run)
    ready, taken = run.known(channel)
    early = ready[depth:] < taken[: max(len(ready) - depth, 0)]
    channel.depth = depth
    if not early.any():
        return True
    rewind(run, channel, depth + int(early.argmax()))
    while run.advance():
        if any(late > time for late, time in zip(run.completions(), images, strict=False)):
            break
    if run.completions() == images:
        return True
    channel.depth = before
    restore(run, state)
    return False


def rewind(run: Run, channel: Channel, token: int) -> None:
    """Unsettle a token that a kernel writes, and all that may depend on it."""
    writer = channel.writer
    last = max(run.time(walk, len(walk.due) - 1) for walk in run.walks)
    writer.settled = int(writer.writes[channel.group][token])
    run.end = run.time(writer, writer.settled)
    while any([unsettle(other) for other in run.channels]):
        pass
    for other in run.channels:
        other.doubt.update(DOUBTS)
    for walk in run.walks:
        walk.reach(walk.settled)
        walk.settle()
        walk.late = run.lateness(walk)
    run.active = last


def unsettle(channel: Channel) -> bool:
    """Unsettle what depends on unsettled events at the other end of a channel: a token's
    reading on its writing, and the writing of one on the reading that makes room for it.
    Returns whether there was anything."""
    writer, reader, before = (
        channel.writer,
        channel.reader,
        (channel.writer.settled, channel.reader.settled),
    )
    places, writes = reader.reads[channel.port], writer.writes[channel.group]
    written = int(writes.searchsorted(writer.settled))
    reader.settled = int(min([reader.settled, *places[written : written + 1]]))
    room = int(places.searchsorted(reader.settled)) + channel.depth
    writer.settled = int(min([writer.settled, *writes[room : room + 1]]))
    return (writer.settled, reader.settled) != before


def state_of(run: Run) -> State:
    """All times, of a finished run."""
    return (
        tuple(tuple(ready.copy() for ready in walk.ready) for walk in run.walks),
        tuple(c.taken.copy() for c in run.channels),
    )


def restore(run: Run, state: State) -> None:
    """Take on the times of a finished run."""
    for walk, ready in zip(run.walks, state[0], strict=True):
        walk.ready = ready
        walk.reach(len(walk.due))
        walk.settle()
    for channel, taken in zip(run.channels, state[1], strict=True):
        channel.taken = taken
    for walk in run.walks:
        walk.late = run.lateness(walk)
