"""OneHot: whole numbers compared with all that they may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.ops.compose import apply, number
from hlsgen.ops.importer import Importer

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class OneHot(Importer):
    """A place for every number: one value where it is that, another elsewhere."""

    onnx_types: ClassVar[dict[str, str]] = {"OneHot": "constant depth and values; axis"}
    makes = ("binary", "scale", "gather")

    def import_node(self, node: NodeImporter) -> None:
        """Import OneHot."""
        value, depth = node.value(0), int(node.need_constant(1, "depth").ravel()[0])
        off, on = (number(value) for value in node.need_constant(2, "values").ravel())
        rank = len(value.view.value_shape) + 1
        axis = node.attribute("axis", -1) % rank
        wide = apply(node, "Unsqueeze", value, np.array([axis], np.int64))
        numbers = np.arange(depth, dtype=np.float32).reshape(-1, *(1,) * (rank - 1 - axis))
        # A negative number counts from the end.
        found = apply(node, "Equal", wide, numbers)
        found = apply(node, "Max", found, apply(node, "Equal", wide, numbers - depth))
        result = apply(node, "Where", found, on, off)
        node.bind(result.tensor, result.view)


IMPORTER = OneHot()
