"""Concatenation of integers: where scales differ, inputs are rescaled by tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hlsgen.ops.concat import concatenate
from hlsgen.ops.importer import Importer
from hlsgen.ops.importing import Value
from hlsgen.ops.lookup import add_lookup, index_values
from hlsgen.ops.quantised_arguments import Place, places, quantisation
from hlsgen.types import INTEGERS

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class QuantisedConcat(Importer):
    """QLinearConcat: scale and zero point of the result, then each input with its own."""

    onnx_types: ClassVar[dict[str, str]] = {"QLinearConcat": "any axis but the batch"}
    contributed = frozenset(onnx_types)
    makes = ("concat", "lookup", "gather")
    types = INTEGERS

    def import_node(self, node: NodeImporter) -> None:
        """Import QLinearConcat."""
        result, values = quantisation(node, Place(0, 0, 1)), []
        for number, first in enumerate(range(2, len(node.node.input), 3), start=1):
            value, given = node.value(first), quantisation(node, places(first))
            if given != result:
                table = result.quantised(given.dequantised(index_values(given.type)))
                part = f"rescaled_{number}"
                rescaled = add_lookup(node, value.tensor, table, given, result, part)
                value = Value(rescaled, value.view)
            values.append(value)
        concatenate(node, values)


IMPORTER = QuantisedConcat()
