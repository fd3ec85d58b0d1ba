"""When a described kernel takes words in and gives vectors out: for FIFO sizing and the
simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hlsgen.kernel.derive import busy_iterations, due_positions, held_positions, words_a_position
from hlsgen.kernel.nest import Guard, Nest, Raster, Source, size
from hlsgen.kernel.phases import Phase


@dataclass(frozen=True)
class Events:
    """When a kernel reads a word from each of its inputs and writes a vector, in cycles from an
    image's start at II 1."""

    reads: tuple[np.ndarray, ...]
    writes: np.ndarray


def read_positions(raster: Raster, source: Source) -> np.ndarray:
    """Whether words of a source arrive, position by position."""
    return held_positions(raster, source.when)


def read_iterations(n: Nest, source: Source) -> np.ndarray:
    """The words of a position that a source gives, by their numbers."""
    arriving = [loop for loop in n.sequential if loop.arrives]
    found = np.ones([loop.bound for loop in arriving], bool)
    for axis, loop in enumerate(arriving):
        for guard in (guard for guard in source.when if guard.loop == loop.name):
            shape = [loop.bound if i == axis else 1 for i in range(len(arriving))]
            found &= guard.holds(loop.bound).reshape(shape)
    return np.flatnonzero(found)


def write_iterations(n: Nest) -> np.ndarray:
    """The iterations of a position with an output that complete an output vector."""
    loops = [loop for loop in n.sequential if not (n.fills and loop.arrives)]
    found = np.ones([loop.bound for loop in loops], bool)
    for axis, loop in enumerate(loops):
        if loop.reduces or loop.slices:
            np.moveaxis(found, axis, 0)[:-1] = False
    return np.flatnonzero(found) + (words_a_position(n) if n.fills else 0)


def events(n: Nest) -> Events:
    """When words are read and vectors written."""
    if n.phases:
        return phase_events(n.phases)
    idle, busy = words_a_position(n), busy_iterations(n)
    pace = 1 if n.fills else busy // idle  # loops that take words are outside all others
    if n.raster is None:
        reads = tuple(read_iterations(n, source) * pace for source in n.sources)
        return Events(reads, write_iterations(n))
    due = due_positions(n.raster)
    lengths = np.where(due, busy, idle)
    starts = np.cumsum(lengths) - lengths
    paces = np.where(due, pace, 1)
    found = []
    for source in n.sources:
        here = read_positions(n.raster, source)
        words = read_iterations(n, source)
        found.append((starts[here][:, None] + paces[here][:, None] * words).ravel())
    return Events(tuple(found), (starts[due][:, None] + write_iterations(n)).ravel())


def phase_events(phases: Sequence[Phase]) -> Events:
    """Those of phases one after another."""
    reads: list[np.ndarray] = []
    writes: list[np.ndarray] = []
    start = 0
    for phase in phases:
        starts = start + np.arange(phase.times)[:, None] * phase.length
        for found, pace in ((reads, phase.reads), (writes, phase.writes)):
            found.append((starts + pace.first + pace.every * np.arange(pace.count)).ravel())
        start += phase.times * phase.length
    return Events((np.concatenate(reads),), np.concatenate(writes))


def needed_by_phases(n: Nest) -> np.ndarray | None:
    """How many pixels have come before each output pixel; None where one comes and goes in every
    phase."""
    if any(phase.reads.count and phase.writes.count for phase in n.phases):
        return None
    words, found = 0, []
    for phase in n.phases:
        words += phase.times * phase.reads.count
        pixels = phase.times * phase.writes.count // size(n.outputs)
        found.append(np.full(pixels, words // n.sources[0].words))
    return np.concatenate(found)


@lru_cache(maxsize=256)
def arrived(raster: Raster, when: tuple[Guard, ...]) -> np.ndarray:
    """For each output pixel in raster order, how many pixels have arrived of a source that gives
    one `when` its guards hold."""
    found: np.ndarray = np.cumsum(held_positions(raster, when))[due_positions(raster)]
    found.setflags(write=False)
    return found


def needed_pixels(n: Nest, position: int = 0) -> np.ndarray | None:
    """For each output pixel, how many pixels of an input the kernel has read when it gives it; None
    where it works pixel by pixel."""
    if n.phases:
        return needed_by_phases(n)
    source = n.sources[position]
    if n.raster is not None:
        walked = {loop.name for loop in n.raster.loops}
        guarded = n.window is not None or any(guard.loop in walked for guard in source.when)
        return arrived(n.raster, source.when) if guarded else None
    return np.array([source.pixels]) if any(loop.reduces for loop in n.loops) else None
