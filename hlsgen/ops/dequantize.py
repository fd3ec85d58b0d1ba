"""From integers to float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.nest import Conversion
from hlsgen.kernel.values import Roles
from hlsgen.ops import requantise
from hlsgen.ops.converted import Converted
from hlsgen.ops.importer import Importer
from hlsgen.ops.quantised_arguments import places, quantisation
from hlsgen.quantised import Quantisation
from hlsgen.types import FLOAT32, INTEGERS

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class Dequantize(Converted, Importer):
    """ONNX DequantizeLinear; the attributes are a `Quantisation`."""

    name = "dequantize"
    onnx_types: ClassVar[dict[str, str]] = {
        "DequantizeLinear": "of int8 and uint8, with one constant scale; of constants any"
    }
    types = INTEGERS

    def import_node(self, node: NodeImporter) -> None:
        """Import DequantizeLinear of a feature map."""
        value, given = node.value(0), quantisation(node, places(0))
        if value.tensor.type != given.type:
            raise node.unsupported(
                f"values of type {value.tensor.type.name} with a zero point of type "
                f"{given.type.name}"
            )
        tensor = node.add(self.name, given, [value.tensor], value.tensor.shape, kind=FLOAT32)
        node.bind(tensor, value.view)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The formula of onnxruntime."""
        given: Quantisation = layer.attributes
        return given.dequantised(inputs[0])

    def roles(self, layer: Layer, graph: Graph) -> Roles:
        """Converted at the end."""
        return Roles(layer.attributes.type, FLOAT32, layer.attributes.type, FLOAT32)

    def folded_shift(self, layer: Layer) -> np.ndarray:
        """Less the zero point."""
        return np.array(-layer.attributes.zero)

    def folded_scale(self, layer: Layer) -> np.ndarray:
        """Times the scale."""
        return np.array(layer.attributes.scale, np.float32)

    def conversion(self, layer: Layer, graph: Graph, lanes: int) -> Conversion:
        """Less the zero point, times the scale."""
        given: Quantisation = layer.attributes
        units = requantise.dequantising(given, lanes)
        return Conversion(requantise.dequantised(given, lanes), units=units)


OPERATOR = Dequantize()
