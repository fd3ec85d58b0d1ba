"""Reductions over space and over channels, and the normalisations that rest on them, in terms of
other operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.activation import Activation
from hlsgen.graph import Tensor, View
from hlsgen.ops.base import Importer
from hlsgen.ops.binary import BinaryAttributes
from hlsgen.ops.conv import ConvAttributes
from hlsgen.ops.importing import LARGEST_TENSOR
from hlsgen.ops.pool import PoolAttributes
from hlsgen.ops.window import Window

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


# ONNX does not infer the shape of their results: it is the input's.
KEEPS_SHAPE = ("GroupNormalization",)


class Reduction(Importer):
    """Means, sums and maxima over some axes; instance and group normalisation."""

    onnx_types: ClassVar[dict[str, str]] = {
        "ReduceMean": "any axes but the batch; keepdims",
        "ReduceSum": "any axes but the batch; keepdims",
        "ReduceMax": "any axes but the batch; keepdims",
        "GlobalMaxPool": "",
        "InstanceNormalization": "constant scale and bias",
        "GroupNormalization": "constant scale and bias",
    }
    makes = ("global_average_pool", "max_pool", "binary", "activation", "scale", "conv", "gather")

    def import_node(self, node: NodeImporter) -> None:
        """Import one of them."""
        if node.op_type == "InstanceNormalization":
            normalise(node, node.value(0).view.value_shape[1])
        elif node.op_type == "GroupNormalization":
            normalise(node, node.attribute("num_groups", 1))
        else:
            reduce(node)


def reduce(node: NodeImporter) -> None:
    """The reduced axes become pixels, all others channels; then every channel is pooled over its
    whole plane."""
    value = node.value(0)
    shape = value.view.value_shape
    axes = (
        tuple(range(2, len(shape))) if node.op_type == "GlobalMaxPool" else node.integers(1, "axes")
    )
    if not axes:
        if node.attribute("noop_with_empty_axes", 0):
            node.bind(value.tensor, value.view)
            return
        axes = tuple(range(len(shape)))
    reduced = sorted({axis % len(shape) for axis in axes})
    kept = [axis for axis in range(len(shape)) if axis not in reduced]
    count = int(np.prod([shape[axis] for axis in reduced]))
    keep = node.op_type == "GlobalMaxPool" or bool(node.attribute("keepdims", 1))
    result_shape = tuple(
        1 if i in reduced else n for i, n in enumerate(shape) if keep or i not in reduced
    )
    index = value.view.indices.transpose([*kept, *reduced]).reshape(-1, count)
    tensor = as_planes(node, value.tensor, index)
    pooled = pool_planes(node, tensor)
    if node.op_type == "ReduceSum":
        scale = np.full(pooled.channels, count, np.float32)
        weights = {"scale": scale, "bias": np.zeros_like(scale)}
        pooled = node.add("scale", None, [pooled], pooled.shape, weights=weights)
    node.bind(pooled, View((1, *pooled.shape)).then("reshape", result_shape))


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


def pool_planes(node: NodeImporter, tensor: Tensor) -> Tensor:
    """One value a channel: the mean, or for maxima the largest, found row by row and then over the
    rows."""
    if node.op_type not in ("ReduceMax", "GlobalMaxPool"):
        return node.add("global_average_pool", None, [tensor], (tensor.channels, 1, 1), part="mean")
    rows = PoolAttributes(Window((1, tensor.width), (1, tensor.width)))
    across = node.add("max_pool", rows, [tensor], (tensor.channels, tensor.height, 1), part="rows")
    down = PoolAttributes(Window((tensor.height, 1), (tensor.height, 1)))
    return node.add("max_pool", down, [across], (tensor.channels, 1, 1), part="largest")


def normalise(node: NodeImporter, groups: int) -> None:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias over space and the channels of a group,
    in two passes.

    Means over a group: pooled channels times a matrix with one block a group, as a 1x1 convolution.
    """
    value = node.value(0)
    shape = value.view.value_shape
    scale, bias = (node.need_constant(i, name).ravel() for i, name in ((1, "scale"), (2, "bias")))
    if len(shape) < 3 or shape[0] != 1:
        raise node.unsupported(f"input {list(shape)}", "normalise over (1, C, ...)")
    channels = shape[1]
    if groups < 1 or channels % groups or not len(scale) == len(bias) == channels:
        raise node.unsupported(f"{groups} groups, {len(scale)} scales, {channels} channels")
    tensor, view = value.tensor, value.view
    if not view.keeps_order or tensor.channels % channels:
        tensor = node.canonical(value)
        view = View((1, *tensor.shape)).then("reshape", shape)
    # What the network calls a channel may be several here: a group that was reshaped into one, or
    # the depth.
    scale, bias = (np.repeat(array, tensor.channels // channels) for array in (scale, bias))
    mean = group_mean(node, tensor, groups, "mean")
    centred = node.add(
        "binary", BinaryAttributes("sub", True), [tensor, mean], tensor.shape, part="centred"
    )
    squares = node.add(
        "binary", BinaryAttributes("mul"), [centred, centred], tensor.shape, part="squares"
    )
    variance = group_mean(node, squares, groups, "variance")
    inverse = node.add(
        "activation", None, [variance], variance.shape, part="inverse",
        activation=Activation("rsqrt", low=float(node.attribute("epsilon", 1e-5))),
    )  # fmt: skip
    unit = node.add(
        "binary", BinaryAttributes("mul", True), [centred, inverse], tensor.shape, part="unit"
    )
    result = node.add("scale", None, [unit], tensor.shape, weights={"scale": scale, "bias": bias})
    node.bind(result, view)


def group_mean(node: NodeImporter, tensor: Tensor, groups: int, part: str) -> Tensor:
    """(C, 1, 1): the mean over space and over the channels of each channel's group."""
    channels = tensor.channels
    pooled = node.add("global_average_pool", None, [tensor], (channels, 1, 1), part=part)
    if groups == channels:
        return pooled
    size = channels // groups
    if channels * channels > LARGEST_TENSOR:
        raise node.unsupported(f"group means over {channels} channels", "use fewer channels")
    blocks = np.kron(np.eye(groups), np.full((size, size), 1 / size)).reshape(
        channels, channels, 1, 1
    )
    weights = {"weight": blocks, "bias": np.zeros(channels)}
    attributes = ConvAttributes(channels, 1, Window((1, 1)))
    return node.add(
        "conv", attributes, [pooled], pooled.shape, weights=weights, part=f"{part}_of_group"
    )


IMPORTER = Reduction()
