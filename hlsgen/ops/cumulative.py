"""CumSum: a triangular matrix along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.ops.importer import Importer
from hlsgen.ops.linear import along_axis

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class CumSum(Importer):
    """Every place adds up those before it."""

    onnx_types: ClassVar[dict[str, str]] = {
        "CumSum": "any axis but the batch; constant axis; exclusive, reverse"
    }
    makes = ("conv", "gather")

    def import_node(self, node: NodeImporter) -> None:
        """Import CumSum."""
        value = node.value(0)
        shape = value.view.value_shape
        axis = int(node.need_constant(1, "axis").ravel()[0]) % len(shape)
        matrix = np.tril(np.ones((shape[axis],) * 2), -1 if node.attribute("exclusive", 0) else 0)
        if node.attribute("reverse", 0):
            matrix = matrix[::-1, ::-1]
        result = along_axis(node, value, matrix, axis, "sums")
        node.bind(result.tensor, result.view)


IMPORTER = CumSum()
