"""Exact selection of the smallest numbers, without sorting: two histograms over the bits of the
floats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

# Values at a time, so that little memory is needed beside the weights.
CHUNK = 1 << 22
Scales = Sequence[float] | None


def smallest(scores: Sequence[np.ndarray], count: int, scales: Scales = None) -> float:
    """The `count`-th smallest (from 1) of all |score| / scale of float32 arrays; 0 for count 0."""
    if count <= 0:
        return 0.0
    high = np.zeros(1 << 16, np.int64)
    for _, part in chunks(scores, scales):
        high += np.bincount(part.view(np.uint32) >> 16, minlength=1 << 16)
    bucket, before = place(high, count)
    low = np.zeros(1 << 16, np.int64)
    for _, part in chunks(scores, scales):
        bits = part.view(np.uint32)  # of non-negative floats: they have the floats' order
        low += np.bincount(bits[bits >> 16 == bucket] & 0xFFFF, minlength=1 << 16)
    rest, _ = place(low, count - before)
    return float(np.uint32(bucket << 16 | rest).view(np.float32))


def place(histogram: np.ndarray, count: int) -> tuple[int, int]:
    """The bin of the `count`-th entry, and the entries in bins before."""
    sums = np.cumsum(histogram)
    at = int(np.searchsorted(sums, count))
    return at, int(sums[at] - histogram[at])


def chunks(
    scores: Sequence[np.ndarray], scales: Scales = None
) -> Iterator[tuple[tuple[int, slice], np.ndarray]]:
    """|score| / scale in pieces of at most CHUNK values, each with its array's number and its place
    there."""
    for number, array in enumerate(scores):
        flat = array.reshape(-1)
        for start in range(0, flat.size, CHUNK):
            where = slice(start, min(start + CHUNK, flat.size))
            part = np.abs(flat[where])
            if scales is not None and scales[number] != 1:
                part /= np.float32(scales[number])
            yield (number, where), part


def zero_smallest(
    values: Sequence[np.ndarray],
    count: int,
    scales: Scales = None,
    scores: Sequence[np.ndarray] | None = None,
) -> None:
    """Set exactly `count` of all `values` to zero in place: those with the smallest |value| /
    scale, the first among equals.

    `scores`: other numbers than the values themselves to choose by.
    """
    chosen = values if scores is None else scores
    threshold = smallest(chosen, count, scales)
    left = count - sum(int((part < threshold).sum()) for _, part in chunks(chosen, scales))
    for (number, where), part in chunks(chosen, scales):
        piece = values[number].reshape(-1)[where]
        piece[part < threshold] = 0
        if left and threshold > 0:
            equal = np.flatnonzero(part == threshold)[:left]
            piece[equal] = 0
            left -= len(equal)
