"""Reductions over any axes, in terms of other operators: means of channels' planes, largest values
of windows, sums over channels as convolutions with ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.activation import Activation
from hlsgen.graph import Tensor, View
from hlsgen.ops.binary import joined
from hlsgen.ops.compose import apply
from hlsgen.ops.importer import Importer
from hlsgen.ops.importing import Value
from hlsgen.ops.linear import mixed
from hlsgen.ops.pool import PoolAttributes
from hlsgen.ops.window import Window
from hlsgen.ops.with_constant import activated

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

# Rows and columns of the windows in which the largest value is looked for.
WINDOW = 4
Reducer = Callable[["NodeImporter", Value, Sequence[int]], Value]


class Reduction(Importer):
    """Sums, means, extremes, norms and products over some axes."""

    onnx_types: ClassVar[dict[str, str]] = {
        **dict.fromkeys(
            (
                "ReduceMean",
                "ReduceSum",
                "ReduceMax",
                "ReduceMin",
                "ReduceProd",
                "ReduceL1",
                "ReduceL2",
                "ReduceSumSquare",
                "ReduceLogSum",
                "ReduceLogSumExp",
            ),
            "any axes but the batch; keepdims",
        ),
        "GlobalMaxPool": "",
    }
    makes = ("global_average_pool", "max_pool", "binary", "activation", "scale", "conv", "gather")

    def import_node(self, node: NodeImporter) -> None:
        """Import one of them."""
        value = node.value(0)
        shape = value.view.value_shape
        axes = reduced_axes(node, shape)
        result = REDUCERS[node.op_type](node, value, axes)
        if node.op_type != "GlobalMaxPool" and not node.attribute("keepdims", 1):
            kept = tuple(n for i, n in enumerate(shape) if i not in axes)
            result = Value(result.tensor, result.view.then("reshape", kept))
        node.bind(result.tensor, result.view)


def reduced_axes(node: NodeImporter, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes that a node reduces, in order; none where it only computes, each value by itself."""
    if node.op_type == "GlobalMaxPool":
        return tuple(range(2, len(shape)))
    axes = node.integers(1, "axes")
    if not axes:
        return () if node.attribute("noop_with_empty_axes", 0) else tuple(range(len(shape)))
    return tuple(sorted({axis % len(shape) for axis in axes}))


# ---- Of planes, of windows, of channels. All keep the reduced axes, as 1.


def by_planes(
    node: NodeImporter, value: Value, axes: Sequence[int], pool: Callable[[Tensor], Tensor]
) -> Value:
    """The reduced axes become pixels, all others channels; then every channel is reduced to one
    pixel. Without axes the value stays what it is."""
    if not axes:
        return value
    pooled = pool(as_planes(node, value.tensor, grouped(value, axes)))
    shape = without(value.view.value_shape, axes)
    return Value(pooled, View((1, *pooled.shape)).then("reshape", shape))


