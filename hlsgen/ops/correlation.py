"""Convolution whose weights are computed at run time: patches times weights, both feature maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hlsgen.graph import View
from hlsgen.ops.compose import apply
from hlsgen.ops.importing import LARGEST_TENSOR, Value, canonical_shape
from hlsgen.ops.window import Window, imported_window

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


def correlate(node: NodeImporter) -> None:
    """Bind a convolution over one or two dimensions, of which weights or bias are no constants."""
    value, weight = node.value(0), node.constant(1)
    given: Any = node.value(1) if weight is None else weight
    shape = given.view.value_shape if weight is None else given.shape
    image = value.view.value_shape
    if len(shape) not in (3, 4) or image[0] != 1:
        raise node.unsupported(
            f"weights {list(shape)} that are no constants", "convolve over one or two dimensions"
        )
    if weight is not None:
        result = apply(node, "Conv", value, weight, **node.attributes)
    else:
        _, window = imported_window(node, tuple(shape[2:]), image[2:])
        result = patches_by_weights(node, value, given, node.attribute("group", 1), window)
    if node.input_name(2):
        bias = node.constant(2)
        spread = (-1, *(1,) * (len(shape) - 2))
        if bias is None:
            own = node.value(2)
            column: Any = Value(own.tensor, own.view.then("reshape", (shape[0], *spread[1:])))
        else:
            column = bias.reshape(spread)
        result = apply(node, "Add", result, column)
    node.bind(result.tensor, result.view)


def patches_by_weights(
    node: NodeImporter, value: Value, weight: Value, groups: int, window: Window
) -> Value:
    """Every patch of the image by every filter, group by group."""
    filters, depth, *kernel = weight.view.value_shape
    image = value.view.value_shape
    planes = value.view.indices.reshape(image[1], *canonical_shape(image)[1:])
    patches = window.patches(planes + 1, 0) - 1  # (C, taps, OH, OW); -1 is padding
    rows, columns = patches.shape[2:]
    size = depth * window.taps
    if patches.size > LARGEST_TENSOR:
        raise node.unsupported(f"{patches.size:,} values of patches", "use smaller windows")
    # A pixel is a patch: (values of a patch, groups, patches).
    index = patches.reshape(groups, size, rows * columns).transpose(1, 0, 2)
    gathered = node.gather(value.tensor, np.ascontiguousarray(index), "patches")
    left = Value(gathered, View((1, *gathered.shape)).then("transpose", (0, 2, 3, 1)))
    view = weight.view.then("reshape", (1, groups, filters // groups, size))
    right = Value(weight.tensor, view.then("transpose", (0, 1, 3, 2)))
    product = apply(node, "MatMul", left, right)
    result = product.view.then("transpose", (0, 1, 3, 2))
    space = (rows, columns)[-len(kernel) :]
    return Value(product.tensor, result.then("reshape", (1, filters, *space)))
