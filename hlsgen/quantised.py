"""The arithmetic of quantised networks in numpy: what every integer layer computes, bit for bit.

The formulas are those of onnxruntime's fused operators (docs/quantisation.md). All rounding is to
nearest, ties to even; `single` marks where a value is rounded to float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlsgen.types import DataType

single = np.float32


@dataclass(frozen=True)
class Quantisation:
    """What the values q of an integer feature map stand for: (q - `zero`) * `scale`, the latter a
    float32."""

    scale: float
    zero: int
    type: DataType

    def quantised(self, x: np.ndarray) -> np.ndarray:
        """QuantizeLinear of float32 `x`; same shape."""
        with np.errstate(over="ignore"):  # infinities are clipped
            return rounded(np.asarray(x, single) / single(self.scale), self.zero, self.type)

    def dequantised(self, q: np.ndarray) -> np.ndarray:
        """DequantizeLinear: float32 values of integers `q`; same shape."""
        found: np.ndarray = self.centred(q).astype(single) * single(self.scale)
        return found

    def centred(self, q: np.ndarray) -> np.ndarray:
        """Integers less their zero point, int64."""
        return np.asarray(q, np.int64) - self.zero


def limits(kind: DataType) -> tuple[int, int]:
    """The least and the largest value of an integer type."""
    info = np.iinfo(kind.array)
    return int(info.min), int(info.max)


def rounded(values: np.ndarray, zero: int, kind: DataType) -> np.ndarray:
    """Float32 `values` to nearest, plus a zero point, kept within a type; same shape, of that
    type. What is not a number becomes the least value."""
    low, high = limits(kind)
    kept = np.clip(np.nan_to_num(values, nan=-np.inf, posinf=np.inf, neginf=-np.inf),
                   low - zero, high - zero)  # fmt: skip
    found: np.ndarray = (np.rint(kept).astype(np.int64) + zero).astype(kind.array)
    return found


def factor(x: float, weight: np.ndarray, y: float) -> np.ndarray:
    """What sums of products are multiplied by, from the scales of operands and result; float32, a
    value for each of `weight`."""
    found: np.ndarray = single(x) * np.asarray(weight, single) / single(y)
    return found


def requantised(
    sums: np.ndarray, factors: np.ndarray | float, zero: int, kind: DataType
) -> np.ndarray:
    """Integer `sums` times `factors`, which broadcast, as values of a type."""
    return rounded(np.asarray(sums, single) * np.asarray(factors, single), zero, kind)


def scaled_back(
    sums: np.ndarray, factors: np.ndarray | float, result: Quantisation | None
) -> np.ndarray:
    """Integer `sums` times `factors`, which broadcast: float32, or values of a quantised result."""
    if result is not None:
        return requantised(sums, factors, result.zero, result.type)
    found: np.ndarray = np.asarray(sums, single) * np.asarray(factors, single)
    return found


def fused_multiply_add(a: np.ndarray, b: np.ndarray | float, c: np.ndarray | float) -> np.ndarray:
    """a * b + c of float32 values, rounded once.

    A product of two float32 is exact in float64. The sum is rounded to odd there: of the two
    float64 values next to it the one whose last bit is set, so that rounding again does no harm.
    """
    product = np.asarray(a, single).astype(np.float64) * np.asarray(b, single)
    other = np.asarray(c, single).astype(np.float64)
    total = np.atleast_1d(product + other)
    part = total - product
    error = (product - (total - part)) + (other - part)
    even = (total.view(np.int64) & 1) == 0
    odd = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
    found: np.ndarray = np.where((error != 0) & even, odd, total).astype(single)
    return found.reshape(np.shape(product + other))


def sum_bits(weights: np.ndarray, operand: DataType, bias: np.ndarray) -> int:
    """Bits that hold every partial sum of a row of integer `weights` (rows, terms) times operands
    of a type, plus its bias, whatever the order of the terms; the sign included."""
    largest = max(abs(limit) for limit in limits(operand))
    most = np.abs(weights.astype(np.int64)).sum(axis=1) * largest + np.abs(bias.astype(np.int64))
    return int(most.max(initial=0)).bit_length() + 1
