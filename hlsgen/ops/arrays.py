"""Arrays of weights and biases as vectors of channels, in files and on chip."""

from __future__ import annotations

from math import ceil

import numpy as np

from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Array, Loop, row_major, size
from hlsgen.kernel.values import Vector

# A step's weights stay below this many vectors: its stream must fit a channel when kernels run one
# after another.
LARGEST_STREAM = 1 << 18


def vectors(channels: int, width: int) -> int:
    """Number of `width`-lane vectors that hold `channels` channels."""
    return ceil(channels / width)


def pad_axis(array: np.ndarray, axis: int, multiple: int) -> np.ndarray:
    """Zero-pad `axis` at its end to a multiple."""
    missing = -array.shape[axis] % multiple
    if not missing:
        return array
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, missing)
    return np.pad(array, widths)


def resident_weights(loops: tuple[Loop, ...], vector: Vector) -> Array:
    """Weights on chip for good: a word for every iteration of a position, with all vectors that it
    multiplies."""
    depth = size([loop for loop in loops if not loop.unrolled])
    parts = size([loop for loop in loops if loop.unrolled])
    return Array(Memory("weights", depth, vector.bits, parts), vector)


def bias_array(loops: tuple[Loop, ...], vector: Vector) -> Array:
    """A bias for every output vector of a pixel, or slice of one."""
    own = [loop for loop in loops if not (loop.reduces or loop.unrolled or loop.walks)]
    return Array(Memory("bias", size(own), vector.bits), vector, row_major(own))
