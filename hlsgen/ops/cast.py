"""Cast: truth and whole numbers are float32 numbers here."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from onnx import TensorProto

from hlsgen.activation import Activation
from hlsgen.ops.compose import apply
from hlsgen.ops.importer import Importer
from hlsgen.ops.importing import type_name
from hlsgen.ops.with_constant import activated
from hlsgen.types import ANY

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}
WHOLE = {TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64}


class Cast(Importer):
    """To a float type nothing changes; to whole numbers what follows the point is dropped; to truth
    all but 0 is 1."""

    onnx_types: ClassVar[dict[str, str]] = {
        "Cast": "to float types (free), signed whole numbers, truth"
    }
    makes = ("activation", "scale")
    types = ANY

    def import_node(self, node: NodeImporter) -> None:
        """Import Cast."""
        value, kind = node.value(0), node.attribute("to", TensorProto.FLOAT)
        if value.tensor.type.integer:
            raise node.unsupported(f"a cast from {value.tensor.type.name}", "use DequantizeLinear")
        if kind in WHOLE:
            value = activated(node, value, Activation("trunc"))
        elif kind == TensorProto.BOOL:
            value = apply(node, "Not", activated(node, value, Activation("equal")))
        elif kind not in FLOATS:
            raise node.unsupported(f"a cast to {type_name(kind)}", "cast to float32")
        node.bind(value.tensor, value.view)


IMPORTER = Cast()
