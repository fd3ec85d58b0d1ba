"""Feature maps and constants of different shapes side by side: numpy's broadcasting, in the layout
that the data have."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from hlsgen.graph import Tensor, View
from hlsgen.ops.importing import LARGEST_TENSOR, Value, canonical_shape, one_a_channel

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

FLOAT_MAX = float(np.finfo(np.float32).max)


def common_shape(node: NodeImporter, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a function of operands of these shapes. Raises UnsupportedError where there is
    none, or where no kernel could address it."""
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " and ".join(str(list(shape)) for shape in shapes)
        raise node.unsupported(f"shapes {listed} do not broadcast") from None
    if prod(shape) > LARGEST_TENSOR:
        raise node.unsupported(
            f"its result {list(shape)} is too large", f"the most is {LARGEST_TENSOR:,} values"
        )
    return shape


def layout_of(shape: tuple[int, ...], *values: Value) -> View:
    """How a result lies in memory: as the first value of that shape does, else in order."""
    first = next((v for v in values if v.view.value_shape == shape and v.tensor.size > 1), None)
    return first.view if first else View((1, *canonical_shape(shape))).then("reshape", shape)


def fit(
    node: NodeImporter, value: Value, shape: tuple[int, ...], view: View
) -> tuple[Tensor, bool]:
    """The tensor of an operand in the layout `view` of the result, and whether it is one pixel that
    serves all."""
    index = view.invert(np.broadcast_to(value.view.indices, shape))[0]
    channels = np.arange(value.tensor.size)
    if value.tensor.shape == view.shape[1:] and np.array_equal(index.ravel(), channels):
        return value.tensor, False
    one_pixel = value.tensor.pixels == 1 and value.tensor.channels == view.shape[1]
    if one_pixel and np.array_equal(
        index, np.broadcast_to(channels[:, None, None], view.shape[1:])
    ):
        return value.tensor, True
    return node.gather(
        value.tensor, index, "broadcast" if index.size > value.tensor.size else "new layout"
    ), False


def expanded(node: NodeImporter, value: Value, shape: tuple[int, ...]) -> Value:
    """The value broadcast to `shape`; itself where it has it."""
    if value.view.value_shape == shape:
        return value
    view = layout_of(shape)
    index = view.invert(np.broadcast_to(value.view.indices, shape))[0]
    return Value(node.gather(value.tensor, index, "broadcast"), view)


def spread_constants(
    node: NodeImporter, value: Value, *constants: np.ndarray
) -> tuple[list[np.ndarray], Value]:
    """Constants that broadcast to a value's shape, and the value: one number a channel `(C,)` each
    where none varies within one, if need be with the value moved into canonical order; else
    `(C, H, W)` as the value lies."""
    value = node.packed(value)
    shape = value.view.value_shape
    full = [np.broadcast_to(finite(constant), shape) for constant in constants]
    own = [value.view.invert(array) for array in full]
    found = numbers_of_channels(own)
    if found is not None:
        return found, value
    found = numbers_of_channels([array.reshape(1, *canonical_shape(shape)) for array in full])
    if found is not None:
        return found, node.in_order(value)
    return [np.ascontiguousarray(array[0], np.float32) for array in own], value


def numbers_of_channels(canonical: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    """The numbers of the channels of `(1, C, H, W)` arrays; None where one varies within one."""
    found = [one_a_channel(array) for array in canonical]
    known = [numbers for numbers in found if numbers is not None]
    return known if len(known) == len(found) else None


def constant_map(node: NodeImporter, constant: np.ndarray, view: View, pace: Tensor) -> Tensor:
    """A feature map that holds a constant, in the layout `view`. It leaves out all that it reads:
    `pace` is what starts it."""
    canonical = view.invert(finite(constant))[0]
    nowhere = np.full(canonical.shape, -1, np.int32)
    first = float(canonical.flat[0])
    if np.all(canonical == first):
        return node.gather(pace, nowhere, "constant", first)
    zeros = node.gather(pace, nowhere, "constant")
    weights = {"scale": np.ones_like(canonical), "bias": canonical}
    return node.add("scale", None, [zeros], zeros.shape, weights=weights, part="constant")


def placed_constant(node: NodeImporter, constant: np.ndarray, beside: Value) -> Value:
    """A constant as a feature map that lies as `beside` does, where that has as many dimensions and
    was seen through transpositions alone; else in order."""
    view = View((1, *canonical_shape(constant.shape))).then("reshape", constant.shape)
    steps = beside.view.steps
    if constant.ndim == 4 and steps and all(kind == "transpose" for kind, _ in steps):
        seen = np.broadcast_to(np.int8(0), constant.shape)
        for _, order in reversed(steps):
            seen = seen.transpose(np.argsort(order))
        if seen.shape[0] == 1:
            view = View(seen.shape, steps)
    elif view.value_shape == view.shape:
        view = View(view.shape)
    return Value(constant_map(node, constant, view, beside.tensor), view)


def finite(constant: np.ndarray) -> np.ndarray:
    """A constant in float32 whose infinities, with which networks mask what should not count, are
    the largest numbers."""
    with np.errstate(over="ignore"):
        found = np.asarray(constant).astype(np.float32)
    return np.asarray(np.nan_to_num(found, nan=np.nan, posinf=FLOAT_MAX, neginf=-FLOAT_MAX))
