"""The types of values by what they are for, and vectors of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from hlsgen.types import FLOAT32, DataType


@dataclass(frozen=True)
class Roles:
    """The types of values by what they are for."""

    operand: DataType = FLOAT32
    weight: DataType = FLOAT32
    accumulator: DataType = FLOAT32
    result: DataType = FLOAT32


FLOAT = Roles()


@cache
def weighted(kind: DataType) -> Roles:
    """Float32, but for weights that lie in memory as another type."""
    return replace(FLOAT, weight=kind)


@dataclass(frozen=True)
class Vector:
    """`lanes` channels of a pixel; a word has `count` such vectors. `name`: what the text calls the
    type of a vector, "" where it is OpenCL's own."""

    type: DataType
    lanes: int
    count: int = 1
    name: str = ""

    @property
    def ctype(self) -> str:
        """A vector in OpenCL."""
        return self.name or self.type.vector(self.lanes)

    @property
    def bits(self) -> int:
        """Of all values."""
        return self.type.bits * self.lanes * self.count
