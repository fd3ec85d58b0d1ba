"""Conversions between integers and float32: units and text that operators on integers share."""

from __future__ import annotations

from dataclasses import replace
from math import frexp
from typing import Any

from hlsgen.activation import c_float
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.quantised import Quantisation
from hlsgen.types import FLOAT32, INT32


def as_float(lanes: int) -> str:
    """The float32 of a vector `{0}`."""
    return f"convert_{FLOAT32.vector(lanes)}({{0}})"


def dequantised(given: Quantisation, lanes: int) -> str:
    """The float32 of what a vector of integers `{0}` stands for; the zero point is taken off
    before, where that takes no unit of float32."""
    whole = f"convert_{INT32.vector(lanes)}({{0}}) - {given.zero}" if given.zero else "{0}"
    return f"convert_{FLOAT32.vector(lanes)}({whole}) * {c_float(given.scale)}"


def dequantising(given: Quantisation, lanes: int) -> Arithmetic:
    """Units of the same."""
    return Arithmetic(multiplies=1, conversions=1, integer_adds=int(given.zero != 0)).times(lanes)


def division(number: float, lanes: int) -> Arithmetic:
    """Units of a division by a constant: by a power of two compilers multiply, which is the
    same."""
    exact = frexp(number)[0] == 0.5
    return Arithmetic(multiplies=int(exact), divides=int(not exact)).times(lanes)


def rounding(result: Quantisation | None, lanes: int) -> Arithmetic:
    """Units that keep float32 within the range of a result's type and round it."""
    return Arithmetic(compares=2, conversions=1, integer_adds=1).times(lanes if result else 0)


def structure(attributes: Any) -> Any:
    """Attributes without scales, but for whether these are powers of two, and zero points, but for
    whether they are 0."""
    found = [
        None if q is None else replace(q, scale=frexp(q.scale)[0] == 0.5, zero=int(q.zero != 0))
        for q in (attributes.given, attributes.result)
    ]
    return replace(attributes, given=found[0], result=found[1])
