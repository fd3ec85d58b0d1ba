"""Products of feature maps with constant matrices, along any axis: 1x1 convolutions."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from hlsgen.activation import Activation
from hlsgen.graph import Tensor, View
from hlsgen.ops.conv import ConvAttributes
from hlsgen.ops.importing import Value
from hlsgen.ops.window import Window

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


def mixed(
    node: NodeImporter,
    tensor: Tensor,
    matrix: np.ndarray,
    part: str,
    activation: Activation | None = None,
) -> Tensor:
    """A matrix times the channels of every pixel."""
    count = len(matrix)
    weights = {"weight": matrix[:, :, None, None], "bias": np.zeros(count)}
    shape = count, *tensor.shape[1:]
    attributes = ConvAttributes(count, 1, Window((1, 1)))
    return node.add(
        "conv", attributes, [tensor], shape, weights=weights, activation=activation, part=part
    )


def last_as_channels(node: NodeImporter, value: Value) -> Value:
    """A value whose last axis is made the channels of the pixels that all others are."""
    shape = value.view.value_shape
    rows = value.view.then("reshape", (1, 1, prod(shape[:-1]), shape[-1]))
    tensor = node.canonical(Value(value.tensor, rows.then("transpose", (0, 3, 1, 2))))
    view = View((1, *tensor.shape)).then("transpose", (0, 2, 3, 1)).then("reshape", shape)
    return Value(tensor, view)


def along_axis(node: NodeImporter, value: Value, matrix: np.ndarray, axis: int, part: str) -> Value:
    """A matrix times a value, along an axis."""
    rank = len(value.view.value_shape)
    order = [*(i for i in range(rank) if i != axis), axis]
    last = Value(value.tensor, value.view.then("transpose", tuple(order)))
    rows = last_as_channels(node, last)
    result = mixed(node, rows.tensor, matrix, part)
    shape = (*last.view.value_shape[:-1], len(matrix))
    view = View((1, *result.shape)).then("transpose", (0, 2, 3, 1)).then("reshape", shape)
    return Value(result, view.then("transpose", tuple(int(i) for i in np.argsort(order))))
