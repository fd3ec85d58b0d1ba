"""Global average pooling of integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.activation import c_float
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.nest import Combine, Conversion, Epilogue, Nest
from hlsgen.kernel.values import Roles
from hlsgen.ops import requantise
from hlsgen.ops.global_average_pool import GlobalAveragePool
from hlsgen.ops.quantised_arguments import Place, places, quantisation
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.quantised import Quantisation, requantised, single
from hlsgen.types import INT32, INTEGERS

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


@dataclass(frozen=True)
class QuantisedMeanAttributes:
    """What input and result stand for, and how many pixels are averaged."""

    given: Quantisation
    result: Quantisation
    pixels: int

    @property
    def factor(self) -> float:
        """What sums are multiplied by; float32."""
        return float(single(self.given.scale) / (single(self.result.scale) * single(self.pixels)))


class QuantisedGlobalAveragePool(GlobalAveragePool):
    """QLinearGlobalAveragePool: an exact sum times a factor, rounded."""

    name = "quantised_global_average_pool"
    onnx_types: ClassVar[dict[str, str]] = {"QLinearGlobalAveragePool": "channels first"}
    contributed = frozenset(onnx_types)
    types = INTEGERS
    fuses_activation = False

    def import_node(self, node: NodeImporter) -> None:
        """Import QLinearGlobalAveragePool."""
        if node.attribute("channels_last", 0):
            raise node.unsupported("channels_last", "put a Transpose before it")
        given, result = quantisation(node, places(0)), quantisation(node, Place(0, 3, 4))
        source = node.spatial(0, (3, 4))
        attributes = QuantisedMeanAttributes(given, result, source.pixels)
        tensor = node.add(
            self.name, attributes, [source], (source.channels, 1, 1), kind=result.type
        )
        ones = (1,) * (len(node.value(0).view.value_shape) - 2)
        node.bind_spatial(tensor, (1, source.channels, *ones))

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The formula of onnxruntime."""
        a: QuantisedMeanAttributes = layer.attributes
        sums = a.given.centred(inputs[0]).sum(axis=(1, 2), keepdims=True)
        return requantised(sums, a.factor, a.result.zero, a.result.type)

    def structure(self, layer: Layer) -> Any:
        """Scales are constants of any kernel."""
        return requantise.structure(layer.attributes)

    def roles(self, layer: Layer, graph: Graph) -> Roles:
        """Sums of int32."""
        a: QuantisedMeanAttributes = layer.attributes
        return Roles(a.given.type, a.given.type, INT32, a.result.type)

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """The engine's factor is not used."""
        return super().folded_fields(layer, graph, step, engines) | {"constant_0": 0.0}

    def folded_shift(self, layer: Layer) -> np.ndarray:
        """Less what the zero point adds up to."""
        a: QuantisedMeanAttributes = layer.attributes
        return np.array(-a.given.zero * a.pixels)

    def folded_scale(self, layer: Layer) -> np.ndarray:
        """The factor."""
        return np.array(layer.attributes.factor, np.float32)

    def rounded_to(self, layer: Layer) -> int:
        """That of the result."""
        return int(layer.attributes.result.zero)

    def conversion(self, layer: Layer, graph: Graph, lanes: int) -> Conversion:
        """What the zero point adds up to is taken off in the end."""
        a: QuantisedMeanAttributes = layer.attributes
        zeros = a.given.zero * a.pixels
        total = f"({{0}} - {zeros})" if zeros else "{0}"
        expression = f"{requantise.as_float(lanes).format(total)} * {c_float(a.factor)}"
        units = Arithmetic(multiplies=1, conversions=1, integer_adds=bool(zeros)).times(lanes)
        units += requantise.rounding(a.result, lanes)
        return Conversion(expression, a.result.zero, units=units)

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """As of float32."""
        lanes = kernel.output_width
        return replace(
            super().nest(layer, graph, kernel),
            combine=Combine("each", expression=f"convert_{INT32.vector(lanes)}({{0}})"),
            epilogue=Epilogue(conversion=self.conversion(layer, graph, lanes)),
        )


OPERATOR = QuantisedGlobalAveragePool()
