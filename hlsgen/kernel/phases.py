"""Nouns of kernels whose iterations the loops alone do not tell: what comes and goes in a stretch
of them, and the arrays that a template addresses."""

from __future__ import annotations

from dataclasses import dataclass

from hlsgen.kernel.memory import Memory
from hlsgen.kernel.values import Vector


@dataclass(frozen=True)
class Pace:
    """`count` words, one in every `every` iterations from number `first` on."""

    count: int = 0
    first: int = 0
    every: int = 1


@dataclass(frozen=True)
class Phase:
    """A stretch of `length` iterations, `times` over: in each arrive and leave so many words.

    `whole`: all of it is one iteration of the kernel's loop, which has loops inside.
    """

    length: int
    reads: Pace = Pace()
    writes: Pace = Pace()
    times: int = 1
    whole: bool = False


@dataclass(frozen=True)
class Buffer:
    """An array that a template addresses, `loads` times an iteration. `note`: what it holds.

    `address`: the tables whose entries add up to a place in it; `lanes`: those of a vector among
    which a load chooses one. `rests`: iterations from a store to the first load of what it stored,
    where the text promises some.
    """

    memory: Memory
    vector: Vector
    note: str
    loads: int = 1
    address: tuple[str, ...] = ()
    lanes: int = 1
    rests: int = 0

    @property
    def declaration(self) -> str:
        """In OpenCL."""
        return f"{self.memory.declaration(self.vector.ctype)} // {self.note}"


@dataclass(frozen=True)
class Table:
    """Constants on chip: literals of OpenCL."""

    memory: Memory
    type: str
    values: tuple[str, ...]
    note: str = ""

    def declaration(self, kernel: str) -> str:
        """In OpenCL, ahead of its kernel."""
        name = f"{kernel}_{self.memory.name}[{len(self.values)}]"
        note = f" // {self.note}" * bool(self.note)
        return f"__constant {self.type} {name} = {{ {', '.join(self.values)} }};{note}"
