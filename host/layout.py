"""Feature maps in device memory, and how ONNX values relate to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .manifest import Layout, Preparation, Step


def pack(image: np.ndarray, layout: Layout) -> np.ndarray:
    """A canonical `(C, H, W)` image as it lies in memory, from its first element to its last: pixel
    p, vector c at `(p * stride + c) * lanes`. All other values, lanes beyond the last channel among
    them, are zero."""
    channels, height, width = image.shape
    padded = np.zeros((height * width, layout.vectors * layout.lanes), image.dtype)
    padded[:, :channels] = image.reshape(channels, -1).T
    span = np.zeros(layout.span, image.dtype)
    _pixels(span, layout)[:] = padded.reshape(height * width, layout.vectors, layout.lanes)
    return span


def unpack(span: np.ndarray, layout: Layout) -> np.ndarray:
    """The canonical `(C, H, W)` image of what lies in memory from its first element to its last."""
    pixels = _pixels(span, layout)
    flat = pixels.reshape(len(pixels), -1)[:, : layout.channels].T
    return np.ascontiguousarray(flat).reshape(layout.channels, layout.height, layout.width)


def _pixels(span: np.ndarray, layout: Layout) -> np.ndarray:
    """A view `(pixels, vectors, lanes)` of a tensor in its memory."""
    lanes, size = layout.lanes, span.itemsize
    return np.lib.stride_tricks.as_strided(
        span,
        (layout.pixels, layout.vectors, lanes),
        (layout.stride * lanes * size, lanes * size, size),
    )


def prepared(
    value: np.ndarray, preparation: Preparation | None, kind: str = "float32"
) -> np.ndarray:
    """An input `(1, ...)` in numpy's type `kind`, after its preparation."""
    result = value.astype(kind, copy=False)
    if preparation is None:
        return result
    spread = [1] * value.ndim
    spread[preparation.axis] = -1
    scale, shift = (
        np.array(numbers, np.float32).reshape(spread)
        for numbers in (preparation.scale, preparation.shift)
    )
    return result * scale + shift


def apply_steps(array: np.ndarray, steps: Sequence[Step]) -> np.ndarray:
    """Apply the manifest's steps, one after another."""
    actions: dict[str, Callable[..., np.ndarray]] = {
        "reshape": np.reshape,
        "transpose": np.transpose,
        "columns": unfold_columns,
    }
    for kind, argument in steps:
        array = actions[kind](array, argument)
    return array


def unfold_columns(array: np.ndarray, columns: Sequence[int]) -> np.ndarray:
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
