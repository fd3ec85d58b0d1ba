"""Normalisation by mean and variance, in terms of other operators.

A mean over the channels of a pixel, or over those of a group, is a 1x1 convolution that gives it to
every channel: so nothing is broadcast.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.activation import Activation
from hlsgen.graph import Tensor, View
from hlsgen.ops.binary import BinaryAttributes
from hlsgen.ops.broadcast import spread_constants
from hlsgen.ops.compose import apply, number
from hlsgen.ops.importer import Importer
from hlsgen.ops.importing import LARGEST_TENSOR, Value
from hlsgen.ops.linear import last_as_channels, mixed
from hlsgen.ops.reduction import spans_channels
from hlsgen.ops.scale import scaled
from hlsgen.ops.with_constant import activated

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

# The smallest number that no hardware takes for 0.
SMALLEST = float(np.finfo(np.float32).smallest_normal)
# ONNX does not infer the shape of their results: it is the input's.
KEEPS_SHAPE = ("GroupNormalization",)


class Normalise(Importer):
    """Instance, group, layer and root mean square normalisation."""

    onnx_types: ClassVar[dict[str, str]] = {
        "InstanceNormalization": "constant scale and bias",
        "GroupNormalization": "constant scale and bias",
        "LayerNormalization": "any axis but the batch; constant scale and bias",
        "RMSNormalization": "any axis but the batch; constant scale",
        "LpNormalization": "any axis but the batch; p 1 and 2",
    }
    makes = ("global_average_pool", "conv", "binary", "activation", "scale", "gather")

    def import_node(self, node: NodeImporter) -> None:
        """Import one of them."""
        kind = node.op_type
        if kind == "InstanceNormalization":
            normalise(node, node.value(0).view.value_shape[1])
        elif kind == "GroupNormalization":
            normalise(node, node.attribute("num_groups", 1))
        elif kind == "LpNormalization":
            by_norm(node)
        else:
            over_last_axes(node, centred=kind == "LayerNormalization")


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
    blocks = np.kron(np.eye(groups), np.full((size, size), 1 / size))
    return mixed(node, pooled, blocks, f"{part}_of_group")


def over_last_axes(node: NodeImporter, centred: bool) -> None:
    """(x - mean) / sqrt(mean square + epsilon) * scale + bias over the last axes; x less nothing
    unless `centred`."""
    value = node.value(0)
    shape = value.view.value_shape
    further = node.builder.used.intersection(filter(None, node.node.output[1:]))
    first = node.attribute("axis", -1) % len(shape)
    axes = list(range(first, len(shape)))
    epsilon = float(node.attribute("epsilon", 1e-5))
    one_pixel = prod(shape[first:]) == shape[-1] and not further
    if one_pixel and not spans_channels(value, axes):
        value = last_as_channels(node, value)
    if one_pixel and spans_channels(value, axes):
        unit = unit_channels(node, value, epsilon, centred)
    else:
        unit = unit_values(node, value, axes, epsilon, centred)
    scale = node.need_constant(1, "scale")
    shift = node.need_constant(2, "bias") if centred and node.input_name(2) else np.zeros(())
    (factor, addend), unit = spread_constants(node, unit, scale, shift)
    result = scaled(node, unit, factor, addend)
    node.bind(result.tensor, result.view)


def unit_channels(node: NodeImporter, value: Value, epsilon: float, centred: bool) -> Value:
    """Over the channels of a pixel: two 1x1 convolutions, each of which gives all channels what
    they need."""
    tensor, channels = value.tensor, value.tensor.channels
    if channels * channels > LARGEST_TENSOR:
        raise node.unsupported(f"a mean over {channels} channels", "use fewer channels")
    mean = np.full((channels, channels), 1 / channels)
    if centred:
        tensor = mixed(node, tensor, np.eye(channels) - mean, "centred")
    squares = activated(node, Value(tensor, value.view), Activation("square")).tensor
    inverse = mixed(node, squares, mean, "inverse", Activation("rsqrt", low=epsilon))
    product = node.add(
        "binary", BinaryAttributes("mul"), [tensor, inverse], tensor.shape, part="unit"
    )
    return Value(product, value.view)


def unit_values(
    node: NodeImporter, value: Value, axes: list[int], epsilon: float, centred: bool
) -> Value:
    """Over any axes, by the definition. Mean and inverse deviation are results too."""
    over, results = np.array(axes, np.int64), []
    if centred:
        results.append(apply(node, "ReduceMean", value, over))
        value = apply(node, "Sub", value, results[0])
    square = activated(node, value, Activation("square"))
    variance = apply(node, "ReduceMean", square, over)
    results.append(activated(node, variance, Activation("rsqrt", low=epsilon)))
    for place, result in enumerate(results, start=1):
        if any(node.node.output[place : place + 1]):
            node.bind(result.tensor, result.view, place)
    return apply(node, "Mul", value, results[-1])


def by_norm(node: NodeImporter) -> None:
    """x by its sum of absolute values, or by its length, along an axis."""
    value = node.value(0)
    kind = {1: "ReduceL1", 2: "ReduceL2"}[node.attribute("p", 2)]
    axis = np.array([node.attribute("axis", -1)], np.int64)
    norm = apply(node, "Max", apply(node, kind, value, axis), number(SMALLEST))  # 0 by 0 is 0
    result = apply(node, "Div", value, norm)
    node.bind(result.tensor, result.view)


IMPORTER = Normalise()
