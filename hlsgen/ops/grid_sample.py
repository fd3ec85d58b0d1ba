"""GridSample by a constant grid: every value of the result is a sum of values at constant places
times constant weights."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.graph import View
from hlsgen.ops.binary import joined
from hlsgen.ops.compose import apply
from hlsgen.ops.importer import Importer
from hlsgen.ops.importing import Value
from hlsgen.ops.resize_matrix import cubic, hat

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

# The taps along an axis by mode: their distances from the coordinate, rounded down.
TAPS = {"nearest": (0,), "linear": (0, 1), "cubic": (-1, 0, 1, 2)}
MODES = {"bilinear": "linear", "bicubic": "cubic"}  # as opset 16 called them
WEIGHTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "nearest": np.ones_like,
    "linear": hat,
    "cubic": lambda distance: cubic(distance, -0.75),
}


class GridSample(Importer):
    """A movement a tap, times its weights, summed."""

    onnx_types: ClassVar[dict[str, str]] = {
        "GridSample": "constant grid over height and width; all modes, padding_modes; align_corners"
    }
    makes = ("gather", "scale", "binary")

    def import_node(self, node: NodeImporter) -> None:
        """Import GridSample."""
        value, grid = node.value(0), node.need_constant(1, "grid").astype(np.float64)
        shape = value.view.value_shape
        if len(shape) != 4 or shape[0] != 1 or grid.shape[0] != 1:
            raise node.unsupported(
                f"an input {list(shape)} and a grid {list(grid.shape)}", "sample one image"
            )
        mode = node.attribute("mode", "linear")
        mode = MODES.get(mode, mode)
        axes = [taps_of(node, grid[0, ..., 1 - i], shape[2 + i], mode) for i in range(2)]
        index = value.view.indices
        result: Value | None = None
        for (row, down), (column, across) in product(*axes):
            here = (row >= 0) & (column >= 0)
            weight = np.where(here, down * across, 0)
            if not weight.any():
                continue
            places = np.where(here, index[:, :, np.maximum(row, 0), np.maximum(column, 0)], -1)
            part = node.gather(value.tensor, places[0], "grid")
            term = Value(part, View((1, *part.shape)))
            if not np.all(weight == 1):
                term = apply(node, "Mul", term, weight.astype(np.float32))
            result = term if result is None else joined(node, "add", result, term)
        if result is None:
            raise node.unsupported("its grid lies outside the image", "use another grid")
        node.bind(result.tensor, result.view)


def taps_of(
    node: NodeImporter, grid: np.ndarray, length: int, mode: str
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For every tap along an axis its places, -1 where it reads 0, and its weights."""
    corners = bool(node.attribute("align_corners", 0))
    padding = node.attribute("padding_mode", "zeros")
    low, high = (0.0, length - 1.0) if corners else (-0.5, length - 0.5)
    at = (grid + 1) / 2 * (high - low) + low
    if mode != "cubic":  # a cubic's taps are kept inside one by one
        at = inside(at, padding, low, high, length)
    if mode == "nearest":
        at = np.rint(at)
    start, found = np.floor(at).astype(int), []
    for tap in TAPS[mode]:
        place = start + tap
        weight = WEIGHTS[mode](np.abs(at - place))
        if mode == "cubic":
            moved = inside(place.astype(np.float64), padding, low, high, length)
            place = np.rint(moved).astype(int)
        outside = (place < 0) | (place >= length)
        found.append((np.where(outside, -1, place), weight))
    return found


def inside(at: np.ndarray, padding: str, low: float, high: float, length: int) -> np.ndarray:
    """Coordinates as the padding mode moves them into the image; where it pads with 0 they stay."""
    if padding == "reflection":
        span = high - low
        if span <= 0:
            return np.zeros_like(at)
        folded = np.abs(np.mod(at - low + span, 2 * span) - span)
        at = low + folded
    elif padding != "border":
        return at
    kept: np.ndarray = np.clip(at, 0, length - 1)
    return kept


IMPORTER = GridSample()
