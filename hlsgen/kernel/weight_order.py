"""The order in which kernels take their weights: a walk through the loops in which they come in.

An index is a sum of counters times factors, so every loop is an axis of constant stride.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hlsgen.kernel.nest import Loop, Nest, Weights


def weight_order(n: Nest, weights: Weights) -> np.ndarray:
    """Weights in the order in which the kernel multiplies them, `(words * parts, lanes)`."""
    loops = [loop for loop in (*n.sequential, *n.unrolled) if not loop.walks]
    return walked(loops, n.accumulator.lanes, weights)


def walked(loops: Sequence[Loop], lanes: int, weights: Weights) -> np.ndarray:
    """Vectors of weights for so many lanes of output channels, one for every iteration of nested
    loops, `(iterations, lanes)`; weights that a layer has not are 0."""
    bound = {loop.name: loop.bound for loop in loops}
    uses = (weights.group, weights.filter, weights.input, weights.tap)
    last = [
        sum(factor * (bound.get(name, 1) - 1) for name, factor in use.terms)
        + (lanes - 1) * (axis == 1)
        for axis, use in enumerate(uses)
    ]
    missing = [max(end + 1 - own, 0) for end, own in zip(last, weights.values.shape, strict=True)]
    padded = np.ascontiguousarray(np.pad(weights.values, [(0, count) for count in missing]))
    step = dict.fromkeys(bound, 0)
    for use, stride in zip(uses, padded.strides, strict=True):
        for name, factor in use.terms:
            if name in step:
                step[name] += factor * stride
    shape, strides = [loop.bound for loop in loops], [step[loop.name] for loop in loops]
    found = np.lib.stride_tricks.as_strided(
        padded, (*shape, lanes), (*strides, padded.strides[1]), writeable=False
    )
    return found.reshape(-1, lanes)
