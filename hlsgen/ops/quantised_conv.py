"""Convolutions of integers, all of which convolutions of float32 are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.graph import Layer
from hlsgen.ops.conv import Conv, ConvAttributes
from hlsgen.ops.integer_sums import IntegerSums
from hlsgen.ops.quantised_arguments import (
    Place,
    folded_bias,
    places,
    quantisation,
    weight_less_zero,
)
from hlsgen.quantised import Quantisation, factor, scaled_back

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

# Scale and zero point of the result.
RESULT = Place(0, 6, 7)


@dataclass(frozen=True)
class QuantisedConvAttributes(ConvAttributes):
    """As of float32, and what input and result stand for; `result` None: float32.

    Weights: `weight` less its zero point, `bias` (O,) int32 less what the input's zero point adds
    up to, `factors` (O,) float32 from sums to results.
    """

    given: Quantisation
    result: Quantisation | None


class QuantisedConv(IntegerSums, Conv):
    """QLinearConv: sums of integers, a factor for each filter, rounded."""

    name = "quantised_conv"
    onnx_types: ClassVar[dict[str, str]] = {
        "QLinearConv": "as Conv; scales of weights one in all or one a filter; all constant"
    }

    def import_node(self, node: NodeImporter) -> None:
        """Import QLinearConv: x, its scale and zero point, the same of weight and result, bias."""
        given, result = quantisation(node, places(0)), quantisation(node, RESULT)
        weight, scale = weight_less_zero(node, places(3), 0)
        bias = node.need_constant(8, "bias") if node.input_name(8) else np.zeros(1, np.int32)
        factors = factor(given.scale, scale, result.scale)

        def of_filters(rows: np.ndarray, slices: int) -> dict[str, np.ndarray]:
            filters = len(rows) // slices
            return {
                "bias": folded_bias(rows, bias, given.zero),
                "factors": np.repeat(np.broadcast_to(factors, filters), slices),
            }

        attributes = partial(QuantisedConvAttributes, given=given, result=result)
        self.convolve(node, weight, of_filters, attributes, result.type)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The formula of onnxruntime."""
        a: QuantisedConvAttributes = layer.attributes
        sums = self.sums(layer, inputs[0], a.given.zero)
        return scaled_back(sums, layer.weights["factors"][:, None, None], a.result)

    @property
    def layered_template(self) -> str:
        """That of float32."""
        return Conv.name

    def border(self, layer: Layer) -> str:
        """The zero point."""
        return str(layer.attributes.given.zero)

    def absorbs(self, layer: Layer, fill: float) -> bool:
        """The zero point, as its own pads."""
        return bool(fill == layer.attributes.given.zero)


OPERATOR = QuantisedConv()
