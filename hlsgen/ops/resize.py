"""Resize, and Upsample, which the ONNX converter turns into it: nearest is data movement, linear a
blend of two neighbours along one axis after the other, cubic a matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import onnx

from hlsgen.graph import Tensor
from hlsgen.ops.importer import Importer
from hlsgen.ops.importing import LARGEST_TENSOR
from hlsgen.ops.linear import along_axis
from hlsgen.ops.resize_matrix import kernel_of, resize_matrix
from hlsgen.types import ANY

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter, Value


class Resize(Importer):
    """ONNX Resize. Over height and width nearest is one movement and linear a blend of two
    neighbours; all else is a matrix along each axis."""

    types = ANY
    onnx_types: ClassVar[dict[str, str]] = {
        "Resize": "any axes but the batch; modes nearest, linear, cubic; antialias; constant "
        "scales or sizes; all coordinate_transformation_modes but tf_crop_and_resize",
        "Upsample": "modes nearest and linear; constant scales",
    }
    makes = ("gather", "conv")

    def import_node(self, node: NodeImporter) -> None:
        """Import Resize."""
        value = node.value(0)
        shape = value.view.value_shape
        sizes, scales = target(node, shape)
        if not shape or sizes[0] != shape[0] or scales[0] != 1:
            raise node.unsupported(f"it changes the batch: {list(shape)} to {list(sizes)}")
        mode = node.attribute("mode", "nearest")
        if not 0 < prod(sizes) <= LARGEST_TENSOR:
            raise node.unsupported(
                f"its result {list(sizes)} is empty or too large", "use other scales"
            )
        at = [
            coordinates(node, n, size, scale)
            for n, size, scale in zip(shape, sizes, scales, strict=True)
        ]
        if mode != "nearest" and value.tensor.type.integer:
            raise node.unsupported(
                f"it blends values of type {value.tensor.type.name}",
                "put DequantizeLinear before it",
            )
        if mode == "nearest":
            node.move(value, nearest(node, value.view.indices, at), "nearest")
        elif mode == "linear" and is_blend(node, shape, sizes):
            planes = [np.zeros(1)] * (len(shape) == 3) + at[2:]
            node.bind_spatial(linear(node, node.spatial(0, (3, 4)), planes), sizes)
        else:
            result = by_matrices(node, value, at, scales)
            node.bind(result.tensor, result.view)


def is_blend(node: NodeImporter, shape: tuple[int, ...], sizes: tuple[int, ...]) -> bool:
    """Whether a linear Resize blends two neighbours along height and width."""
    space = len(shape) in (3, 4) and shape[0] == 1 and sizes[1] == shape[1]
    return space and not node.attribute("antialias", 0) and not node.attribute("exclude_outside", 0)


def by_matrices(
    node: NodeImporter, value: Value, at: list[np.ndarray], scales: tuple[float, ...]
) -> Value:
    """Axis after axis, the last first; one that does not change costs nothing."""
    kernel = kernel_of(node.attribute("mode", ""), float(node.attribute("cubic_coeff_a", -0.75)))
    smooth = bool(node.attribute("antialias", 0))
    inside = bool(node.attribute("exclude_outside", 0))
    for axis in reversed(range(len(at))):
        length = value.view.value_shape[axis]
        stretch = max(1 / scales[axis], 1.0) if smooth else 1.0
        matrix = resize_matrix(kernel, at[axis], length, stretch, inside)
        if matrix.shape != (length, length) or not np.array_equal(matrix, np.eye(length)):
            value = along_axis(node, value, matrix, axis, f"axis_{axis}")
    return value


def keep_coordinates(nodes: Iterable[onnx.NodeProto]) -> None:
    """Mark, in place, the Resize nodes of a model that was converted from before opset 11.

    Coordinates were x / scale then, rounded down; the converter leaves out the attributes that say
    so, and the defaults differ.
    """
    for node in nodes:
        if node.op_type == "Resize":
            node.attribute.extend(
                (
                    onnx.helper.make_attribute("coordinate_transformation_mode", "asymmetric"),
                    onnx.helper.make_attribute("nearest_mode", "floor"),
                )
            )


def target(node: NodeImporter, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Output sizes and scales, from whichever the node gives."""
    rank = len(shape)
    axes = [a % rank for a in node.attribute("axes", tuple(range(rank)))]
    if node.input_name(2) and (found := node.need_constant(2, "scales")).size:
        scales = [1.0] * rank
        for axis, scale in zip(axes, found.ravel(), strict=True):
            scales[axis] = float(scale)
        lengths = np.floor(np.array(shape, np.float32) * np.array(scales, np.float32))
        return tuple(int(n) for n in lengths), tuple(scales)
    sizes = list(shape)
    for axis, size in zip(axes, node.need_constant(3, "sizes").ravel(), strict=True):
        sizes[axis] = int(size)
    factors = [size / n for size, n in zip(sizes, shape, strict=True)]
    policy = node.attribute("keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        one = {"not_larger": min, "not_smaller": max}[policy](factors[axis] for axis in axes)
        for axis in axes:
            sizes[axis], factors[axis] = int(one * shape[axis] + 0.5), one
    return tuple(sizes), tuple(factors)


def coordinates(node: NodeImporter, length: int, size: int, scale: float) -> np.ndarray:
    """Input coordinate of every output position along one axis, by ONNX's
    coordinate_transformation_mode; in float32 as onnxruntime, so that halves are rounded alike."""
    x = np.arange(size, dtype=np.float32)
    mode = node.attribute("coordinate_transformation_mode", "half_pixel")
    if mode == "half_pixel":
        return (x + 0.5) / scale - 0.5
    if mode == "half_pixel_symmetric":
        adjustment = size / (length * scale)
        return length / 2 * (1 - adjustment) + (x + 0.5) / scale - 0.5
    if mode == "pytorch_half_pixel":
        return (x + 0.5) / scale - 0.5 if size > 1 else np.zeros(1)
    if mode == "align_corners":
        if abs(length * scale - size) > 1e-4:
            # ONNX's reference divides by length * scale - 1, onnxruntime by size - 1.
            raise node.unsupported(
                f"align_corners with scale {scale:g} of {length}, which is no whole number",
                "give sizes in place of scales",
            )
        return x * (length - 1) / (size - 1) if size > 1 else np.zeros(1)
    if mode == "asymmetric":
        return x / scale
    raise node.unsupported(f"coordinate_transformation_mode {mode}", "crop with Slice first")


def nearest(node: NodeImporter, index: np.ndarray, at: list[np.ndarray]) -> np.ndarray:
    """Each position takes the value at its rounded coordinate."""
    mode = node.attribute("nearest_mode", "round_prefer_floor")
    rounders: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "round_prefer_floor": lambda x: np.ceil(x - 0.5),
        "round_prefer_ceil": lambda x: np.floor(x + 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
    }
    for axis, places in enumerate(at):
        chosen = np.clip(rounders[mode](places), 0, index.shape[axis] - 1).astype(int)
        index = np.take(index, chosen, axis=axis)
    return index


def linear(node: NodeImporter, source: Tensor, at: list[np.ndarray]) -> Tensor:
    """Rows first, then columns; an axis that does not change costs nothing."""
    for axis, name in ((1, "y"), (2, "x")):
        size = source.shape[axis]
        where = np.clip(at[axis - 1], 0, size - 1)
        if np.array_equal(where, np.arange(size)):
            continue
        low = np.minimum(np.floor(where).astype(int), max(size - 2, 0))
        index = np.arange(source.size).reshape(source.shape)
        blend = {"other": np.take(index, np.minimum(low + 1, size - 1), axis=axis).astype(np.int32),
                 "weight": (where - low).astype(np.float32), "axis": name}  # fmt: skip
        source = node.gather(source, np.take(index, low, axis=axis), "linear", blend=blend)
    return source


IMPORTER = Resize()
