"""Kernels of pipelined designs that choose what they multiply: weights of which no input vector
meets more than N at a time that are not zero (N:M sparsity, M the lanes of a vector).

Such a kernel is the dense one with N multipliers in place of M for an input vector and an output
lane. Beside each weight lies the lane that it multiplies, and a multiplexer takes that out of the
vector. It needs no copy of its inputs, and no turn is lost: what is saved is multipliers, and the
memory of the zeros.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hlsgen.graph import Layer
from hlsgen.kernel.entry_text import place_bits
from hlsgen.kernel.memory import Memory, power_of_two
from hlsgen.kernel.nest import Loop, Nest, size
from hlsgen.ops.arrays import pad_axis
from hlsgen.ops.skip import remembered

# The narrowest integer in which a vector's places lie.
LEAST_BITS = 8


def fullest(weight: np.ndarray, width: int) -> int:
    """The most weights of (outputs, C, ...) that are not zero and meet one input vector of `width`
    channels in one tap, over all outputs."""

    def count() -> int:
        kept = pad_axis(weight.reshape(*weight.shape[:2], -1) != 0, 1, width)
        return int(kept.reshape(len(kept), -1, width, kept.shape[2]).sum(axis=2).max(initial=0))

    return max(1, remembered(weight, (width,), count))


def options(layer: Layer, width: int) -> tuple[int, ...]:
    """How many weights of an input vector a kernel may multiply by: 0 for all, or as many as the
    fullest one has where that is fewer. Weights of 16 bits are not chosen."""
    if layer.narrow:
        return (0,)
    weight = layer.weights["weight"]
    count = fullest(weight, width)
    return (0, count) if count < min(width, weight.shape[1]) else (0,)


def choosing(dense: Nest, count: int) -> Nest:
    """The nest of a kernel that takes `count` weights of an input vector, from that of the one that
    takes all."""
    assert dense.weights is not None
    lane = dense.combine.lane
    loops = tuple(Loop("k", count, unrolled=True) if x.name == lane else x for x in dense.loops)
    words = size(loop for loop in loops if not loop.unrolled)
    parts = size(loop for loop in loops if loop.unrolled)
    packed = place_bits(dense.sources[0].word.lanes) * dense.lanes
    return replace(
        dense,
        what=f"{dense.what}, {count}:{dense.sources[0].word.lanes} sparse",
        loops=loops,
        combine=replace(dense.combine, lane="k", chooses=True),
        weights=None,
        memories=(
            Memory("values", words, dense.weights.vector.bits, parts),
            Memory("places", words, max(power_of_two(packed), LEAST_BITS), parts),
        ),
    )


def entries(dense: Nest, weights: np.ndarray, count: int) -> np.ndarray:
    """Vectors of values and of places by turns `(words * 2, lanes)`, from the `weights` `(words,
    lanes)` of the kernel that takes all, in the order in which that does."""
    lanes = weights.shape[-1]
    rows = weights.reshape(-1, dense.counters[dense.combine.lane].bound, lanes)
    places = np.argsort(rows == 0, axis=1, kind="stable")[:, :count]
    values = np.take_along_axis(rows, places, axis=1)
    return np.stack([values, places.astype(weights.dtype)], axis=2).reshape(-1, lanes)
