"""Data movement: every output value is one input value, a constant, or a blend of two input values.

Transpose, Slice, Split, Pad, DepthToSpace, Resize and their like differ only in which value goes
where. They import as an index array (made by numpy itself from the array of all indices), and share
one kernel in each style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from hlsgen.graph import Graph, Layer, Tensor
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.memory import MEMORY_DISTANCE, Memory
from hlsgen.ops.base import Events, Operator, Shape, Work, vectors
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.types import FLOAT32

# An offset that makes any sum of offsets negative: the value is the constant. Three of them still
# fit 32 bits, and no place in a memory lies so far (`LARGEST_MOVEMENT`).
NOWHERE = -(1 << 29)


@dataclass(frozen=True)
class Offsets:
    """Where output (c, y, x) finds its value: element `rows[y] + columns[x] + channels[c]`, or the
    constant if that is negative."""

    rows: np.ndarray
    columns: np.ndarray
    channels: np.ndarray


@dataclass(frozen=True, eq=False)
class GatherAttributes:
    """`source`: shape of the input. `index` (C', H', W'): flat index into it, or -1 for `fill`.
    `what`: how comments call it.

    `other` (as `index`) and `weight` (W' or H' values along `axis`, "x" or "y") make it a blend:
    value + weight * (other - value).
    """

    source: Shape
    index: np.ndarray
    what: str
    fill: float = 0.0
    other: np.ndarray | None = None
    weight: np.ndarray | None = None
    axis: str = ""

    @cached_property
    def indices(self) -> tuple[np.ndarray, ...]:
        """The index arrays in use."""
        return (self.index,) if self.other is None else (self.index, self.other)

    @cached_property
    def parts(self) -> tuple[Parts | None, ...]:
        """For each index array its parts; None where they are no sums over the axes."""
        return tuple(take_apart(index, self.source) for index in self.indices)

    @cached_property
    def local(self) -> bool:
        """Whether values move within their pixel alone, in every pixel alike."""
        pixels, index = self.source[1] * self.source[2], self.index
        if len(self.indices) > 1 or index.shape[1:] != self.source[1:]:
            return False
        here = np.arange(pixels).reshape(self.source[1:])
        places = np.where(index < 0, -1, index // pixels)
        return bool(
            np.all((index < 0) | (index % pixels == here)) and (places == places[:, :1, :1]).all()
        )

    @cached_property
    def needed_rows(self) -> np.ndarray:
        """For each output row, how many input rows must have come before it can leave (no fewer
        than for the row before)."""
        last = [np.where(i < 0, -1, self.rows_of(i)).max(axis=(0, 2)) for i in self.indices]
        return np.maximum.accumulate(np.max(last, axis=0) + 1)

    @cached_property
    def ring_rows(self) -> int:
        """Input rows that a streaming kernel must hold: from the oldest that is still to be used to
        the newest that is needed.

        All of them where an output row takes values from several places at once (a transposition).
        """
        height, width = self.source[1:]
        first = [np.where(i < 0, height, self.rows_of(i)).min(axis=(0, 2)) for i in self.indices]
        oldest = np.minimum.accumulate(np.min(first, axis=0)[::-1])[::-1]
        return (
            max(1, int((self.needed_rows - oldest).max()))
            if all(p and p.by_rows(width) for p in self.parts)
            else height
        )

    def rows_of(self, index: np.ndarray) -> np.ndarray:
        """Input rows of an index array."""
        return index % (self.source[1] * self.source[2]) // self.source[2]


@dataclass(frozen=True)
class Parts:
    """Source pixel and source channel of output (c, y, x), each a sum over the three axes."""

    pixel: Offsets
    channel: Offsets

    def by_rows(self, width: int) -> bool:
        """Whether an output row takes all its values from one input row."""
        p = self.pixel
        columns = p.columns[p.columns > NOWHERE]
        inside = ((columns >= 0) & (columns < width)).all()
        return bool(
            inside
            and (p.rows[p.rows >= 0] % width == 0).all()
            and not p.channels[p.channels > NOWHERE].any()
        )

    def offsets(self, stride: int, width: int, ring: int = 0) -> Offsets:
        """Element offsets in a memory of pixels of `stride` elements; with `ring`, one that holds
        so many rows in turn."""
        rows = self.pixel.rows
        if ring:
            rows = np.where(rows < 0, rows, rows // width % ring * width + rows % width)
        pairs = zip(
            (rows, self.pixel.columns, self.pixel.channels),
            (self.channel.rows, self.channel.columns, self.channel.channels),
            strict=True,
        )
        return Offsets(
            *(
                np.where(pixel <= NOWHERE, NOWHERE, pixel * stride + channel)
                for pixel, channel in pairs
            )
        )


def take_apart(index: np.ndarray, source: Shape) -> Parts | None:
    """The parts of an index array (C', H', W'); None where pixel or channel is no sum over the
    axes."""
    pixels = source[1] * source[2]
    pixel = separate(np.where(index < 0, NOWHERE, index % pixels))
    if (
        pixel is not None
        and len(columns := np.unique(pixel.rows[pixel.rows >= 0] % source[2])) == 1
    ):
        # All rows begin in one column: that is the columns' part of the sum.
        rows = np.where(pixel.rows < 0, NOWHERE, pixel.rows - columns[0])
        pixel = Offsets(
            rows,
            np.where(pixel.columns <= NOWHERE, NOWHERE, pixel.columns + columns[0]),
            pixel.channels,
        )
    channel = separate(np.where(index < 0, NOWHERE, index // pixels))
    return Parts(pixel, channel) if pixel and channel else None


def elements(index: np.ndarray, source: Shape, stride: int) -> np.ndarray:
    """Element offsets of all values in a memory of pixels of `stride` elements."""
    channel, pixel = np.divmod(index.astype(np.int64), source[1] * source[2])
    return np.where(index < 0, NOWHERE, pixel * stride + channel)


def separate(found: np.ndarray) -> Offsets | None:
    """Numbers (C', H', W') as the sum of one for each axis, the constant with the rows; None where
    they are no such sum."""
    valid = np.greater_equal(found, 0)
    masks: list[np.ndarray] = [np.any(valid, axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    if not valid.any():
        return Offsets(
            *(
                np.full(n, NOWHERE, np.int64)
                for n in (found.shape[1], found.shape[2], found.shape[0])
            )
        )
    if not np.array_equal(valid, masks[0][:, None, None] & masks[1][:, None] & masks[2]):
        return None
    c, y, x = (int(mask.argmax()) for mask in masks)
    first = int(found[c, y, x])
    channels, rows, columns = found[:, y, x] - first, found[c, :, x], found[c, y, :] - first
    total = channels[:, None, None] + rows[:, None] + columns
    if not np.array_equal(total[valid], found[valid]):
        return None
    parts = zip((rows, columns, channels), (masks[1], masks[2], masks[0]), strict=True)
    return Offsets(*(np.where(mask, part, NOWHERE).astype(np.int64) for part, mask in parts))


class Gather(Operator):
    """The layer behind all data movement; `hlsgen.ops.movement` and others import ONNX operators as
    it."""

    name = "gather"
    engine = "gather"

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Pick, and blend where there are two."""
        a: GatherAttributes = layer.attributes
        flat = np.append(inputs[0].astype(np.float64).ravel(), a.fill)
        value = flat[a.index]
        if a.other is None or a.weight is None:
            return value
        weight = (
            a.weight.astype(np.float64) if a.axis == "x" else a.weight.astype(np.float64)[:, None]
        )
        return value + weight * (flat[a.other] - value)

    def work(self, layer: Layer, graph: Graph) -> Work:
        """Data movement, or three operations a blend."""
        return Work(
            operations=0 if layer.attributes.other is None else 3 * graph.output_tensor(layer).size
        )

    # ---- layered

    def layered_arrays(self, layer: Layer) -> Mapping[str, np.ndarray]:
        """For each output value the place of its input, [H][W][C] both; for blends the other's
        place and the weights."""
        a: GatherAttributes = layer.attributes
        arrays: dict[str, np.ndarray] = {}
        for name, index in zip(("index", "other"), a.indices, strict=False):
            places = np.maximum(elements(index, a.source, a.source[0]), -1)
            arrays[name] = np.ascontiguousarray(places.transpose(1, 2, 0), np.int32)
        return arrays if a.weight is None else {**arrays, "weight": a.weight.astype(np.float32)}

    # ---- pipelined

    def refusal(self, layer: Layer, graph: Graph, style: str) -> str | None:
        """A pipelined kernel computes addresses from small tables, one an axis."""
        if style != "pipelined" or all(layer.attributes.parts):
            return None
        return "its new place for a value is no sum of a row's, a column's and a channel's part"

    def tables(self, layer: Layer, graph: Graph, width: int) -> tuple[Offsets, ...]:
        """Offsets into the kernel's buffer, whose pixels are whole vectors of `width`."""
        a: GatherAttributes = layer.attributes
        if a.local:
            parts = a.parts[0]
            # Rows and columns are constants, and the rows hold the constant of the sum.
            return (
                (replace(parts.channel, channels=parts.channel.channels + max(parts.channel.rows)),)
                if parts
                else ()
            )
        stride = vectors(a.source[0], width) * width
        return tuple(p.offsets(stride, a.source[2], a.ring_rows) for p in a.parts if p)

    def keeps_vectors(self, offsets: Sequence[Offsets], width: int) -> bool:
        """Whether whole vectors of `width` channels move as they are."""
        for o in offsets:
            lane = np.arange(len(o.channels)) % width
            start = o.channels[np.arange(len(o.channels)) - lane]
            moved = (o.channels == start + lane) & (start % width == 0)
            moved = np.where(o.channels <= NOWHERE, start <= NOWHERE, moved)
            aligned = all(
                ((part <= NOWHERE) | (part % width == 0)).all() for part in (o.rows, o.columns)
            )
            if not (moved.all() and aligned):
                return False
        return True

    def settles(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """Turns that a local kernel waits after each pixel, so that what was written last can be
        read; with few vectors its buffer is registers, and it waits for nothing."""
        count = vectors(graph.tensors[layer.inputs[0]].channels, kernel.input_width)
        return MEMORY_DISTANCE if count >= MEMORY_DISTANCE else 0

    def pipelined_context(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> dict[str, Any]:
        """Tables and sizes for the template."""
        offsets = self.tables(layer, graph, kernel.input_width)
        local = layer.attributes.local
        weight = layer.attributes.weight
        return {
            "offsets": offsets,
            "local": local,
            "whole": self.keeps_vectors(offsets, kernel.input_width),
            "pause": self.settles(layer, graph, kernel) if local else MEMORY_DISTANCE,
            "needed": [] if local else layer.attributes.needed_rows,
            "ring": 0 if local else layer.attributes.ring_rows,
            "source": graph.tensors[layer.inputs[0]],
            "result": graph.output_tensor(layer),
            "weight": [] if weight is None else weight,
        }

    def pipelined_turns(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """Local: a pixel goes out while the next comes in. Else a turn a vector in, a turn a vector
        out, and pauses between."""
        source, result = graph.tensors[layer.inputs[0]], graph.output_tensor(layer)
        inputs, outputs = (
            vectors(source.channels, kernel.input_width),
            vectors(result.channels, kernel.output_width),
        )
        if layer.attributes.local:
            return (source.pixels + 1) * (max(inputs, outputs) + self.settles(layer, graph, kernel))
        levels = np.unique([*layer.attributes.needed_rows, source.height])
        stretches = np.count_nonzero(levels)  # of reading, with a pause before and after
        return int(
            source.pixels * inputs + result.pixels * outputs + 2 * stretches * MEMORY_DISTANCE
        )

    def pipelined_events(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Events:
        """Reads and writes as the template's loop orders them."""
        source, result = graph.tensors[layer.inputs[0]], graph.output_tensor(layer)
        inputs, outputs = (
            vectors(source.channels, kernel.input_width),
            vectors(result.channels, kernel.output_width),
        )
        if layer.attributes.local:
            length = max(inputs, outputs) + self.settles(layer, graph, kernel)
            starts = np.arange(source.pixels)[:, None] * length
            return Events(
                ((starts + np.arange(inputs)).ravel(),),
                (starts + length + np.arange(outputs)).ravel(),
            )
        row_in, row_out = source.width * inputs, result.width * outputs
        reads: list[np.ndarray] = []
        writes: list[np.ndarray] = []
        turn = got = 0
        for needed in (*layer.attributes.needed_rows, source.height):
            if needed > got:
                count = (needed - got) * row_in
                reads.append(turn + MEMORY_DISTANCE + np.arange(count))
                turn, got = turn + count + 2 * MEMORY_DISTANCE, needed
            if len(writes) < result.height:
                writes.append(turn + np.arange(row_out))
                turn += row_out
        return Events((np.concatenate(reads),), np.concatenate(writes))

    def needed_pixels(
        self, layer: Layer, graph: Graph, kernel: KernelPlan | None = None
    ) -> np.ndarray | None:
        """Pixel by pixel, or whole rows."""
        if layer.attributes.local:
            return None
        source, result = graph.tensors[layer.inputs[0]], graph.output_tensor(layer)
        return np.repeat(layer.attributes.needed_rows * source.width, result.width)

    def pipelined_arithmetic(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Arithmetic:
        """A blend subtracts, multiplies and adds."""
        lanes = 0 if layer.attributes.other is None else kernel.output_width
        return Arithmetic(adds=lanes, multiply_adds=lanes)

    def pipelined_memories(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[Memory, ...]:
        """The buffer, once for every lane that reads a place of its own, and the tables."""
        source, width = graph.tensors[layer.inputs[0]], kernel.input_width
        count = vectors(source.channels, width)
        offsets = self.tables(layer, graph, width)
        reads = len(offsets) * (1 if self.keeps_vectors(offsets, width) else width)
        local = layer.attributes.local
        words = 2 * count if local else layer.attributes.ring_rows * source.width * count
        tables = {f"{prefix}{part}": len(getattr(o, part)) for prefix, o in zip(("", "other_"), offsets, strict=False)
                  for part in (("channels",) if local else ("rows", "columns", "channels"))}  # fmt: skip
        if not local:
            tables["needed"] = len(layer.attributes.needed_rows) + 1
        if layer.attributes.weight is not None:
            tables["weight"] = len(layer.attributes.weight)
        memories = (Memory(name, depth, FLOAT32.bits) for name, depth in tables.items())
        if self.in_registers(layer, graph, kernel):
            return (Memory("buffer", 1, width * FLOAT32.bits, words), *memories)
        return (Memory("buffer", words, width * FLOAT32.bits, copies=max(reads, 1)), *memories)

    def in_registers(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> bool:
        """Whether the buffer of a kernel that moves within a pixel is registers."""
        return layer.attributes.local and self.settles(layer, graph, kernel) == 0

    def selected_vectors(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """Those of the two pixels in registers, for every lane where each reads a place of its
        own."""
        if not self.in_registers(layer, graph, kernel):
            return 1
        count = vectors(graph.tensors[layer.inputs[0]].channels, kernel.input_width)
        offsets = self.tables(layer, graph, kernel.input_width)
        return (
            2
            * count
            * (1 if self.keeps_vectors(offsets, kernel.input_width) else kernel.input_width)
        )

    # ---- folded

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """One pass, pixel by pixel."""
        tensor = graph.output_tensor(layer)
        count = vectors(tensor.channels, engines.width)
        return (StepPlan(layer.name, self.engine, tensor.height, tensor.width, count, 0, count),)

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """The engine reads by itself: the feature reader sends nothing."""
        a: GatherAttributes = layer.attributes
        return {"in_rows": 0, "pad_value": a.fill, "blend": {"": 0, "y": 1, "x": 2}[a.axis]}

    def folded_tables(
        self, layer: Layer, source: Tensor, stride: int, engines: Engines
    ) -> dict[str, Any]:
        """Tables of the engine by field, for pixels of `stride` vectors, channels padded to whole
        vectors; and two plain fields.

        `channels_step` is the length of a pixel's own table where the offsets are no sum over the
        axes, else 0. `whole` tells that whole vectors move.
        """
        a: GatherAttributes = layer.attributes
        found: dict[str, Any] = {"whole": 1}
        for prefix, index, parts in zip(("", "other_"), a.indices, a.parts, strict=False):
            missing, step = -len(index) % engines.width, 0
            if parts is None:
                # Lanes beyond the last channel repeat it: nobody reads them.
                every = elements(index, source.shape, stride * engines.width)
                every = np.pad(every, ((0, missing), (0, 0), (0, 0)), mode="edge")
                step, zeros = len(every), np.zeros(max(every.shape), np.int64)
                offsets = Offsets(
                    zeros[: every.shape[1]],
                    zeros[: every.shape[2]],
                    every.transpose(1, 2, 0).ravel(),
                )
                found["whole"] = 0
            else:
                offsets = parts.offsets(stride * engines.width, source.width)
                found["whole"] &= int(self.keeps_vectors((offsets,), engines.width))
                offsets = replace(
                    offsets, channels=np.pad(offsets.channels, (0, missing), mode="edge")
                )
            found |= {
                f"{prefix}rows": offsets.rows,
                f"{prefix}columns": offsets.columns,
                f"{prefix}channel_table": offsets.channels,
            }
            found[f"{prefix}channels_step"] = step
        if a.weight is not None:
            found["blend_weights"] = a.weight.astype(np.float32).view(np.int32)
        return found

    def folded_cycles(self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines) -> int:
        """A vector a cycle."""
        return step.tile_height * step.tile_width * step.vector_count


OPERATOR = Gather()
