"""Sliding-window geometry shared by convolution and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from hlsgen.kernel.memory import MEMORY_DISTANCE

# Positions of a padded input that a kernel may walk.
LARGEST_RASTER = 1 << 28
# Height and width of the largest window, dilation included.
LARGEST_EXTENT = 1 << 13

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


@dataclass(frozen=True)
class Window:
    """A sliding window: (vertical, horizontal) `kernel`, `stride`, `dilation`; `pads` top, left,
    bottom, right."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)

    @cached_property
    def extent(self) -> tuple[int, int]:
        """Height and width of the region one output sees, dilation included."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True))  # type: ignore[return-value]

    @property
    def taps(self) -> int:
        """Number of filter positions."""
        return self.kernel[0] * self.kernel[1]

    def bordered(self, pads: Sequence[int]) -> Window:
        """The window with larger pads: top, left, bottom, right."""
        top, left, bottom, right = (a + b for a, b in zip(self.pads, pads, strict=True))
        return replace(self, pads=(top, left, bottom, right))

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Output height and width by ONNX's formula (floor). Zero or less when the window does not
        fit."""
        top, left, bottom, right = self.pads
        return (
            (height + top + bottom - self.extent[0]) // self.stride[0] + 1,
            (width + left + right - self.extent[1]) // self.stride[1] + 1,
        )

    def scan_size(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the padded raster that a streaming kernel walks: all input, and all
        that outputs need."""
        rows, columns = self.output_size(height, width)
        return (
            max(self.pads[0] + height, (rows - 1) * self.stride[0] + self.extent[0]),
            max(self.pads[1] + width, (columns - 1) * self.stride[1] + self.extent[1]),
        )

    def patches(self, image: np.ndarray, fill: float) -> np.ndarray:
        """All patches of a `(C, H, W)` image: `(C, taps, OH, OW)`, borders filled with `fill`."""
        channels, height, width = image.shape
        rows, columns = self.output_size(height, width)
        scan = self.scan_size(height, width)
        padded = np.full((channels, *scan), fill, image.dtype)
        padded[:, self.pads[0] : self.pads[0] + height, self.pads[1] : self.pads[1] + width] = image
        taps = []
        for ky in range(self.kernel[0]):
            for kx in range(self.kernel[1]):
                y, x = ky * self.dilation[0], kx * self.dilation[1]
                taps.append(
                    padded[
                        :,
                        y : y + (rows - 1) * self.stride[0] + 1 : self.stride[0],
                        x : x + (columns - 1) * self.stride[1] + 1 : self.stride[1],
                    ]
                )
        return np.stack(taps, axis=1)


def keeps_history(window: Window, vectors: int) -> bool:
    """Whether a streaming kernel keeps the columns of its window in a memory: a word of it rests
    for as many turns as a pixel has `vectors`. Where that is less than a memory's latency they are
    shift registers."""
    return window.extent[1] > 1 and vectors >= MEMORY_DISTANCE


def keeps_lines(window: Window, length: int) -> bool:
    """Whether it keeps the window's upper rows in a memory: a word of it rests for a row, of
    `length` vectors. Else they are shift registers."""
    return window.extent[0] > 1 and length >= MEMORY_DISTANCE


def imported_window(
    node: NodeImporter, kernel: tuple[int, ...], size: tuple[int, ...]
) -> tuple[Window | None, Window]:
    """The windows of a node over depth (None for one or two dimensions; its second axis is idle)
    and over height and width.

    One-dimensional windows lie along the width. `size`: of the input, as many axes as `kernel`.
    """
    count = len(kernel)
    strides, dilations = (
        node.attribute("strides", (1,) * count),
        node.attribute("dilations", (1,) * count),
    )
    pads = node.attribute("pads", None) or (0,) * (2 * count)
    if not count == len(strides) == len(dilations) == len(size) == len(pads) // 2:
        raise node.unsupported(
            f"kernel {list(kernel)}, strides, dilations and pads of different lengths",
            "give one an axis",
        )
    if min(*kernel, *strides, *dilations) < 1 or min(pads) < 0:
        raise node.unsupported(
            f"kernel {list(kernel)}, strides {list(strides)}, dilations {list(dilations)}, "
            f"pads {list(pads)}",
            "kernel, strides and dilations must be positive, pads not negative",
        )
    axes = [
        (kernel[i], strides[i], dilations[i], pads[i], pads[i + count], size[i])
        for i in range(count)
    ]
    idle = (1, 1, 1, 0, 0, 1)
    auto = node.attribute("auto_pad", "")

    def window(first: tuple[int, ...], second: tuple[int, ...]) -> Window:
        pairs = list(zip(first, second, strict=True))
        explicit = (first[3], second[3], first[4], second[4])
        chosen = explicit_pads(auto, explicit, pairs[5], pairs[0], pairs[1], pairs[2])
        found = Window(pairs[0], pairs[1], pairs[2], chosen)
        if max(found.extent) > LARGEST_EXTENT or prod(found.scan_size(*pairs[5])) > LARGEST_RASTER:
            raise node.unsupported(
                f"a window of {list(found.extent)} with pads {list(chosen)} is too large",
                "use smaller windows and pads",
            )
        return found

    if count == 1:
        return None, window(idle, axes[0])
    return (window(axes[0], idle) if count == 3 else None), window(axes[-2], axes[-1])


def explicit_pads(
    auto_pad: str,
    pads: tuple[int, int, int, int] | None,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[int, int, int, int]:
    """ONNX `auto_pad` and `pads` as top, left, bottom, right (SAME: output = ceil(input /
    stride))."""
    if auto_pad in ("", "NOTSET"):
        return pads or (0, 0, 0, 0)
    if auto_pad == "VALID":
        return (0, 0, 0, 0)
    before, after = [], []
    for length, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max((-(-length // s) - 1) * s + (k - 1) * d + 1 - length, 0)
        small, large = total // 2, total - total // 2
        before.append(small if auto_pad == "SAME_UPPER" else large)
        after.append(large if auto_pad == "SAME_UPPER" else small)
    return (before[0], before[1], after[0], after[1])
