"""Layers as products of matrices: what a filter meets becomes a column, one a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx

# A layer with more columns is fitted in parts of at most so many, each to its own share of the
# result: time grows with the cube.
MOST_COLUMNS = 1536


@dataclass(frozen=True)
class Window:
    """What an output pixel of a convolution sees; one number a spatial axis."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    auto_pad: str

    def padding(self, sizes: Sequence[int]) -> list[tuple[int, int]]:
        """Zeros before and behind each spatial axis of an input of these sizes."""
        rank = len(self.kernel)
        if not self.auto_pad.startswith("SAME"):
            return [(self.pads[i], self.pads[rank + i]) for i in range(rank)]
        found = []
        for i, size in enumerate(sizes):
            extent = (self.kernel[i] - 1) * self.dilations[i] + 1
            total = max((-(-size // self.strides[i]) - 1) * self.strides[i] + extent - size, 0)
            less, more = total // 2, total - total // 2
            found.append((less, more) if self.auto_pad == "SAME_UPPER" else (more, less))
        return found


@dataclass(frozen=True)
class Unfolding:
    """A layer as `parts` products of matrices `(rows, columns)` with `(columns, samples)`: one a
    group, or one a part of the input channels (`summed`), whose products add up. `outputs_first`:
    the axis of the output channels comes first in the weights."""

    parts: int
    summed: bool
    outputs_first: bool
    window: Window | None

    def matrix(self, values: np.ndarray) -> np.ndarray:
        """Weights as `(parts, rows, columns)`, float64."""
        two = values if self.outputs_first else values.T
        rows = len(two)
        found: np.ndarray = (
            two.reshape(rows, self.parts, -1).transpose(1, 0, 2)
            if self.summed
            else two.reshape(self.parts, rows // self.parts, -1)
        )
        return found.astype(np.float64)

    def values(self, matrix: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Weights of `shape`, float32, of a matrix `(parts, rows, columns)`."""
        if self.summed:
            matrix = matrix.transpose(1, 0, 2)
        if self.outputs_first:
            return np.ascontiguousarray(matrix.reshape(shape), np.float32)
        return np.ascontiguousarray(matrix.reshape(shape[::-1]).T, np.float32)

    def columns(self, x: np.ndarray) -> np.ndarray:
        """What a layer's input says as `(parts, columns, samples)`."""
        if self.window is None:
            samples = x.size // x.shape[-1]
            plain: np.ndarray = x.reshape(samples, -1).T.reshape(self.parts, -1, samples)
            return plain
        window, rank = self.window, len(self.window.kernel)
        padded = np.pad(x, [(0, 0), (0, 0), *window.padding(x.shape[2:])])
        extents = [(k - 1) * d + 1 for k, d in zip(window.kernel, window.dilations, strict=True)]
        axes = tuple(range(2, 2 + rank))
        seen = np.lib.stride_tricks.sliding_window_view(padded, extents, axis=axes)
        steps = (slice(None, None, step) for step in (*window.strides, *window.dilations))
        whole = slice(None)
        places = (whole, whole, *steps)
        seen = seen[places]
        # images, channels, pixels, taps -> channels, taps, images, pixels
        order = (1, *range(2 + rank, 2 + 2 * rank), 0, *axes)
        samples = len(x) * prod(seen.shape[2 : 2 + rank])
        columns: np.ndarray = seen.transpose(order).reshape(self.parts, -1, samples)
        return columns


def unfolding(node: onnx.NodeProto, shape: Sequence[int]) -> Unfolding | None:
    """How a layer whose weights have `shape` unfolds; None where it does not: transposed
    convolutions, transposed inputs, products of stacks of matrices."""
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "Conv":
        rank = len(shape) - 2
        window = Window(
            tuple(shape[2:]),
            tuple(attributes.get("strides", (1,) * rank)),
            tuple(attributes.get("dilations", (1,) * rank)),
            tuple(attributes.get("pads", (0,) * 2 * rank)),
            attributes.get("auto_pad", b"NOTSET").decode(),
        )
        groups = attributes.get("group", 1)
        if groups > 1:
            return Unfolding(groups, False, True, window)
        return Unfolding(divisor(shape[1], prod(shape[2:])), True, True, window)
    if node.op_type == "ConvTranspose" or len(shape) != 2 or attributes.get("transA"):
        return None
    first = bool(attributes.get("transB"))
    return Unfolding(divisor(shape[1 if first else 0], 1), True, first, None)


def divisor(channels: int, taps: int) -> int:
    """The fewest equal parts of so many input channels that have few enough columns."""
    return next(
        n
        for n in range(1, channels + 1)
        if channels % n == 0 and (channels // n * taps <= MOST_COLUMNS or n == channels)
    )
