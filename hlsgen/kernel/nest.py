"""What a pipelined kernel is: the nouns between a plan and its text.

A kernel is one flat loop that counts a nest of loops on, outermost first. Where it has a `raster`,
its loops walk the pixels of the (padded) input; at each position the other loops take the words of
the pixel, the taps and the output vectors, one after another. Loops marked `unrolled` happen at
once.

Operators build a `Nest` and say nothing more of their kernels. What a kernel costs, when it reads
and writes, and the order of its weights follow from it (`hlsgen.kernel.derive`), and so does the
text (`hlsgen.kernel.text`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, prod
from typing import Any

import numpy as np

from hlsgen.activation import Activation
from hlsgen.kernel.count import Count
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.phases import Buffer, Phase, Table
from hlsgen.kernel.values import FLOAT, Roles, Vector
from hlsgen.types import DataType

# ---- Loops, and what names an iteration


@dataclass(frozen=True)
class Loop:
    """A counter of `bound` iterations.

    `arrives`: each iteration takes a new word of the source. `reduces`: its iterations add up to
    one output vector. `unrolled`: they happen at once, in `bound` copies of the arithmetic.
    `slices`: each works on one of `bound` slices of an output vector's lanes (lane folding).
    `walks`: each is for another output pixel. `count`: how many there are in a step, where its
    record says so; then `bound` is the most that there can be.
    """

    name: str
    bound: int
    arrives: bool = False
    reduces: bool = False
    unrolled: bool = False
    slices: bool = False
    walks: bool = False
    count: Count | None = None


def size(loops: Iterable[Loop]) -> int:
    """Iterations of nested loops."""
    return prod([loop.bound for loop in loops])


@dataclass(frozen=True)
class Index:
    """A sum of counters times factors."""

    terms: tuple[tuple[str, int], ...] = ()

    def text(self, names: Iterable[str]) -> str:
        """In OpenCL. Counters that are not among the declared `names` stay 0."""
        declared = set(names)
        terms = [
            name if factor == 1 else f"{name} * {factor}"
            for name, factor in self.terms
            if name in declared
        ]
        return " + ".join(terms) or "0"

    def scaled(self, factor: int) -> Index:
        """A multiple of it."""
        return Index(tuple((name, own * factor) for name, own in self.terms))

    def plus(self, other: Index) -> Index:
        """The sum of both."""
        return Index(self.terms + other.terms)


# Always 0.
ZERO = Index()


def row_major(loops: Sequence[Loop]) -> Index:
    """The number of an iteration of nested loops, the last innermost."""
    terms, factor = [], 1
    for loop in reversed(loops):
        terms.append((loop.name, factor))
        factor *= loop.bound
    return Index(tuple(reversed(terms)))


@dataclass(frozen=True)
class Guard:
    """True where counter `loop` is one of `count` values: `first`, `first + stride`, ..."""

    loop: str
    first: int
    count: int
    stride: int = 1

    def tests(self, bound: int) -> list[str]:
        """What a counter below `bound` is tested for in OpenCL. With a stride, `next_<loop>` is the
        next value that holds: no remainder."""
        if self.stride > 1:
            return [f"{self.loop} == next_{self.loop}"]
        end = self.first + self.count
        if end == 1 < bound:
            return [f"{self.loop} == 0"]
        lower = [f"{self.loop} >= {self.first}"] if self.first > 0 else []
        return lower + ([f"{self.loop} < {end}"] if end < bound else [])

    def holds(self, bound: int) -> np.ndarray:
        """For every value of the counter."""
        steps, rest = np.divmod(np.arange(bound) - self.first, self.stride)
        held: np.ndarray = (rest == 0) & (steps >= 0) & (steps < self.count)
        return held


@dataclass(frozen=True, eq=False)
class Raster:
    """The walk over an input, padded where the kernel has a window: the loops y and x there, else
    one loop over all pixels. `due`: for each loop, positions that give an output."""

    loops: tuple[Loop, ...]
    due: tuple[Guard, ...]


@dataclass(frozen=True, eq=False)
class Source:
    """An input: `pixels` of `vectors` each, which arrive as words of `word`.

    A word arrives only where `when` holds, and elsewhere reads as `border` (an OpenCL literal) or
    as the one that `held` keeps from before.
    """

    word: Vector
    pixels: int
    vectors: int
    when: tuple[Guard, ...] = ()
    border: str = ""
    held: Array | None = None

    @property
    def words(self) -> int:
        """Words of a pixel."""
        return ceil(self.vectors / self.word.count)

    @property
    def beyond(self) -> str:
        """A vector of what it reads as beyond its edges."""
        return self.word.type.filled(self.border, self.word.lanes)


# ---- Storage and arithmetic


@dataclass(frozen=True)
class Array:
    """An on-chip memory of vectors, whose word is found by `index`."""

    memory: Memory
    vector: Vector
    index: Index = Index()


@dataclass(frozen=True)
class SlidingWindow:
    """Registers `(rows, length)` that hold what one output sees; `tap`: where the tap of the
    counters ky and kx is.

    The rows above are in the memory `line`, or in shift registers as long as a `row` has words;
    where a pixel has many words, the columns to the left are in the memory `history`.
    """

    rows: int
    length: int
    row: int
    tap: tuple[Index, Index]
    line: Array | None
    history: Array | None


@dataclass(frozen=True)
class Combine:
    """What an iteration does with all unrolled taps and lanes: "multiply" by weights and add up,
    "maximum", "sum" of an `expression` of each; or with one word: "each", an `expression` of the
    sources (by number) and constants (by name), which takes `units`; "pass", that of the source
    whose turn it is.

    `lane`: the unrolled loop over the operand's lanes, each of which meets a weight vector of its
    own; "" where lanes stay apart. `vector`: the one over a word's vectors. `chooses`: `lane`
    counts the non-zero weights of an input vector instead, each with the place of what it
    multiplies, which differs from lane to lane of the result.
    """

    kind: str
    lane: str = ""
    vector: str = ""
    expression: str = "{0}"
    units: Arithmetic = field(default_factory=Arithmetic)
    chooses: bool = False


@dataclass(frozen=True)
class Weights:
    """The values of a layer's weights `(groups, filters, inputs, taps)`, and which of them an
    iteration of the kernel takes in lane 0."""

    values: np.ndarray
    group: Index = ZERO
    filter: Index = ZERO
    input: Index = ZERO
    tap: Index = ZERO


@dataclass(frozen=True)
class Counted:
    """Averages that count fewer values at the border, along an axis of the raster: `taps` values
    `dilation` apart end at the position, and those from `low` up to `high` count."""

    loop: str
    taps: int
    dilation: int
    low: int
    high: int


@dataclass(frozen=True)
class Conversion:
    """From a finished sum to another type: an `expression` in float32 of the sum `{0}` and of its
    vector `{1}` of `factors` (or, without those, of one of the epilogue's `scales`), which takes
    `units`. Where the result is an integer it is rounded to nearest, ties to even, and `zero` is
    added."""

    expression: str
    zero: int = 0
    factors: Array | None = None
    units: Arithmetic = field(default_factory=Arithmetic)


@dataclass(frozen=True)
class Epilogue:
    """From a finished sum to a result: times `scale`, or one of `scales` by the numbers of values
    that are `counted` along both axes; or by a `conversion`. Then the activation.

    `unused`: lanes of a pixel's last vector that hold no channel and must be cleared.
    """

    scale: float | None = None
    scales: tuple[float, ...] = ()
    counted: tuple[Counted, ...] = ()
    conversion: Conversion | None = None
    activation: Activation | None = None
    unused: int = 0


# ---- Kernels


@dataclass(frozen=True, eq=False)
class Nest:
    """A pipelined kernel that computes `what`, in vectors of `lanes`.

    `loops`: those of a position, outermost first, loops that take words outside all others.
    `weights` are on chip for good, a word for every iteration of a position; they arrive after the
    biases, word by word. `streamed`: a vector of weights arrives in every iteration instead.
    `constants`: a vector for every vector of a pixel each, which an `expression` names. They arrive
    after the biases.
    `partial_sums`: accumulators of one output vector that take turns, where sums are in a shift
    register. `phases`: an image, where the `template` of that name prints the loop, which names
    `buffers` and `tables`; the nest's one loop counts output vectors of a pixel. `memories`:
    others, which such a template declares itself, or those of weights without zeros and of their
    places. `fills`: all words of a position arrive before its other loops begin. `kept`: running
    sums are where a template keeps them. `exact`: the compiler keeps products and additions of
    floats apart, and these in order.
    """

    what: str
    lanes: int
    sources: tuple[Source, ...]
    loops: tuple[Loop, ...]
    combine: Combine
    raster: Raster | None = None
    window: SlidingWindow | None = None
    weights: Array | None = None
    streamed: Vector | None = None
    bias: Array | None = None
    constants: tuple[Array, ...] = ()
    epilogue: Epilogue = Epilogue()
    partial_sums: int = 1
    template: str = ""
    phases: tuple[Phase, ...] = ()
    buffers: tuple[Buffer, ...] = ()
    tables: tuple[Table, ...] = ()
    memories: tuple[Memory, ...] = ()
    fills: bool = False
    kept: bool = False
    exact: bool = False
    types: Roles = FLOAT
    # What `hlsgen.kernel.derive` has worked out, by name.
    derived: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    # Loops of a position that take one iteration after another, and those that happen at once.
    sequential: tuple[Loop, ...] = field(init=False, repr=False)
    unrolled: tuple[Loop, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        at_once = tuple([loop for loop in self.loops if loop.unrolled])
        others = tuple([loop for loop in self.loops if not loop.unrolled])
        object.__setattr__(self, "unrolled", at_once)
        object.__setattr__(self, "sequential", others)

    @cached_property
    def outputs(self) -> tuple[Loop, ...]:
        """Loops whose iterations give an output vector each."""
        others = [x for x in self.sequential if not (x.reduces or x.slices or x.walks)]
        return tuple(x for x in others if not (x.arrives and self.fills))

    @cached_property
    def slicing(self) -> Loop | None:
        """The loop over slices of the lanes, if there is one."""
        found = [loop for loop in self.loops if loop.slices and loop.bound > 1]
        return found[0] if found else None

    @property
    def counters(self) -> Mapping[str, Loop]:
        """All loops by name."""
        return {
            loop.name: loop for loop in (*(self.raster.loops if self.raster else ()), *self.loops)
        }

    @cached_property
    def accumulator(self) -> Vector:
        """Sums: of all lanes, or of those of a slice."""
        slices = self.slicing.bound if self.slicing else 1
        return self.vector(self.types.accumulator, self.lanes // slices)

    @property
    def result(self) -> Vector:
        """What is written."""
        return self.vector(self.types.result, self.lanes)

    def vector(self, kind: DataType, lanes: int) -> Vector:
        """One of that type, which is called as the word of a source is where that is one."""
        word = self.sources[0].word
        return Vector(kind, lanes, name=word.name * ((kind, lanes) == (word.type, word.lanes)))
