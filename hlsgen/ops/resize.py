"""Resize, and Upsample, which the ONNX converter turns into it: nearest is data movement, linear a
blend of two neighbours along one axis after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import onnx

from hlsgen.graph import Tensor
from hlsgen.ops.base import Importer
from hlsgen.ops.importing import LARGEST_TENSOR
from hlsgen.types import ANY

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class Resize(Importer):
    """ONNX Resize (nearest, linear) of height and width."""

    types = ANY
    onnx_types: ClassVar[dict[str, str]] = {
        "Resize": "modes nearest and linear over height and width; constant scales or sizes; all "
        "coordinate_transformation_modes "
        "but tf_crop_and_resize; all nearest_modes",
        "Upsample": "modes nearest and linear; constant scales",
    }
    makes = ("gather",)

    def import_node(self, node: NodeImporter) -> None:
        """Import Resize."""
        source = node.spatial(0, (3, 4))
        shape = node.value(0).view.value_shape
        sizes, scales = target(node, shape)
        if sizes[:2] != shape[:2] or scales[:2] != (1, 1):
            raise node.unsupported(f"it changes batch or channels: {list(shape)} to {list(sizes)}")
        mode = node.attribute("mode", "nearest")
        if mode not in ("nearest", "linear") or node.attribute("antialias", 0):
            raise node.unsupported(
                f"mode {mode}, antialias {node.attribute('antialias', 0)}", "use nearest or linear"
            )
        if not 0 < prod(sizes) <= LARGEST_TENSOR:
            raise node.unsupported(
                f"its result {list(sizes)} is empty or too large", "use other scales"
            )
        at = [
            coordinates(node, n, size, scale)
            for n, size, scale in zip(shape, sizes, scales, strict=True)
        ][2:]
        if len(at) == 1:
            at.insert(0, np.zeros(1))
        if mode == "linear" and source.type.integer:
            raise node.unsupported(
                f"it blends values of type {source.type.name}", "put DequantizeLinear before it"
            )
        result = nearest(node, source, at) if mode == "nearest" else linear(node, source, at)
        node.bind_spatial(result, sizes)


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
        return tuple(int(np.floor(n * s)) for n, s in zip(shape, scales, strict=True)), tuple(
            scales
        )
    if node.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise node.unsupported("keep_aspect_ratio_policy", "give the sizes themselves")
    sizes = list(shape)
    for axis, size in zip(axes, node.need_constant(3, "sizes").ravel(), strict=True):
        sizes[axis] = int(size)
    return tuple(sizes), tuple(size / n for size, n in zip(sizes, shape, strict=True))


def coordinates(node: NodeImporter, length: int, size: int, scale: float) -> np.ndarray:
    """Input coordinate of every output position along one axis, by ONNX's
    coordinate_transformation_mode."""
    x = np.arange(size, dtype=np.float64)
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


def nearest(node: NodeImporter, source: Tensor, at: list[np.ndarray]) -> Tensor:
    """Each position takes the value at its rounded coordinate."""
    mode = node.attribute("nearest_mode", "round_prefer_floor")
    rounders: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "round_prefer_floor": lambda x: np.ceil(x - 0.5),
        "round_prefer_ceil": lambda x: np.floor(x + 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
    }
    rounded = rounders[mode]
    y, x = (
        np.clip(rounded(axis), 0, size - 1).astype(int)
        for axis, size in zip(at, (source.height, source.width), strict=True)
    )
    index = np.arange(source.size).reshape(source.shape)
    return node.gather(source, index[:, y][:, :, x], "nearest")


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
