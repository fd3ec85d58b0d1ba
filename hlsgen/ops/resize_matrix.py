"""How each position along a resized axis is put together from the old ones: a matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Kernel:
    """Weights by distance, which are 0 from `reach` on."""

    weight: Callable[[np.ndarray], np.ndarray]
    reach: int


def hat(distance: np.ndarray) -> np.ndarray:
    """Linear interpolation."""
    weights: np.ndarray = np.clip(1 - distance, 0, 1)
    return weights


def cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Cubic convolution with parameter `a`."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))


def kernel_of(mode: str, a: float) -> Kernel:
    """The kernel of ONNX's mode "linear" or "cubic"."""
    return Kernel(hat, 1) if mode == "linear" else Kernel(lambda distance: cubic(distance, a), 2)


def resize_matrix(
    kernel: Kernel, at: np.ndarray, length: int, stretch: float, inside: bool
) -> np.ndarray:
    """Weights `(len(at), length)` of old positions at the coordinates `at`. `stretch` widens the
    kernel (antialiasing). Positions beyond the ends count as the last one, or not at all where
    only those `inside` count."""
    reach = int(np.ceil(kernel.reach * stretch))
    matrix = np.zeros((len(at), length))
    for row, u in zip(matrix, at, strict=True):
        taps = np.arange(int(np.floor(u)) - reach, int(np.floor(u)) + reach + 2)
        weights = kernel.weight(np.abs(taps - u) / stretch)
        if inside:
            weights = np.where((taps >= 0) & (taps < length), weights, 0)
        np.add.at(row, np.clip(taps, 0, length - 1), weights / weights.sum())
    return matrix
