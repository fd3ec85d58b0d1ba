"""What a kernel and its design call things in the text: channels, counters, values."""

from __future__ import annotations

from dataclasses import dataclass

from hlsgen.kernel.derive import reduction
from hlsgen.kernel.nest import Array, Index, Loop, Nest, row_major
from hlsgen.kernel.writing import counted
from hlsgen.types import FLOAT32, DataType

# The kernels at the ends of the links to the boards before and behind.
LINK_IN, LINK_OUT = "link_in", "link_out"
# What the running value of an iteration is called, by kind of combination.
RUNNING = {"multiply": "product", "maximum": "largest", "sum": "sum"}


@dataclass(frozen=True)
class Instance:
    """A kernel in its design: its names, the channels at its ends, and which optimisations are on.

    `weights`, `streamed`: the channels of weights that stay on chip and of those that come from
    memory; the first carries a value, or a `piece` of one, at a time. `word`: the struct of a
    source that sends several vectors at once. With `scratch` sums are in global memory.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    weights: str = ""
    streamed: str = ""
    piece: DataType = FLOAT32
    word: str = ""
    autorun: bool = True
    scratch: bool = False
    fuse: bool = True
    unroll: bool = True

    @property
    def pragma(self) -> str:
        """Of the loops that are unrolled unless that is switched off."""
        return "#pragma unroll" if self.unroll else "#pragma unroll 1"


def reader(index: int, inputs: int) -> str:
    """The kernel that reads one of a network's so many inputs from memory."""
    return "read_input" if inputs == 1 else f"read_input_{index + 1}"


def writer(index: int, outputs: int) -> str:
    """The kernel that writes one of a network's so many outputs to memory."""
    return "write_output" if outputs == 1 else f"write_output_{index + 1}"


def names(n: Nest) -> tuple[str, ...]:
    """The counters that an index may name: those of more than one iteration."""
    walked = n.raster.loops if n.raster else ()
    return tuple(loop.name for loop in (*walked, *counted(n.sequential), *n.unrolled))


def counters(n: Nest, at: Instance) -> list[Loop]:
    """The loops that the text counts, outermost first: where there is no window, none outside those
    whose counter something names."""
    if n.window:
        return counted(n.sequential)
    loops = counted((*(n.raster.loops if n.raster else ()), *n.sequential))
    used = named(n, at)
    first = [i for i, loop in enumerate(loops) if loop.name in used]
    return loops[first[0] :] if first else []


def named(n: Nest, at: Instance) -> set[str]:
    """Counters that the text of a kernel without a window asks for."""
    held = (source.held for source in n.sources)
    indexed = [array.index for array in (n.bias, *n.constants, *held) if array]
    if n.epilogue.unused or not at.fuse:
        indexed.append(row_major(n.outputs))
    found = {name for index in indexed for name, _ in index.terms}
    found |= {guard.loop for source in n.sources for guard in source.when}
    return found | {loop.name for loop in n.sequential if loop.reduces or not loop.arrives}


def running(n: Nest) -> str:
    """What the running value of an iteration is called."""
    return RUNNING.get(n.combine.kind, "product" if reduction(n)[0] > 1 else "value")


def expression(n: Nest, index: Index) -> str:
    """An index in OpenCL."""
    return index.text(names(n))


def element(n: Nest, array: Array, part: str | int = 0) -> str:
    """A vector of an on-chip array."""
    return array.memory.at(expression(n, array.index), part)


def result_index(n: Nest) -> str:
    """The number of an output vector in its pixel."""
    return expression(n, row_major(n.outputs))


def word_type(n: Nest, at: Instance) -> str:
    """What the first source sends."""
    return at.word or n.sources[0].word.ctype


def source_tests(n: Nest, position: int = 0) -> str:
    """Whether a word of a source arrives; "" where one always does."""
    loops = n.counters
    guards = n.sources[position].when
    return " && ".join(test for g in guards for test in g.tests(loops[g.loop].bound))


def due_tests(n: Nest) -> str:
    """Whether a position gives an output; "" where all do."""
    if not n.raster:
        return ""
    pairs = zip(n.raster.loops, n.raster.due, strict=True)
    return " && ".join(test for loop, guard in pairs for test in guard.tests(loop.bound))
