"""Trilu: what lies on one side of a diagonal."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.ops.compose import apply
from hlsgen.ops.importer import Importer

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class Trilu(Importer):
    """The other side becomes 0."""

    onnx_types: ClassVar[dict[str, str]] = {"Trilu": "constant k; upper"}
    makes = ("scale",)

    def import_node(self, node: NodeImporter) -> None:
        """Import Trilu."""
        value = node.value(0)
        shape = value.view.value_shape
        k = int(node.need_constant(1, "k").ravel()[0]) if node.input_name(1) else 0
        ones = np.ones(shape[-2:])
        kept = np.triu(ones, k) if node.attribute("upper", 1) else np.tril(ones, k)
        result = apply(node, "Mul", value, kept.astype(np.float32))
        node.bind(result.tensor, result.view)


IMPORTER = Trilu()
