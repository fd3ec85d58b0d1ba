"""Kernels of pipelined designs whose weights stream from memory: convolutions of one group and
fully connected layers.

Such a convolution keeps feature maps on chip in place of weights, which is less where a layer has
few pixels and many channels. It works row tile by row tile: `row_tiles` equal parts of its output
rows. First the input rows come in that a row tile sees, then the filter words, each of which meets
all output pixels of the row tile while the next word arrives a vector a turn; last the results
leave, pixel by pixel. An image takes all weights from memory once a row tile.

A fully connected layer needs each weight once an image: it multiplies the vector of weights that
arrives by one lane of its input, a turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import KERNEL_LATENCY
from hlsgen.kernel.memory import SUM_DISTANCE, Memory
from hlsgen.kernel.phases import Pace, Phase
from hlsgen.ops.arrays import vectors
from hlsgen.ops.window import Window
from hlsgen.plan import KernelPlan
from hlsgen.types import FLOAT32

# Loops of a row tile that start anew, each with an empty pipeline: rows in, filter words and
# results.
LOOPS = 2


@dataclass(frozen=True)
class RowTiles:
    """How a kernel goes through an image: `count` row tiles of `rows` output rows; `capacity` input
    rows on chip; `words` of `vectors_per_cycle` input vectors a pixel; `outs` output vectors;
    `loads` weight vectors a filter word. The first row tile sees the first `needed` input rows, all
    of them `seen` ones; `arrived[n]` ones have come in when row tile n begins to multiply: all,
    before the last."""

    count: int
    rows: int
    columns: int
    capacity: int
    words: int
    outs: int
    taps: int
    loads: int
    needed: int
    seen: int
    arrived: tuple[int, ...]
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """Output pixels of a row tile."""
        return self.rows * self.columns

    @property
    def turns(self) -> int:
        """Turns of a row tile in which the kernel multiplies."""
        return self.words * self.taps * self.outs * self.pixels


@dataclass(frozen=True)
class Printed:
    """What the template prints beside the description."""

    tiles: RowTiles
    window: Window
    memories: Mapping[str, Memory]

    @property
    def together(self) -> int:
        """Vectors of a word."""
        return self.memories["map"].parts

    @property
    def lanes(self) -> int:
        """Of a vector, that hold channels."""
        return self.tiles.loads // self.together

    @property
    def rolls(self) -> bool:
        """Whether rows of the map are used again."""
        return self.tiles.count > 1 and self.tiles.capacity < self.tiles.height

    @property
    def taps(self) -> list[tuple[str, int]]:
        """The counters of a filter word, innermost first."""
        rows, columns = self.window.kernel
        return counted(("kx", columns), ("ky", rows), ("c", self.tiles.words))

    @property
    def pixels(self) -> list[tuple[str, int]]:
        """Those of an output pixel."""
        return counted(("x", self.tiles.columns), ("y", self.tiles.rows))

    @property
    def outs(self) -> list[tuple[str, int]]:
        """That of an output vector."""
        return counted(("o", self.tiles.outs))

    @property
    def output(self) -> str:
        """The number of an output vector, in the text."""
        return "o" if self.outs else "0"

    @property
    def sum(self) -> str:
        """Which sum is added to."""
        return "which" if self.outs else "pixel"

    @property
    def word(self) -> str:
        """The number of an input word of a pixel."""
        return "c" if self.tiles.words > 1 else "0"

    @property
    def begins(self) -> str:
        """Whether a filter word is the first."""
        return " && ".join(f"{name} == 0" for name, _ in self.taps)

    @property
    def kept(self) -> str:
        """What of the input is on chip."""
        t = self.tiles
        if t.capacity == t.height:
            return "the input"
        return f"the {'last' if t.count > 1 else 'first'} {t.capacity} rows of the input"


def counted(*counters: tuple[str, int]) -> list[tuple[str, int]]:
    """Counters of more than one iteration, with their bounds."""
    return [(name, bound) for name, bound in counters if bound != 1]


def possible(layer: Layer, graph: Graph, kernel: KernelPlan) -> tuple[int, ...]:
    """Numbers of row tiles that a convolution may work in: they divide its rows; a row tile has
    more turns a filter word than the word has vectors, and no sum is due again before its addition
    ends (the last output vector's first pixel is the first to be: it leaves early); and there is
    something to add up."""
    rows = graph.output_tensor(layer).height
    found = []
    for count in (n for n in range(1, rows + 1) if rows % n == 0):
        s = row_tiles(layer, graph, kernel, count)
        if s.loads <= s.pixels and s.outs + s.pixels - 1 >= SUM_DISTANCE and s.words * s.taps > 1:
            found.append(count)
    return tuple(found)


def row_tiles(layer: Layer, graph: Graph, kernel: KernelPlan, count: int = 0) -> RowTiles:
    """The row tiles of a kernel's plan, or `count` ones."""
    source, result, window = (
        graph.tensors[layer.inputs[0]],
        graph.output_tensor(layer),
        layer.attributes.window,
    )
    count = count or kernel.row_tiles
    rows, lanes = result.height // count, min(kernel.input_width, source.channels)
    seen = (rows - 1) * window.stride[0] + window.extent[0]
    last = seen - window.pads[0] + np.arange(count) * rows * window.stride[0]
    together = kernel.input_width * kernel.vectors_per_cycle
    return RowTiles(
        count,
        rows,
        result.width,
        min(max(seen, rows * window.stride[0]), source.height),
        vectors(source.channels, together),
        vectors(result.channels, kernel.output_width),
        window.taps,
        lanes * kernel.vectors_per_cycle,
        int(last[0]),
        int(min(last[-1], source.height)),
        (*(int(n) for n in np.clip(last[:-1], 0, source.height)), source.height),
        source.height,
        source.width,
    )


def phases(s: RowTiles) -> tuple[Phase, ...]:
    """Of every row tile: the rows that it needs come in; the first filter word comes in and all are
    multiplied; results leave; and the loops' starts."""
    found: list[Phase] = []
    before, results = 0, s.pixels * s.outs
    for arrived in s.arrived:
        fresh = (arrived - before) * s.width * s.words
        found += [
            Phase(fresh, Pace(fresh)),
            Phase(s.loads + s.turns + (LOOPS - 1) * KERNEL_LATENCY),
            Phase(results, writes=Pace(results)),
            Phase(KERNEL_LATENCY),
        ]
        before = arrived
    return tuple(found)


def values(s: RowTiles, kernel: KernelPlan) -> int:
    """Weights that an image takes from memory, padded to whole words."""
    return s.count * s.words * s.taps * s.outs * s.loads * kernel.output_width


def memories(s: RowTiles, kernel: KernelPlan) -> tuple[Memory, ...]:
    """Rows of the input, and the filter word in use with the next one, in registers. (Sums are
    counted where those of all kernels are.)"""
    lanes = kernel.output_width * FLOAT32.bits
    return (
        Memory(
            "map",
            s.capacity * s.width * s.words,
            kernel.input_width * FLOAT32.bits,
            kernel.vectors_per_cycle,
        ),
        Memory("filter", 1, lanes, s.loads),
        Memory("next", 1, lanes, s.loads),
    )
