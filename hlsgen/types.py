"""Element types: what a value is in OpenCL, in numpy and on a wire.

Tensors, weights, accumulators and channels carry one. Weights may lie in memory in a *storage type*
that is narrower than float32, in which they are multiplied: half the memory blocks and bytes, and
their bits are decoded in logic where a weight is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DataType:
    """A type of single values.

    `ctype`, `zero`, `lowest`, `maximum`: its OpenCL name, the literals of 0 and of the value that
    no other is below, and the function that returns the larger of two. `array`: numpy's name of
    the type of its bit patterns in memory. `integer`: whether these patterns are its values.
    """

    name: str
    bits: int
    ctype: str
    array: str
    zero: str = "0"
    lowest: str = "0"
    maximum: str = "max"
    integer: bool = False

    @property
    def bytes(self) -> int:
        """Of a value in memory."""
        return self.bits // 8

    def vector(self, lanes: int) -> str:
        """The OpenCL type of `lanes` values."""
        return self.ctype if lanes == 1 else f"{self.ctype}{lanes}"

    def filled(self, literal: str, lanes: int) -> str:
        """A literal in all lanes of a vector: float32 fills one by itself."""
        return f"({self.vector(lanes)})({literal})" if self.integer and lanes > 1 else literal


FLOAT32 = DataType("float32", 32, "float", "float32", "0.0f", "-FLT_MAX", "fmax")
UINT8 = DataType("uint8", 8, "uchar", "uint8", integer=True)
INT8 = DataType("int8", 8, "char", "int8", lowest="-128", integer=True)
# Weights that no 8 bits hold once their zero point is subtracted, and sums.
INT16 = DataType("int16", 16, "short", "int16", lowest="-32768", integer=True)
INT32 = DataType("int32", 32, "int", "int32", lowest="INT_MIN", integer=True)
# The types of feature maps.
INTEGERS = (UINT8, INT8)
ANY = (FLOAT32, *INTEGERS)
TENSOR_TYPES = {kind.name: kind for kind in ANY}
# Storage types. Their bit patterns are unsigned integers; functions before the kernels decode them.
FLOAT16 = DataType("float16", 16, "ushort", "uint16")
BFLOAT16 = DataType("bfloat16", 16, "ushort", "uint16")
# The types in which weights may lie in memory.
STORAGE_TYPES = {kind.name: kind for kind in (FLOAT32, FLOAT16, BFLOAT16)}
# What the weight stream of a design with narrow weights is made of: half a float32, or a weight.
PIECE = DataType("uint16", 16, "ushort", "uint16")
# Of the place of a weight in a list without zeros.
PLACE_BITS = 16
# Bits of float32's mantissa that bfloat16 drops.
DROPPED = 16


def stream_type(weights: str) -> DataType:
    """What the weight stream of a pipelined design is made of, by the name of the storage type."""
    return FLOAT32 if STORAGE_TYPES[weights] == FLOAT32 else PIECE


def encoded(values: np.ndarray, kind: DataType) -> np.ndarray:
    """Bit patterns of float32 `values` in a storage type, rounded to nearest, ties to even; same
    shape, of numpy type `kind.array`.

    float16 has no subnormal numbers here: what is below 2^-14 becomes 0, as the decoder in logic
    reads it. Values beyond the type's largest number become infinite: see `overflows`.
    """
    values = np.ascontiguousarray(values, np.float32)
    if kind == FLOAT32:
        return values
    if kind == BFLOAT16:
        bits = values.view(np.uint32)
        half = np.uint32((1 << (DROPPED - 1)) - 1) + (bits >> DROPPED & 1)
        upper: np.ndarray = (bits + half) >> DROPPED
        return upper.astype(np.uint16)
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16)
    normal = np.abs(halves) >= np.finfo(np.float16).smallest_normal
    return np.where(normal, halves, np.float16(0)).view(np.uint16)


def loaded(patterns: np.ndarray, kind: DataType) -> np.ndarray:
    """The float32 values that bit patterns of a storage type stand for; same shape."""
    if kind == FLOAT32:
        return patterns
    if kind == BFLOAT16:
        return (patterns.astype(np.uint32) << DROPPED).view(np.float32)
    return patterns.view(np.float16).astype(np.float32)


def rounded(values: np.ndarray, kind: DataType) -> np.ndarray:
    """Float32 `values` as a storage type keeps them, in float32."""
    return loaded(encoded(values, kind), kind)


def pieces(values: np.ndarray, kind: DataType, piece: DataType = PIECE) -> np.ndarray:
    """The bit patterns of `values` in a type, as a flat stream of pieces, a value's lower bits
    first."""
    patterns = values.astype(kind.array) if kind.integer else encoded(values, kind)
    return np.ascontiguousarray(patterns).ravel().view(np.dtype(piece.array))


def decoded(pattern: str, lanes: int, kind: DataType) -> str:
    """The OpenCL expression of float32 values of which `pattern` are stored; the function stands
    before the kernels (`hlsgen.codegen.attributes`)."""
    return pattern if kind == FLOAT32 else f"decoded{lanes}({pattern})"


def lanes_of(kind: DataType, lanes: int) -> str:
    """The name of the union of a vector and its lanes."""
    return f"lanes{lanes}" if kind == FLOAT32 else f"lanes{lanes}_{kind.ctype}"


def integers(kind: DataType) -> str:
    """What a vector of integers is called in the union in which it arrives piece by piece."""
    return f"of_{kind.ctype}"


def converted(value: str, lanes: int, kind: DataType, wanted: DataType) -> str:
    """The OpenCL expression of a value of so many lanes in another type."""
    return value if kind == wanted else f"convert_{wanted.vector(lanes)}({value})"


def overflows(values: np.ndarray, kind: DataType) -> bool:
    """Whether a finite value is beyond the largest number of a storage type."""
    return bool(np.any(np.isinf(rounded(values, kind)) & np.isfinite(values)))