def without(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    """A shape with 1 along some axes."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def as_planes(node: NodeImporter, source: Tensor, index: np.ndarray) -> Tensor:
    """A tensor whose channel k holds the values at `index[k]` of `source`; the source itself where
    that is its order."""
    if index.shape == (source.channels, source.pixels) and np.array_equal(
        index.ravel(), np.arange(source.size)
    ):
        return source
    # Planes as wide as high, or nearly, need the smallest windows.
    count = index.shape[1]
    height = next(n for n in range(int(np.sqrt(count)), 0, -1) if count % n == 0)
    return node.gather(source, index.reshape(len(index), height, -1), "reduced axes as pixels")


def mean(node: NodeImporter, value: Value, axes: Sequence[int]) -> Value:
    """The mean: over all channels of a pixel a convolution, else of planes."""
    if spans_channels(value, axes):
        return over_channels(node, value, axes, 1 / value.tensor.channels)
    return by_planes(
        node,
        value,
        axes,
        lambda t: node.add("global_average_pool", None, [t], (t.channels, 1, 1), part="mean"),
    )


def total(node: NodeImporter, value: Value, axes: Sequence[int]) -> Value:
    """The sum: over all channels of a pixel a convolution, else a multiple of the mean."""
    if spans_channels(value, axes):
        return over_channels(node, value, axes, 1.0)
    count = prod(value.view.value_shape[axis] for axis in axes)
    found = mean(node, value, axes)
    return found if count == 1 else apply(node, "Mul", found, np.float32(count))


def spans_channels(value: Value, axes: Sequence[int]) -> bool:
    """Whether some axes are all channels of a pixel, and nothing else."""
    rows = grouped(value, axes)
    return rows.shape[1] == value.tensor.channels > 1 and bool(
        np.all(np.diff(rows, axis=1) == value.tensor.pixels)
    )


def grouped(value: Value, axes: Sequence[int]) -> np.ndarray:
    """The canonical places of values, a row for each that is left of them."""
    indices = value.view.indices
    kept = [axis for axis in range(indices.ndim) if axis not in axes]
    count = prod(indices.shape[axis] for axis in axes)
    rows: np.ndarray = indices.transpose([*kept, *axes]).reshape(-1, count)
    return rows


def over_channels(node: NodeImporter, value: Value, axes: Sequence[int], factor: float) -> Value:
    """`factor` times the sum of a pixel's channels: a convolution with one filter of it."""
    tensor = value.tensor
    summed = mixed(node, tensor, np.full((1, tensor.channels), factor), "sum")
    pixels = grouped(value, axes)[:, 0]
    if not np.array_equal(pixels, np.arange(pixels.size)):
        summed = node.gather(summed, pixels.reshape(1, 1, -1), "new layout")
    shape = without(value.view.value_shape, axes)
    return Value(summed, View((1, *summed.shape)).then("reshape", shape))


def largest(node: NodeImporter, value: Value, axes: Sequence[int]) -> Value:
    """The largest value of planes, found in windows that are halved twice, until one is left."""

    def pool(tensor: Tensor) -> Tensor:
        while tensor.pixels > 1:
            kernel = min(tensor.height, WINDOW), min(tensor.width, WINDOW)
            pads = -tensor.height % kernel[0], -tensor.width % kernel[1]
            window = Window(kernel, kernel, pads=(0, 0, *pads))
            shape = tensor.channels, *window.output_size(tensor.height, tensor.width)
            tensor = node.add("max_pool", PoolAttributes(window), [tensor], shape, part="largest")
        return tensor

    return by_planes(node, value, axes, pool)


# ---- In terms of these


def smallest(node: NodeImporter, value: Value, axes: Sequence[int]) -> Value:
    """The smallest value."""
    return apply(node, "Neg", largest(node, apply(node, "Neg", value), axes))


def product(node: NodeImporter, value: Value, axes: Sequence[int]) -> Value:
    """The product: halves times each other, axis by axis, until one value is left."""
    for axis in axes:
        while (size := value.view.value_shape[axis]) > 1:
            half = size // 2
            ends = [0, half, 2 * half, size]
            parts = [
                piece(node, value, axis, start, end) for start, end in pairwise(ends) if end > start
            ]
            value = joined(node, "mul", parts[0], parts[1])
            if len(parts) > 2:
                value = apply(node, "Concat", value, parts[2], axis=axis)
    return value


def piece(node: NodeImporter, value: Value, axis: int, start: int, end: int) -> Value:
    """A stretch of an axis."""
    bounds = (np.array([n], np.int64) for n in (start, end, axis))
    return apply(node, "Slice", value, *bounds)


def squares(node: NodeImporter, value: Value, axes: Sequence[int]) -> Value:
    """The sum of squares."""
    return total(node, activated(node, value, Activation("square")), axes)


def log_sum_exp(node: NodeImporter, value: Value, axes: Sequence[int]) -> Value:
    """The logarithm of the sum of exponentials, the largest of which is 1 on the way."""
    peak = largest(node, value, axes)
    terms = activated(node, joined(node, "sub", value, peak), Activation("exp"))
    return joined(node, "add", activated(node, total(node, terms, axes), Activation("log")), peak)


def with_function(reducer: Reducer, before: str = "", after: str = "") -> Reducer:
    """A reduction of a function of the values, or a function of the result."""

    def reduced(node: NodeImporter, value: Value, axes: Sequence[int]) -> Value:
        given = activated(node, value, Activation(before)) if before else value
        result = reducer(node, given, axes)
        return activated(node, result, Activation(after)) if after else result

    return reduced


REDUCERS: dict[str, Reducer] = {
    "ReduceMean": mean,
    "ReduceSum": total,
    "ReduceMax": largest,
    "GlobalMaxPool": largest,
    "ReduceMin": smallest,
    "ReduceProd": product,
    "ReduceSumSquare": squares,
    "ReduceL1": with_function(total, before="abs"),
    "ReduceL2": with_function(squares, after="sqrt"),
    "ReduceLogSum": with_function(total, after="log"),
    "ReduceLogSumExp": log_sum_exp,
}
IMPORTER = Reduction()
