"""Feature maps in device memory, and how ONNX values relate to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def pack(image: np.ndarray, layout: dict[str, Any], buffer: np.ndarray) -> None:
    """Write a canonical `(C, H, W)` image into a flat buffer: pixel p, vector c at `(base + p *
    stride + c) * lanes`.

    Lanes beyond the last channel are zero.
    """
    lanes, count = layout["lanes"], -(-layout["channels"] // layout["lanes"])
    channels, height, width = image.shape
    padded = np.zeros((height * width, count * lanes), buffer.dtype)
    padded[:, :channels] = image.reshape(channels, -1).T
    _pixels(buffer, layout)[:] = padded.reshape(height * width, count, lanes)


def unpack(buffer: np.ndarray, layout: dict[str, Any]) -> np.ndarray:
    """Read a canonical `(C, H, W)` image from a flat buffer."""
    shape = layout["channels"], layout["height"], layout["width"]
    pixels = _pixels(buffer, layout)
    return np.ascontiguousarray(pixels.reshape(len(pixels), -1)[:, : shape[0]].T).reshape(shape)


def _pixels(buffer: np.ndarray, layout: dict[str, Any]) -> np.ndarray:
    """A view `(pixels, vectors, lanes)` of the tensor in its buffer."""
    lanes, stride, base = layout["lanes"], layout["stride"], layout["base"]
    count, size = -(-layout["channels"] // lanes), buffer.itemsize
    pixels = layout["height"] * layout["width"]
    part = buffer[base * lanes :]
    return np.lib.stride_tricks.as_strided(
        part, (pixels, count, lanes), (stride * lanes * size, lanes * size, size)
    )


def apply_steps(array: np.ndarray, steps: list[list[Any]]) -> np.ndarray:
    """Apply the manifest's steps: ["reshape", shape], ["transpose", perm] or ["columns", [kernel,
    ...]]."""
    actions: dict[str, Callable[..., np.ndarray]] = {
        "reshape": np.reshape,
        "transpose": np.transpose,
        "columns": unfold_columns,
    }
    for kind, argument in steps:
        array = actions[kind](array, argument)
    return array


def unfold_columns(array: np.ndarray, columns: list[int]) -> np.ndarray:
    """Unfold windows of columns of a `(1, C, H, W)` array into channels: `(1, kernel * C, H,
    count)`.

    `columns` is kernel, stride, dilation, left, count: channel kx * C + c at column x is channel c
    at column x * stride + kx * dilation - left, zero outside.
    """
    kernel, stride, dilation, left, count = columns
    _, channels, height, width = array.shape
    result = np.zeros((1, kernel, channels, height, count), array.dtype)
    for kx in range(kernel):
        at = np.arange(count) * stride + kx * dilation - left
        inside = (at >= 0) & (at < width)
        result[0, kx, :, :, inside] = array[0][:, :, at[inside]].transpose(2, 0, 1)
    return result.reshape(1, kernel * channels, height, count)
