"""Average pooling of integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.activation import c_float
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.nest import Combine, Conversion, Nest
from hlsgen.kernel.values import Roles
from hlsgen.ops import requantise
from hlsgen.ops.average_pool import AveragePool, counts
from hlsgen.ops.pool import PoolAttributes
from hlsgen.ops.quantised_arguments import Place, places, quantisation
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.quantised import Quantisation, rounded, single
from hlsgen.types import FLOAT32, INTEGERS

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


@dataclass(frozen=True, kw_only=True)
class QuantisedPoolAttributes(PoolAttributes):
    """As of float32, and what input and result stand for."""

    given: Quantisation
    result: Quantisation


class QuantisedAveragePool(AveragePool):
    """QLinearAveragePool: a float32 sum of taps one after another, divided twice. The zero point is
    added before rounding."""

    name = "quantised_average_pool"
    onnx_types: ClassVar[dict[str, str]] = {"QLinearAveragePool": "as AveragePool, channels first"}
    contributed = frozenset(onnx_types)
    types = INTEGERS
    fuses_activation = False
    engine = "quantised_pooling"

    def import_node(self, node: NodeImporter) -> None:
        """Import QLinearAveragePool."""
        if node.attribute("channels_last", 0) or len(node.attribute("kernel_shape", ())) == 3:
            raise node.unsupported(
                "channels_last, or three spatial dimensions", "put a Transpose before it"
            )
        super().import_node(node)

    def finished(
        self, node: NodeImporter, attributes: PoolAttributes
    ) -> tuple[PoolAttributes, Any]:
        """The attributes with both quantisations, and the type of the result."""
        given, result = quantisation(node, places(0)), quantisation(node, Place(0, 3, 4))
        found = QuantisedPoolAttributes(**vars(attributes), given=given, result=result)
        return found, result.type

    def absorbs(self, layer: Layer, fill: float) -> bool:
        """Its pads are its own."""
        return False

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The formula of onnxruntime."""
        a: QuantisedPoolAttributes = layer.attributes
        taps = a.window.patches(a.given.dequantised(inputs[0]), 0.0)
        sums = taps[:, 0]
        for tap in range(1, taps.shape[1]):
            sums = sums + taps[:, tap]
        rows, columns = counts(a, *inputs[0].shape[1:])
        means = sums / np.maximum(np.outer(rows, columns), 1).astype(single)
        scaled = means / single(a.result.scale) + single(a.result.zero)
        return rounded(scaled, 0, a.result.type)

    def structure(self, layer: Layer) -> Any:
        """Scales are constants of any kernel."""
        return requantise.structure(layer.attributes)

    def roles(self, layer: Layer, graph: Graph) -> Roles:
        """Sums of float32."""
        a: QuantisedPoolAttributes = layer.attributes
        return Roles(a.given.type, FLOAT32, FLOAT32, a.result.type)

    def border(self, layer: Layer, types: Roles) -> str:
        """The zero point."""
        return str(layer.attributes.given.zero)

    def layered_context(self, layer: Layer) -> dict[str, Any]:
        """A tap in float32, and the number of values that count."""
        return {
            "operand": requantise.dequantised(layer.attributes.given, 1).format,
            "second": "count",
        }

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """A tap less the zero point, which borders hold, times the scale."""
        given: Quantisation = layer.attributes.given
        scaled = {"pad_value": given.zero, "constant_0": given.scale}
        return super().folded_fields(layer, graph, step, engines) | scaled

    def epilogue_fields(self, layer: Layer) -> dict[str, Any]:
        """Divided by the scale; the zero point is added before rounding."""
        result: Quantisation = layer.attributes.result
        return {"divisor": result.scale, "offset": float(result.zero)}

    def conversion(self, layer: Layer, graph: Graph, lanes: int) -> Conversion:
        """Divided by the number of values, `{1}`, and by the scale."""
        a: QuantisedPoolAttributes = layer.attributes
        ending = f" / {c_float(a.result.scale)} + {a.result.zero:.1f}f"
        units = Arithmetic(divides=1, adds=1).times(lanes)
        units += requantise.division(a.result.scale, lanes) + requantise.rounding(a.result, lanes)
        return Conversion(f"{{0}} / {{1}}{ending}", units=units)

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """As of float32, each tap dequantised; divided by what was a factor."""
        a, lanes = layer.attributes, kernel.output_width
        nest = super().nest(layer, graph, kernel)
        conversion = self.conversion(layer, graph, lanes)
        if not nest.epilogue.scales:
            even = conversion.expression.format("{0}", c_float(a.window.taps))
            conversion = replace(conversion, expression=even)
            units = conversion.units + requantise.division(a.window.taps, lanes)
            units = replace(units, divides=units.divides - lanes)  # by a constant
            conversion = replace(conversion, units=units)
        sides = tuple(float(max(round(1 / scale), 1)) for scale in nest.epilogue.scales)
        epilogue = replace(nest.epilogue, scale=None, scales=sides, conversion=conversion)
        units = requantise.dequantising(a.given, lanes)
        combine = Combine("sum", expression=requantise.dequantised(a.given, lanes), units=units)
        return replace(nest, combine=combine, epilogue=epilogue)


OPERATOR = QuantisedAveragePool()
