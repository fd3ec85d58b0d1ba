"""Sums of two integer feature maps."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hlsgen.activation import c_float
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.ops import requantise
from hlsgen.ops.quantised_binary import QuantisedBinary, QuantisedBinaryAttributes
from hlsgen.quantised import fused_multiply_add, rounded, single


class QuantisedAdd(QuantisedBinary):
    """QLinearAdd: two fused multiply-adds of float32. Zero points are added before rounding."""

    name = "quantised_add"
    onnx_types: ClassVar[dict[str, str]] = {
        "QLinearAdd": "two feature maps with broadcasting, or a constant number"
    }
    contributed = frozenset(onnx_types)
    units = Arithmetic(multiply_adds=2, conversions=2)
    joined = (
        "fma(convert_{vector}(first), ({vector})(s.join_0), "
        "fma(convert_{vector}(second), ({vector})(s.join_1), ({vector})(s.join_2)))"
    )

    def values(
        self, a: QuantisedBinaryAttributes, left: np.ndarray, right: np.ndarray
    ) -> np.ndarray:
        """The formula of onnxruntime."""
        ra, rb, fixed = factors(a)
        inner = fused_multiply_add(right.astype(single), rb, fixed)
        return rounded(fused_multiply_add(left.astype(single), ra, inner), 0, a.result.type)

    def constants(self, a: QuantisedBinaryAttributes) -> tuple[float, ...]:
        """Two factors, and what is added."""
        return factors(a)

    def expression(self, a: QuantisedBinaryAttributes, lanes: int) -> str:
        """The same in OpenCL."""
        ra, rb, fixed = (f"({vector(lanes)})({c_float(number)})" for number in factors(a))
        left, right = (requantise.as_float(lanes).format(f"{{{n}}}") for n in (0, 1))
        return f"fma({left}, {ra}, fma({right}, {rb}, {fixed}))"


def vector(lanes: int) -> str:
    """The type of the sums."""
    return "float" if lanes == 1 else f"float{lanes}"


def factors(a: QuantisedBinaryAttributes) -> tuple[float, float, float]:
    """What either operand is multiplied by, and what is added; float32."""
    ra = single(a.left.scale) / single(a.result.scale)
    rb = single(a.right.scale) / single(a.result.scale)
    taken = fused_multiply_add(ra, single(a.left.zero), rb * single(a.right.zero))
    return float(ra), float(rb), float(single(a.result.zero) - single(taken))


OPERATOR = QuantisedAdd()
