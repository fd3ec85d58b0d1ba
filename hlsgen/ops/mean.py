"""Mean of any number of feature maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.ops.compose import apply
from hlsgen.ops.importer import Importer

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class Mean(Importer):
    """A sum, divided."""

    onnx_types: ClassVar[dict[str, str]] = {"Mean": "as Sum"}
    makes = ("binary", "scale", "gather")

    def import_node(self, node: NodeImporter) -> None:
        """Import Mean."""
        operands = [node.constant(n) for n in range(len(node.node.input))]
        given = [node.value(n) if c is None else c for n, c in enumerate(operands)]
        share = np.asarray(1 / len(given), np.float32)
        result = apply(node, "Mul", apply(node, "Sum", *given), share)
        node.bind(result.tensor, result.view)


IMPORTER = Mean()
