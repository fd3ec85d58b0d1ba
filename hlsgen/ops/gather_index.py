"""Where the values of a data movement come from: index arrays, and their parts along the axes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hlsgen.ops.base import Shape

# An offset that makes any sum of offsets negative: the value is the constant. Three of them still
# fit 32 bits, and no place in a memory lies so far (`LARGEST_MOVEMENT`).
NOWHERE = -(1 << 29)


@dataclass(frozen=True)
class Offsets:
    """Where output (c, y, x) finds its value: element `rows[y] + columns[x] + channels[c]`, or the
    constant if that is negative."""

    rows: np.ndarray
    columns: np.ndarray
    channels: np.ndarray


@dataclass(frozen=True, eq=False)
class GatherAttributes:
    """`source`: shape of the input. `index` (C', H', W'): flat index into it, or -1 for `fill`.
    `what`: how comments call it.

    `other` (as `index`) and `weight` (W' or H' values along `axis`, "x" or "y") make it a blend:
    value + weight * (other - value).
    """

    source: Shape
    index: np.ndarray
    what: str
    fill: float = 0.0
    other: np.ndarray | None = None
    weight: np.ndarray | None = None
    axis: str = ""

    @cached_property
    def indices(self) -> tuple[np.ndarray, ...]:
        """The index arrays in use."""
        return (self.index,) if self.other is None else (self.index, self.other)

    @cached_property
    def reads(self) -> bool:
        """Whether any value of the input is in the result."""
        return any(bool((index >= 0).any()) for index in self.indices)

    @cached_property
    def parts(self) -> tuple[Parts | None, ...]:
        """For each index array its parts; None where they are no sums over the axes."""
        return tuple(take_apart(index, self.source) for index in self.indices)

    @cached_property
    def local(self) -> bool:
        """Whether values move within their pixel alone, in every pixel alike."""
        pixels, index = self.source[1] * self.source[2], self.index
        if len(self.indices) > 1 or index.shape[1:] != self.source[1:]:
            return False
        here = np.arange(pixels).reshape(self.source[1:])
        places = np.where(index < 0, -1, index // pixels)
        return bool(
            np.all((index < 0) | (index % pixels == here)) and (places == places[:, :1, :1]).all()
        )

    @cached_property
    def needed_rows(self) -> np.ndarray:
        """For each output row, how many input rows must have come before it can leave (no fewer
        than for the row before)."""
        last = [np.where(i < 0, -1, self.rows_of(i)).max(axis=(0, 2)) for i in self.indices]
        return np.maximum.accumulate(np.max(last, axis=0) + 1)

    @cached_property
    def ring_rows(self) -> int:
        """Input rows that a streaming kernel must hold: from the oldest that is still to be used to
        the newest that is needed.

        All of them where an output row takes values from several places at once (a transposition).
        """
        height, width = self.source[1:]
        first = [np.where(i < 0, height, self.rows_of(i)).min(axis=(0, 2)) for i in self.indices]
        oldest = np.minimum.accumulate(np.min(first, axis=0)[::-1])[::-1]
        return (
            max(1, int((self.needed_rows - oldest).max()))
            if all(p and p.by_rows(width) for p in self.parts)
            else height
        )

    def rows_of(self, index: np.ndarray) -> np.ndarray:
        """Input rows of an index array."""
        return index % (self.source[1] * self.source[2]) // self.source[2]


@dataclass(frozen=True)
class Parts:
    """Source pixel and source channel of output (c, y, x), each a sum over the three axes."""

    pixel: Offsets
    channel: Offsets

    def by_rows(self, width: int) -> bool:
        """Whether an output row takes all its values from one input row."""
        p = self.pixel
        columns = p.columns[p.columns > NOWHERE]
        inside = ((columns >= 0) & (columns < width)).all()
        return bool(
            inside
            and (p.rows[p.rows >= 0] % width == 0).all()
            and not p.channels[p.channels > NOWHERE].any()
        )

    def offsets(self, stride: int, width: int, ring: int = 0) -> Offsets:
        """Element offsets in a memory of pixels of `stride` elements; with `ring`, one that holds
        so many rows in turn."""
        rows = self.pixel.rows
        if ring:
            rows = np.where(rows < 0, rows, rows // width % ring * width + rows % width)
        pairs = zip(
            (rows, self.pixel.columns, self.pixel.channels),
            (self.channel.rows, self.channel.columns, self.channel.channels),
            strict=True,
        )
        return Offsets(
            *(
                np.where(pixel <= NOWHERE, NOWHERE, pixel * stride + channel)
                for pixel, channel in pairs
            )
        )


def take_apart(index: np.ndarray, source: Shape) -> Parts | None:
    """The parts of an index array (C', H', W'); None where pixel or channel is no sum over the
    axes."""
    pixels = source[1] * source[2]
    pixel = separate(np.where(index < 0, NOWHERE, index % pixels))
    if (
        pixel is not None
        and len(columns := np.unique(pixel.rows[pixel.rows >= 0] % source[2])) == 1
    ):
        # All rows begin in one column: that is the columns' part of the sum.
        rows = np.where(pixel.rows < 0, NOWHERE, pixel.rows - columns[0])
        pixel = Offsets(
            rows,
            np.where(pixel.columns <= NOWHERE, NOWHERE, pixel.columns + columns[0]),
            pixel.channels,
        )
    channel = separate(np.where(index < 0, NOWHERE, index // pixels))
    return Parts(pixel, channel) if pixel and channel else None


def elements(index: np.ndarray, source: Shape, stride: int) -> np.ndarray:
    """Element offsets of all values in a memory of pixels of `stride` elements."""
    channel, pixel = np.divmod(index.astype(np.int64), source[1] * source[2])
    return np.where(index < 0, NOWHERE, pixel * stride + channel)


def separate(found: np.ndarray) -> Offsets | None:
    """Numbers (C', H', W') as the sum of one for each axis, the constant with the rows; None where
    they are no such sum."""
    valid = np.greater_equal(found, 0)
    masks: list[np.ndarray] = [np.any(valid, axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    if not valid.any():
        return Offsets(
            *(
                np.full(n, NOWHERE, np.int64)
                for n in (found.shape[1], found.shape[2], found.shape[0])
            )
        )
    if not np.array_equal(valid, masks[0][:, None, None] & masks[1][:, None] & masks[2]):
        return None
    c, y, x = (int(mask.argmax()) for mask in masks)
    first = int(found[c, y, x])
    channels, rows, columns = found[:, y, x] - first, found[c, :, x], found[c, y, :] - first
    total = channels[:, None, None] + rows[:, None] + columns
    if not np.array_equal(total[valid], found[valid]):
        return None
    parts = zip((rows, columns, channels), (masks[1], masks[2], masks[0]), strict=True)
    return Offsets(*(np.where(mask, part, NOWHERE).astype(np.int64) for part, mask in parts))
