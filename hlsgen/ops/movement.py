"""ONNX operators that only move data: numpy moves the array of all indices, and the layer follows
it."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.ops.importer import Importer
from hlsgen.ops.importing import LARGEST_TENSOR
from hlsgen.types import ANY

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class Movement(Importer):
    """Slice, Split, Expand, Tile, DepthToSpace, SpaceToDepth; Gather and GatherElements with
    constant indices."""

    types = ANY
    onnx_types: ClassVar[dict[str, str]] = {
        "Slice": "constant starts, ends, axes, steps; not of the batch",
        "Split": "constant sizes; not of the batch",
        "Expand": "constant shape",
        "Tile": "constant repeats",
        "Gather": "constant indices; not of the batch",
        "GatherElements": "constant indices; not of the batch",
        "DepthToSpace": "blocksize; modes DCR and CRD",
        "SpaceToDepth": "blocksize; modes DCR and CRD",
    }
    makes = ("gather",)

    def import_node(self, node: NodeImporter) -> None:
        """Import one of them."""
        value = node.value(0)
        index = value.view.indices
        mover = {
            "Slice": slice_of,
            "Expand": expand,
            "Tile": tile,
            "Gather": take,
            "GatherElements": take_elements,
            "DepthToSpace": depth_to_space,
            "SpaceToDepth": space_to_depth,
        }.get(node.op_type)
        if mover is None:
            for position, part in enumerate(split(node, index)):
                node.move(value, part, "part", output=position)
        else:
            node.move(value, mover(node, index), node.op_type.lower())


def axis_of(node: NodeImporter, axis: int, rank: int) -> int:
    """A possibly negative axis, counted from the front. Raises UnsupportedError for the batch and
    beyond the shape."""
    if not -rank <= axis < rank:
        raise node.unsupported(f"axis {axis} of {rank} dimensions")
    return axis % rank


def slice_of(node: NodeImporter, index: np.ndarray) -> np.ndarray:
    """Slice."""
    starts, ends = (node.need_constant(i, name).ravel() for i, name in ((1, "starts"), (2, "ends")))
    axes, steps = node.integers(3, "axes"), node.integers(4, "steps")
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    chosen = [slice(None)] * index.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = axis_of(node, int(axis), index.ndim)
        low, high = int(start), int(end)
        size = index.shape[place]
        # ONNX counts negative numbers from the end once, and clamps.
        low = low + size if low < 0 else low
        high = high + size if high < 0 else high
        if step > 0:
            chosen[place] = slice(min(max(low, 0), size), min(max(high, 0), size), int(step))
        else:
            last = min(max(high, -1), size - 1)
            chosen[place] = slice(min(max(low, 0), size - 1), None if last < 0 else last, int(step))
    return index[tuple(chosen)]


def split(node: NodeImporter, index: np.ndarray) -> list[np.ndarray]:
    """Split: sizes, else equal parts (the last may be smaller)."""
    axis = axis_of(node, node.attribute("axis", 0), index.ndim)
    parts = len(node.node.output)
    sizes = node.integers(1, "split")
    if sizes is None:
        length = -(-index.shape[axis] // parts)
        ends = np.minimum(np.arange(1, parts) * length, index.shape[axis])
    else:
        ends = np.cumsum(sizes)[:-1]
    return np.split(index, [int(end) for end in ends], axis=axis)


def expand(node: NodeImporter, index: np.ndarray) -> np.ndarray:
    """Expand: numpy's broadcasting both ways."""
    shape = np.broadcast_shapes(
        index.shape, tuple(int(n) for n in node.need_constant(1, "shape").ravel())
    )
    need_size(node, prod(shape))
    return np.broadcast_to(index, shape)


def tile(node: NodeImporter, index: np.ndarray) -> np.ndarray:
    """Tile."""
    repeats = tuple(int(n) for n in node.need_constant(1, "repeats").ravel())
    need_size(node, index.size * prod(repeats))
    return np.tile(index, repeats)


def need_size(node: NodeImporter, size: int) -> None:
    """Raise UnsupportedError for results that no kernel could address."""
    if not 0 < size <= LARGEST_TENSOR:
        raise node.unsupported(
            f"its result would hold {size:,} values", f"the most is {LARGEST_TENSOR:,}"
        )


def take(node: NodeImporter, index: np.ndarray) -> np.ndarray:
    """Gather along an axis."""
    axis = axis_of(node, node.attribute("axis", 0), index.ndim)
    places = node.need_constant(1, "indices").astype(np.int64)
    need_size(node, index.size // index.shape[axis] * places.size)
    return np.take(index, places, axis=axis)


def take_elements(node: NodeImporter, index: np.ndarray) -> np.ndarray:
    """GatherElements: a place of the axis for every value."""
    axis = axis_of(node, node.attribute("axis", 0), index.ndim)
    places = node.need_constant(1, "indices").astype(np.int64) % index.shape[axis]
    need_size(node, places.size)
    inside = tuple(slice(None if n == axis else size) for n, size in enumerate(places.shape))
    return np.take_along_axis(index[inside], places, axis)


def depth_to_space(node: NodeImporter, index: np.ndarray) -> np.ndarray:
    """DepthToSpace by ONNX's definition."""
    size = node.attribute("blocksize", 1)
    batch, channels, height, width = index.shape
    inner = channels // (size * size)
    if node.attribute("mode", "DCR") == "DCR":
        blocks = index.reshape(batch, size, size, inner, height, width).transpose(0, 3, 4, 1, 5, 2)
    else:
        blocks = index.reshape(batch, inner, size, size, height, width).transpose(0, 1, 4, 2, 5, 3)
    pixels: np.ndarray = blocks.reshape(batch, inner, height * size, width * size)
    return pixels


def space_to_depth(node: NodeImporter, index: np.ndarray) -> np.ndarray:
    """SpaceToDepth by ONNX's definition."""
    size = node.attribute("blocksize", 1)
    batch, channels, height, width = index.shape
    order = (0, 3, 5, 1, 2, 4) if node.attribute("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    blocks = index.reshape(batch, channels, height // size, size, width // size, size).transpose(
        order
    )
    pixels: np.ndarray = blocks.reshape(
        batch, channels * size * size, height // size, width // size
    )
    return pixels


IMPORTER = Movement()
