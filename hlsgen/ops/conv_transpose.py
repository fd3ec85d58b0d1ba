"""Transposed convolution as an ordinary one with a filter for every phase of the stride, and a
shuffle of its results.

Output o = q * stride + r - pad takes input q - j times tap r + j * stride, j = 0, 1, ...: for each
phase r this is a convolution over q at stride 1. So no inserted zero is ever multiplied (Shi et
al., "Is the deconvolution layer the same as a convolutional layer?", arXiv:1609.07009).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.ops.conv import ConvAttributes
from hlsgen.ops.importer import Importer
from hlsgen.ops.window import Window

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class ConvTranspose(Importer):
    """ONNX ConvTranspose over one or two spatial dimensions."""

    onnx_types: ClassVar[dict[str, str]] = {
        "ConvTranspose": "one or two spatial dimensions; group, strides, pads, auto_pad, "
        "output_padding, "
        "output_shape, "
        "dilations; constant weights"
    }
    makes = ("conv", "gather")

    def import_node(self, node: NodeImporter) -> None:
        """Import ConvTranspose: weights (C, O/groups, KH, KW)."""
        weight = node.need_constant(1, "weight")
        if weight.ndim not in (3, 4):
            raise node.unsupported(
                f"{weight.ndim - 2} spatial dimensions", "one or two are supported"
            )
        source, count = node.spatial(0, (weight.ndim,)), weight.ndim - 2
        groups = node.attribute("group", 1)
        if weight.shape[0] != source.channels or source.channels % groups:
            raise node.unsupported(
                f"weight {list(weight.shape)} does not fit {source.channels} channels"
            )
        filters = weight.shape[1] * groups
        bias = (
            node.need_constant(2, "bias") if node.input_name(2) else np.zeros(filters, np.float32)
        )
        axes = [
            Axis(*a)
            for a in geometry(node, weight.shape[2:], (source.height, source.width)[-count:])
        ]
        if count == 1:
            axes.insert(0, Axis(1, 1, 0, 1, 1, 1))
            weight = weight[:, :, None]
        # (groups, C/groups, O/groups, KH, KW) -> filters of every phase (O, phases_y, phases_x,
        # C/groups, JH, JW)
        weight = (
            weight.reshape(groups, -1, *weight.shape[1:])
            .swapaxes(1, 2)
            .reshape(filters, -1, *weight.shape[2:])
        )
        phases = phase_filters(
            phase_filters(weight, 2, axes[0]), 4, axes[1]
        )  # (O, I, RH, JH, RW, JW)
        phases = phases.transpose(0, 2, 4, 1, 3, 5)
        per_filter = axes[0].stride * axes[1].stride
        window = Window(
            (axes[0].taps, axes[1].taps),
            pads=(axes[0].taps - 1, axes[1].taps - 1, axes[0].after, axes[1].after),
        )
        attributes = ConvAttributes(filters * per_filter, groups, window)
        weights = {
            "weight": phases.reshape(filters * per_filter, *phases.shape[3:]),
            "bias": np.repeat(bias, per_filter),
        }
        grid = window.output_size(source.height, source.width)
        result = node.add(
            "conv",
            attributes,
            [source],
            (filters * per_filter, *grid),
            weights=weights,
            part="phases",
        )
        index = np.arange(result.size).reshape(filters, axes[0].stride, axes[1].stride, *grid)
        index = index.transpose(0, 3, 1, 4, 2).reshape(
            filters, grid[0] * axes[0].stride, grid[1] * axes[1].stride
        )
        index = index[:, axes[0].pad :, axes[1].pad :][:, : axes[0].size, : axes[1].size]
        if index.shape != result.shape or per_filter > 1:
            result = node.gather(result, index, "phases side by side")
        node.bind_spatial(result, (1, filters, *(axis.size for axis in axes[-count:])))


class Axis:
    """One spatial axis: kernel, stride, pad at the front, dilation, input size, output size."""

    def __init__(self, kernel: int, stride: int, pad: int, dilation: int, source: int, size: int):
        self.stride, self.pad, self.size, self.dilation = stride, pad, size, dilation
        self.extent = (kernel - 1) * dilation + 1
        self.taps = -(-self.extent // stride)
        # The convolution runs over q = 0 ... (size - 1 + pad) // stride; it reads input q last.
        self.after = max((size - 1 + pad) // stride - (source - 1), 0)


def geometry(
    node: NodeImporter, kernel: tuple[int, ...], sizes: tuple[int, ...]
) -> list[tuple[int, ...]]:
    """For each spatial axis: kernel, stride, pad, dilation, input size, output size, by ONNX's
    definition."""
    count = len(kernel)
    strides, dilations = (
        node.attribute("strides", (1,) * count),
        node.attribute("dilations", (1,) * count),
    )
    extra, wanted = (
        node.attribute("output_padding", (0,) * count),
        node.attribute("output_shape", None),
    )
    pads = node.attribute("pads", None) or (0,) * (2 * count)
    auto = node.attribute("auto_pad", "NOTSET")
    found: list[tuple[int, ...]] = []
    for i in range(count):
        extent = (kernel[i] - 1) * dilations[i] + 1
        full = strides[i] * (sizes[i] - 1) + extra[i] + extent
        before, size = pads[i], full - pads[i] - pads[i + count]
        if wanted is not None or auto.startswith("SAME"):
            size = wanted[-count:][i] if wanted is not None else sizes[i] * strides[i]
            total = max(full - size, 0)
            before = total // 2 if auto != "SAME_LOWER" else total - total // 2
            if wanted is not None and auto not in ("SAME_UPPER", "SAME_LOWER"):
                before = total - total // 2
        elif auto == "VALID":
            before, size = 0, full
        found.append((kernel[i], strides[i], before, dilations[i], sizes[i], size))
    return found


def phase_filters(weight: np.ndarray, axis: int, a: Axis) -> np.ndarray:
    """Split `axis` of taps into (phase, tap of the phase), the last input's tap first."""
    shape = list(weight.shape)
    shape[axis] = a.taps * a.stride
    spread = np.zeros(shape, weight.dtype)
    taps = (*[slice(None)] * axis, slice(0, a.extent, a.dilation))
    spread[taps] = weight
    split = spread.reshape((*shape[:axis], a.taps, a.stride, *shape[axis + 1 :]))
    return np.flip(split.swapaxes(axis, axis + 1), axis=axis + 1)


IMPORTER = ConvTranspose()
