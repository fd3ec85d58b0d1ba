"""The parts that kernels with a sliding window have in common, from the window's geometry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from hlsgen.graph import Tensor
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import (
    Array,
    Guard,
    Index,
    Loop,
    Raster,
    SlidingWindow,
    Source,
    row_major,
    size,
)
from hlsgen.kernel.values import Vector
from hlsgen.ops.window import Window, keeps_history, keeps_lines

# Parts of kernels that are remembered: many options of a search share them.
REMEMBERED = 1024


@dataclass(frozen=True)
class Sliding:
    """The walk over a padded input, the input, and what keeps what an output sees."""

    raster: Raster
    source: Source
    window: SlidingWindow


@lru_cache(maxsize=REMEMBERED)
def sliding(
    window: Window, tensor: Tensor, word: Vector, pixel: tuple[Loop, ...], border: str
) -> Sliding:
    """Those of a window over a tensor that arrives in such words; the loops `pixel` count the words
    of a pixel, and outside the image they read as `border`."""
    return Sliding(
        raster(window, tensor),
        source(window, tensor, word, border),
        sliding_window(window, tensor, word, pixel),
    )


@lru_cache(maxsize=REMEMBERED)
def raster(window: Window, tensor: Tensor) -> Raster:
    """The walk over the padded input."""
    bounds = window.scan_size(tensor.height, tensor.width)
    counts = window.output_size(tensor.height, tensor.width)
    y, x = (Loop(name, bound, arrives=True) for name, bound in zip("yx", bounds, strict=True))
    rows, columns = (
        Guard(name, window.extent[axis] - 1, counts[axis], window.stride[axis])
        for axis, name in enumerate("yx")
    )
    return Raster((y, x), (rows, columns))


def source(window: Window, tensor: Tensor, word: Vector, border: str) -> Source:
    """The input, which arrives inside the image."""
    when = tuple(
        Guard(name, pad, length)
        for name, pad, length in zip("yx", window.pads, (tensor.height, tensor.width), strict=False)
    )
    count = -(-tensor.channels // word.lanes)
    return Source(word, tensor.pixels, count, when, border)


def sliding_window(
    window: Window, tensor: Tensor, word: Vector, pixel: tuple[Loop, ...]
) -> SlidingWindow:
    """Registers, line buffer and history; the loops `pixel` count the words of a pixel.

    Every tap is a fixed register: where a pixel has few words, column s of the current word is
    register s * words; where it has many, the registers hold the columns of one word, and the
    history those of the others.
    """
    words, (rows, columns) = size(pixel), window.extent
    row = window.scan_size(tensor.height, tensor.width)[1] * words
    place, element = row_major(pixel), word.type.bits * word.lanes
    line = history = None
    if keeps_lines(window, row):
        memory = Memory("line", row, element, (rows - 1) * word.count)
        line = Array(memory, word, Index((("x", words),)).plus(place))
    kept = keeps_history(window, words)
    if kept:
        memory = Memory("history", words, element, rows * (columns - 1) * word.count)
        history = Array(memory, word, place)
    spacing = 1 if kept else words
    length = (columns - 1) * spacing + 1
    down, across = window.dilation
    tap = Index((("ky", down),)), Index((("kx", across * spacing),))
    return SlidingWindow(rows, length, row, tap, line, history)


@lru_cache(maxsize=REMEMBERED)
def tap_loops(window: Window, unrolled: bool) -> tuple[Loop, Loop]:
    """The loops over a window's taps: all at once, or one an iteration."""
    rows, columns = window.kernel
    return (
        Loop("ky", rows, reduces=not unrolled, unrolled=unrolled),
        Loop("kx", columns, reduces=not unrolled, unrolled=unrolled),
    )
