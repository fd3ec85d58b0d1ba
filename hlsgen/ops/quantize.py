"""From float32 to integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.activation import c_float
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.nest import Conversion
from hlsgen.kernel.values import Roles
from hlsgen.ops import requantise
from hlsgen.ops.converted import Converted
from hlsgen.ops.importer import Importer
from hlsgen.ops.quantised_arguments import places, quantisation
from hlsgen.quantised import Quantisation
from hlsgen.types import FLOAT32

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class Quantize(Converted, Importer):
    """ONNX QuantizeLinear; the attributes are a `Quantisation`."""

    name = "quantize"
    onnx_types: ClassVar[dict[str, str]] = {
        "QuantizeLinear": "to int8 and uint8, with one constant scale"
    }
    fuses_activation = False

    def import_node(self, node: NodeImporter) -> None:
        """Import QuantizeLinear."""
        value, result = node.value(0), quantisation(node, places(0))
        tensor = node.add(self.name, result, [value.tensor], value.tensor.shape, kind=result.type)
        node.bind(tensor, value.view)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The formula of onnxruntime."""
        result: Quantisation = layer.attributes
        return result.quantised(inputs[0])

    def roles(self, layer: Layer, graph: Graph) -> Roles:
        """Rounded at the end."""
        return Roles(FLOAT32, FLOAT32, FLOAT32, layer.attributes.type)

    def epilogue_fields(self, layer: Layer) -> dict[str, Any]:
        """The scale, by which float32 is divided."""
        return {"divisor": layer.attributes.scale}

    def rounded_to(self, layer: Layer) -> int:
        """The zero point."""
        return int(layer.attributes.zero)

    def conversion(self, layer: Layer, graph: Graph, lanes: int) -> Conversion:
        """A division, rounded: times a reciprocal is another number in one case of 400."""
        a: Quantisation = layer.attributes
        units = requantise.division(a.scale, lanes) + requantise.rounding(a, lanes)
        return Conversion(f"{{0}} / {c_float(a.scale)}", a.zero, units=units)


OPERATOR = Quantize()
