"""What a kernel of a folded design is: it takes the record of a step in, and works through loops
whose trip counts are the record's.

What it computes in an iteration is a `Nest`, or several among which the record chooses. The rest of
it are nouns of this module. What it costs and how long a step takes follow from it
(`hlsgen.kernel.charge`), and its text is printed from it (`hlsgen.kernel.step_text`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from hlsgen.kernel.count import Count
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.nest import Guard, Loop, Nest
from hlsgen.kernel.phases import Buffer, Table
from hlsgen.kernel.values import Vector
from hlsgen.types import DataType

# What records, tables and counters are made of.
INT = DataType("int32", 32, "int", "int32")
# How a kernel starts: by itself, or by the host for a number of steps; so do all that read or write
# global memory.
AUTORUN, LAUNCHED, READER = "autorun", "launched", "reader"


@dataclass(frozen=True)
class StepGuard(Guard):
    """Of a counter that starts at `first_value` and moves on by `step`; below `end`, where that is
    not None."""

    first_value: Count | None = None
    step: Count | None = None
    end: Count | None = None

    def tests(self, bound: int) -> list[str]:
        """`next_<loop>` is the next value that holds."""
        ends = [f"{self.loop} < {self.end.text}"] if self.end else []
        return [f"{self.loop} == next_{self.loop}", *ends]


@dataclass(frozen=True)
class End:
    """An end of the channel `channel`, which takes `bits` at once; `writes`: of a producer."""

    channel: str
    bits: int
    writes: bool = False


@dataclass(frozen=True)
class Registers:
    """An array `name` whose elements, `shape` of them, all are at hand in an iteration; at its end
    are some `unused`, which nothing reads, so that no register holds them. `inside`: the template
    declares it, where a loop starts anew."""

    name: str
    vector: Vector
    shape: tuple[int, ...] = ()
    unused: int = 0
    inside: bool = False

    @property
    def bits(self) -> int:
        """Of all elements in use."""
        return (prod(self.shape) - self.unused) * self.vector.bits

    @property
    def declaration(self) -> str:
        """In OpenCL, without the type and the semicolon."""
        return f"{self.name}{''.join(f'[{size}]' for size in self.shape)} REGISTERS"


@dataclass(frozen=True)
class Channel:
    """A channel of words, `depth` of them on the board, where `stream` of them pass in a step;
    None: a record travels word by word. `struct`: what the words, which are of a type of their own,
    are made of."""

    name: str
    word: Vector
    depth: int = 0
    stream: Count | None = None
    struct: str = ""


@dataclass(frozen=True)
class Pointer:
    """A buffer in global memory, argument `name` of the kernel, which has so many units that load
    vectors of it, and that store them. `qualifier`: before the type of what it points to; `buffer`:
    what the host calls it, where that is not the name."""

    name: str
    vector: Vector
    loads: int = 1
    stores: int = 0
    qualifier: str = "const "
    buffer: str = ""

    @property
    def parameter(self) -> str:
        """In OpenCL."""
        return f"__global {self.qualifier}{self.vector.ctype} *restrict {self.name}"


@dataclass(frozen=True)
class Sets:
    """Weights that an iteration uses all at once, kept twice: while a plane passes by, the next
    one's come in, `words` words of `burst` vectors, by the channel `channel`. There are `planes`,
    of `turns` iterations each."""

    channel: str
    words: int
    burst: int
    planes: Count
    turns: Count


@dataclass(frozen=True)
class Masks:
    """A window that is smaller than the kernel's: of the numbers `counts`, a bit each says which
    rows and which columns count. Of averages count those alone that lie within `borders`, first
    and end of the scan's rows and of its columns."""

    counts: tuple[Count, Count]
    borders: tuple[tuple[Count, Count], tuple[Count, Count]]


@dataclass(frozen=True)
class Feeding:
    """Results that go past the epilogue: engines and the channels into them. The record chooses
    among `functions`, kinds of activations. `beside`: the channel of other results, "" for none."""

    arrays: tuple[tuple[str, str], ...]
    functions: tuple[str, ...]
    beside: str


@dataclass(frozen=True, eq=False)
class StepKernel:
    """The kernel `name`, which the comment `what` explains.

    `loops`: nests of loops, one after another, outermost first in each. `nests`: what an iteration
    computes, of which the record chooses one. `ends`: of channels, first that of the record; it is
    handed `onward` to others, each for an engine that must hear of the step, or "" for all; its
    last word `waits` for a token from another. `walk`: counters that every iteration counts on,
    innermost first. `arrays`: on chip; `tables`: constants there.
    `counts`: numbers that it works out, by what a template calls them. `units`: what the template
    computes beside the nests. `choices`: bits of the multiplexers in it. `logic`: an estimate of
    the bits of counters, addresses and fields; `depth`: loops that it takes controllers for.
    `ahead`: stands before the readers, which write to its channels, in the text.
    `state`: declarations of what else lasts from step to step.
    `options`: what the template does beside.
    `template`: prints the loops, "" where they follow from the description.
    """

    name: str
    what: str
    start: str
    loops: tuple[tuple[Loop, ...], ...]
    ends: tuple[End, ...]
    nests: tuple[Nest, ...] = ()
    onward: tuple[tuple[str, str], ...] = ()
    waits: str = ""
    walk: tuple[Loop, ...] = ()
    sets: Sets | None = None
    masks: Masks | None = None
    feeding: Feeding | None = None
    pointers: tuple[Pointer, ...] = ()
    arrays: tuple[Buffer | Registers, ...] = ()
    tables: tuple[Table, ...] = ()
    counts: Mapping[str, Count] = field(default_factory=dict)
    units: Arithmetic = field(default_factory=Arithmetic)
    choices: int = 0
    logic: int = 768
    depth: int = 2
    state: tuple[str, ...] = ()
    ahead: bool = False
    options: tuple[str, ...] = ()
    template: str = ""

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """Arrays that are memories."""
        return tuple(array for array in self.arrays if isinstance(array, Buffer))

    @property
    def registers(self) -> tuple[Registers, ...]:
        """Arrays that are none."""
        return tuple(array for array in self.arrays if isinstance(array, Registers))
