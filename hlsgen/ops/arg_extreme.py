"""ArgMax and ArgMin: where the extreme values stand, in terms of other operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.ops.compose import apply, number
from hlsgen.ops.importer import Importer

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class ArgExtreme(Importer):
    """Every place of an extreme value gets a number that grows towards the place that is wanted,
    all others 0; the largest number tells the place. Results are whole float32 numbers."""

    onnx_types: ClassVar[dict[str, str]] = {
        "ArgMax": "any axis but the batch; keepdims; select_last_index",
        "ArgMin": "any axis but the batch; keepdims; select_last_index",
    }
    makes = ("max_pool", "binary", "activation", "scale", "gather")

    def import_node(self, node: NodeImporter) -> None:
        """Import either."""
        value, last = node.value(0), bool(node.attribute("select_last_index", 0))
        shape = value.view.value_shape
        axis = node.attribute("axis", 0) % len(shape)
        kind = "ReduceMax" if node.op_type == "ArgMax" else "ReduceMin"
        axes, count = np.array([axis], np.int64), shape[axis]
        here = apply(node, "Equal", value, apply(node, kind, value, axes))
        numbers = np.arange(count) + 1 if last else count - np.arange(count)
        along = numbers.astype(np.float32).reshape(-1, *(1,) * (len(shape) - axis - 1))
        marked = apply(node, "Mul", here, along)
        keep = int(bool(node.attribute("keepdims", 1)))
        found = apply(node, "ReduceMax", marked, axes, keepdims=keep)
        if last:
            result = apply(node, "Sub", found, number(1))
        else:
            result = apply(node, "Sub", number(count), found)
        node.bind(result.tensor, result.view)


IMPORTER = ArgExtreme()
