"""Fully connected layers of integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.graph import Layer
from hlsgen.ops.dense import Dense, DenseAttributes
from hlsgen.ops.integer_sums import IntegerSums
from hlsgen.ops.quantised_arguments import Place, folded_bias, quantisation, weight_less_zero
from hlsgen.ops.quantised_conv import QuantisedConvAttributes
from hlsgen.ops.window import Window
from hlsgen.quantised import Quantisation, scaled_back, single
from hlsgen.types import FLOAT32

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


@dataclass(frozen=True)
class QuantisedDenseAttributes(DenseAttributes):
    """As of float32, and what input and result stand for; `result` None: float32. Weights as of a
    quantised convolution."""

    given: Quantisation
    result: Quantisation | None


@dataclass(frozen=True)
class Inputs:
    """Where a node has its inputs. `result`: its scale; the zero point follows."""

    given: Place
    matrix: Place
    result: int | None = None
    bias: int | None = None


INPUTS = {
    "QLinearMatMul": Inputs(Place(0, 1, 2), Place(3, 4, 5), result=6),
    "QGemm": Inputs(Place(0, 1, 2), Place(3, 4, 5), result=7, bias=6),
    "MatMulIntegerToFloat": Inputs(Place(0, 2, 4), Place(1, 3, 5), bias=6),
}


class QuantisedDense(IntegerSums, Dense):
    """QGemm, QLinearMatMul and MatMulIntegerToFloat of one image by a constant matrix."""

    name = "quantised_dense"
    onnx_types: ClassVar[dict[str, str]] = {
        "QLinearMatMul": "constant matrix; scales of weights one in all or one a column",
        "QGemm": "as QLinearMatMul; alpha, transB; result of integers or float32",
        "MatMulIntegerToFloat": "as QLinearMatMul, without a bias",
    }
    contributed = frozenset({"QGemm", "MatMulIntegerToFloat"})
    makes = ("quantised_conv",)

    def import_node(self, node: NodeImporter) -> None:
        """Import one of them."""
        at = INPUTS[node.op_type]
        given, result = quantisation(node, at.given), None
        if at.result is not None and node.input_name(at.result):
            result = quantisation(node, Place(0, at.result, at.result + 1))
        transposed = bool(node.attribute("transB", 0))
        weight, scale = weight_less_zero(node, at.matrix, 0 if transposed else -1)
        if weight.ndim != 2 or node.attribute("transA", 0):
            raise node.unsupported(
                f"a right-hand matrix of {weight.ndim} dimensions, or a left-hand one transposed",
                "only a matrix of two dimensions is supported, the left-hand one as it is",
            )
        rows = weight if transposed else weight.T
        outputs = len(rows)
        bias = np.zeros(1, np.int32)
        if at.bias is not None and node.input_name(at.bias):
            bias = node.need_constant(at.bias, "bias")
            if bias.dtype != np.int32:
                raise node.unsupported(f"a bias of type {bias.dtype}", "use int32")
        factors = single(node.attribute("alpha", 1.0)) * single(given.scale) * scale
        if result is not None:
            factors = factors / single(result.scale)
        self.multiply(
            node, node.value(at.given.values), rows.T,
            {"bias": folded_bias(rows, bias, given.zero),
             "factors": np.broadcast_to(factors, outputs)},
            QuantisedDenseAttributes(outputs, given, result),
            QuantisedConvAttributes(outputs, 1, Window((1, 1)), given, result),
            FLOAT32 if result is None else result.type,
        )  # fmt: skip

    def as_convolution(
        self, attributes: DenseAttributes, window: Window
    ) -> QuantisedConvAttributes:
        """Of integers too."""
        a = attributes
        assert isinstance(a, QuantisedDenseAttributes)
        return QuantisedConvAttributes(a.outputs, 1, window, a.given, a.result)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The formula of onnxruntime."""
        weight = layer.weights["weight"]
        sums = weight.reshape(len(weight), -1) @ inputs[0].astype(np.float64).ravel()
        sums += layer.weights["bias"]
        return scaled_back(sums, layer.weights["factors"], layer.attributes.result)[:, None, None]

    @property
    def layered_template(self) -> str:
        """That of float32."""
        return Dense.name

    def layered_arrays(self, layer: Layer) -> dict[str, np.ndarray]:
        """The matrix with its columns in [H][W][C] order, bias, factors."""
        arrays = super().layered_arrays(layer)
        return arrays | {"weight": arrays["weight"].transpose(0, 2, 3, 1)}


OPERATOR = QuantisedDense()
