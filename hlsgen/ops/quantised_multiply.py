"""Products of two integer feature maps."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hlsgen.activation import c_float
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.ops.quantised_binary import QuantisedBinary, QuantisedBinaryAttributes
from hlsgen.quantised import rounded, single
from hlsgen.types import FLOAT32, INT32


class QuantisedMultiply(QuantisedBinary):
    """QLinearMul: an exact product times a factor. The zero point is added before rounding."""

    name = "quantised_multiply"
    onnx_types: ClassVar[dict[str, str]] = {
        "QLinearMul": "two feature maps with broadcasting, or a constant number"
    }
    contributed = frozenset(onnx_types)
    joined = (
        "convert_{vector}((first - ({kind})s.join_0) * (second - ({kind})s.join_1)) "
        "* s.join_2 + s.join_3"
    )
    units = Arithmetic(multiplies=1, adds=1, narrow_products=1, integer_adds=2, conversions=1)

    def values(
        self, a: QuantisedBinaryAttributes, left: np.ndarray, right: np.ndarray
    ) -> np.ndarray:
        """The formula of onnxruntime."""
        products = (a.left.centred(left) * a.right.centred(right)).astype(single)
        return rounded(products * single(scale(a)) + single(a.result.zero), 0, a.result.type)

    def constants(self, a: QuantisedBinaryAttributes) -> tuple[float, ...]:
        """Three zero points, and between them the factor."""
        return float(a.left.zero), float(a.right.zero), scale(a), float(a.result.zero)

    def expression(self, a: QuantisedBinaryAttributes, lanes: int) -> str:
        """The same in OpenCL. `mad` and contraction would round once: the preamble forbids them."""
        convert = f"convert_{INT32.vector(lanes)}"
        left, right = (f"({convert}({{{n}}}) - {q.zero})" for n, q in enumerate((a.left, a.right)))
        product = f"convert_{FLOAT32.vector(lanes)}({left} * {right})"
        return f"{product} * {c_float(scale(a))} + {a.result.zero:.1f}f"


def scale(a: QuantisedBinaryAttributes) -> float:
    """What the product is multiplied by; float32."""
    return float(single(a.left.scale) * single(a.right.scale) / single(a.result.scale))


OPERATOR = QuantisedMultiply()
