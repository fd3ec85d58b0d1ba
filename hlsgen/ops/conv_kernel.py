"""The pipelined kernels of convolutions: what may be chosen of them, and their descriptions."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from hlsgen.graph import Graph, Layer, Tensor
from hlsgen.kernel import derive
from hlsgen.kernel.nest import Combine, Index, Loop, Nest, Source, Weights, row_major
from hlsgen.kernel.values import Vector
from hlsgen.ops import n_of_m, skip, streamed
from hlsgen.ops.arrays import bias_array, pad_axis, resident_weights, vectors
from hlsgen.ops.base import Operator
from hlsgen.ops.sliding import sliding, tap_loops
from hlsgen.plan import KernelPlan
from hlsgen.types import FLOAT32

if TYPE_CHECKING:
    from hlsgen.ops.conv import ConvAttributes

# Input vectors that a convolution may multiply at once: any number, so that unequal layers can be
# balanced.
AT_ONCE = tuple(range(1, 33))
# How filters that see all channels meet a word of one vector, or of several.
EACH_LANE, EACH_VECTOR = Combine("multiply", "i"), Combine("multiply", "i", "b")


class ConvKernels(Operator):
    """A convolution as a kernel of its own: with weights on chip, row tile by row tile with weights
    from memory, or working through lists of non-zero weights."""

    def works_in_row_tiles(self, layer: Layer) -> bool:
        """Where all channels are in one group."""
        return bool(layer.attributes.groups == 1)

    def is_depthwise(self, layer: Layer) -> bool:
        """One filter a channel."""
        a: ConvAttributes = layer.attributes
        return (
            a.groups == a.filters == layer.weights["weight"].shape[0]
            and layer.weights["weight"].shape[1] == 1
            and a.groups > 1
        )

    def same_width(self, layer: Layer) -> bool:
        """Depthwise kernels work lane by lane."""
        return self.is_depthwise(layer)

    def lane_folding_options(self, layer: Layer, kernel: KernelPlan) -> tuple[int, ...]:
        """Depthwise kernels with an unrolled window may take several turns a vector."""
        if not (self.is_depthwise(layer) and kernel.unroll_window):
            return (1,)
        return tuple(n for n in (1, 2, 4, 8, 16) if n <= kernel.output_width)

    def nonzeros_options(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> tuple[int, ...]:
        """Sparse convolutions of one group, which keep what one output pixel sees."""
        if layer.attributes.groups > 1 or kernel.unroll_window:
            return (0,)
        return skip.nonzeros_options(layer, self.input_vectors(layer, graph, kernel), kernel)

    def nonzeros_per_vector_options(self, layer: Layer, kernel: KernelPlan) -> tuple[int, ...]:
        """Convolutions of one group whose weights are on chip."""
        if layer.attributes.groups > 1 or kernel.row_tiles or kernel.nonzeros_per_lane:
            return (0,)
        return n_of_m.options(layer, kernel.input_width)

    def vectors_per_cycle_options(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[int, ...]:
        """Convolutions of one group with output vectors of 4 channels or more. The kernel that puts
        input vectors together reads one a turn: while an output pixel takes its turns it must get
        as many together as lead to the next one."""
        a: ConvAttributes = layer.attributes
        if a.groups > 1 or kernel.nonzeros_per_lane or kernel.output_width < 4:
            return (1,)
        if kernel.unroll_window and a.window.taps == 1:
            return (1,)
        count = vectors(graph.tensors[layer.inputs[0]].channels, kernel.input_width)
        found = [1]
        if kernel.row_tiles:  # while a filter word is in use, the next one arrives
            most = max(
                streamed.row_tiles(layer, graph, kernel).pixels // self.input_lanes(layer, kernel),
                1,
            )
            # The sums of a row tile have a memory: there must be something to add up.
            few = AT_ONCE[: min(count, most)]
            return tuple(n for n in few if a.window.taps * ceil(count / n) > 1)
        taps = 1 if kernel.unroll_window else a.window.taps
        turns = taps * vectors(a.filters, kernel.output_width)
        for n in AT_ONCE[1:count]:
            if turns * ceil(count / n) >= a.window.stride[1] * count:
                found.append(n)
        return tuple(found)

    def row_tile_options(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> tuple[int, ...]:
        """Convolutions of one group that take tap by tap; see `streamed.possible`."""
        if layer.attributes.groups > 1 or kernel.unroll_window or kernel.nonzeros_per_lane:
            return (0,)
        return (0, *streamed.possible(layer, graph, kernel))

    def streamed_values(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """All weights for every row tile."""
        return (
            streamed.values(streamed.row_tiles(layer, graph, kernel), kernel)
            if kernel.row_tiles
            else 0
        )

    def input_lanes(self, layer: Layer, kernel: KernelPlan) -> int:
        """Lanes of an input vector that hold channels of the layer: an image of three channels
        needs no fourth multiplier."""
        return min(kernel.input_width, int(layer.weights["weight"].shape[1]))

    def input_vectors(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """Vectors of a pixel of the input, or words of `vectors_per_cycle` of them."""
        return vectors(
            graph.tensors[layer.inputs[0]].channels, kernel.input_width * kernel.vectors_per_cycle
        )

    def border(self, layer: Layer) -> str:
        """What the input holds beyond its edges, in OpenCL."""
        return FLOAT32.zero

    def legal_widths(self, layer: Layer, tensor: Tensor, width: int) -> bool:
        """A vector must not straddle two groups (depthwise kernels treat every lane as a group of
        its own)."""
        groups = layer.attributes.groups
        return groups == 1 or self.is_depthwise(layer) or (tensor.channels // groups) % width == 0

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """Filters that see all channels of their group, or (depthwise) lanes that stay apart."""
        if kernel.row_tiles:
            return self.row_tile_nest(layer, graph, kernel)
        if kernel.nonzeros_per_lane:
            return self.skipping_nest(layer, graph, kernel)
        if self.is_depthwise(layer):
            return self.depthwise_nest(layer, graph, kernel)
        a, tensor = layer.attributes, graph.tensors[layer.inputs[0]]
        lanes, together = self.input_lanes(layer, kernel), kernel.vectors_per_cycle
        inputs = vectors(tensor.channels // a.groups, kernel.input_width * together)
        outputs = vectors(a.filters // a.groups, kernel.output_width)
        pixel: tuple[Loop, ...] = (Loop("c", inputs, arrives=True, reduces=True),)
        if a.groups > 1:
            pixel = (Loop("group", a.groups, arrives=True), *pixel)
        taps = tap_loops(a.window, kernel.unroll_window) if a.window.taps > 1 else ()
        unrolled: tuple[Loop, ...] = (Loop("i", lanes, unrolled=True),)
        if together > 1:
            unrolled = (Loop("b", together, unrolled=True), *unrolled)
        return self.window_nest(
            layer, graph, kernel, (*pixel, *taps, Loop("o", outputs), *unrolled),
            pixel, EACH_VECTOR if together > 1 else EACH_LANE,
        )  # fmt: skip

    def skipping_nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """What an output pixel sees comes in, then lists of non-zero weights are worked through."""
        inputs = self.input_vectors(layer, graph, kernel)
        loops = skip.loops(layer, kernel, inputs)
        dense = self.window_nest(layer, graph, kernel, loops, loops[:1], Combine("multiply"))
        bias = Vector(dense.types.accumulator, kernel.output_width)
        return replace(
            dense, what=f"{dense.what}; zeros are skipped", weights=None,
            bias=bias_array(loops[1:], bias), fills=True,
            memories=skip.memories(layer, kernel, inputs, dense.types),
        )  # fmt: skip

    def row_tile_nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """Row tile by row tile: rows come in, filter words meet all pixels, results leave."""
        a, tensor = layer.attributes, graph.tensors[layer.inputs[0]]
        types = self.roles(layer, graph)
        s, together = streamed.row_tiles(layer, graph, kernel), kernel.vectors_per_cycle
        word = Vector(types.operand, kernel.input_width, together)
        (rows, columns), (down, across) = a.window.kernel, a.window.stride
        loops = (
            Loop("c", s.words, reduces=True),
            *tap_loops(a.window, unrolled=False),
            Loop("o", s.outs),
            Loop("pixel", s.pixels, walks=True),
            Loop("b", together, unrolled=True),
            Loop("i", s.loads // together, unrolled=True),
        )
        return Nest(
            what=f"{a.filters} filters of {rows}x{columns}, stride {down}x{across}, in {s.count} "
            f"row tiles of {s.rows} output rows",
            lanes=kernel.output_width,
            sources=(Source(word, tensor.pixels, vectors(tensor.channels, word.lanes)),),
            loops=loops,
            combine=EACH_VECTOR,
            streamed=Vector(types.weight, kernel.output_width),
            bias=bias_array(loops, Vector(types.accumulator, kernel.output_width)),
            epilogue=self.epilogue(layer, graph, kernel),
            partial_sums=kernel.partial_sums,
            template="row_tiles",
            phases=streamed.phases(s),
            memories=streamed.memories(s, kernel),
            types=types,
        )

    def printed(
        self, layer: Layer, graph: Graph, kernel: KernelPlan, nest: Nest
    ) -> streamed.Printed:
        """Row tiles, and the window."""
        tiles = streamed.row_tiles(layer, graph, kernel)
        memories = {memory.name: memory for memory in derive.body(nest).memories}
        return streamed.Printed(tiles, layer.attributes.window, memories)

    def depthwise_nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """A filter a lane; with lane folding a slice of the lanes an iteration."""
        a, width = layer.attributes, kernel.output_width
        pixel = (Loop("c", vectors(a.filters, width), arrives=True),)
        taps = tap_loops(a.window, kernel.unroll_window)
        part = (Loop("part", kernel.lane_folding, slices=True),) if kernel.lane_folding > 1 else ()
        return self.window_nest(
            layer, graph, kernel, (*pixel, *(taps if a.window.taps > 1 else ()), *part),
            pixel, Combine("multiply"),
        )  # fmt: skip

    def window_nest(
        self,
        layer: Layer,
        graph: Graph,
        kernel: KernelPlan,
        loops: tuple[Loop, ...],
        pixel: tuple[Loop, ...],
        combine: Combine,
    ) -> Nest:
        """A convolution of so nested `loops`, of which `pixel` count the words of a pixel."""
        a, tensor, types = (
            layer.attributes,
            graph.tensors[layer.inputs[0]],
            self.roles(layer, graph),
        )
        word = Vector(types.operand, kernel.input_width, kernel.vectors_per_cycle)
        (rows, columns), (down, across) = a.window.kernel, a.window.stride
        groups = f" in {a.groups} groups" if a.groups > 1 else ""
        part = kernel.output_width // kernel.lane_folding
        walk = sliding(a.window, tensor, word, pixel, self.border(layer))
        return Nest(
            what=f"{a.filters} filters of {rows}x{columns}{groups}, stride {down}x{across}",
            lanes=kernel.output_width,
            sources=(walk.source,),
            loops=loops,
            combine=combine,
            raster=walk.raster,
            window=walk.window,
            weights=resident_weights(loops, Vector(types.weight, part)),
            bias=bias_array(loops, Vector(types.accumulator, part)),
            epilogue=self.epilogue(layer, graph, kernel),
            partial_sums=kernel.partial_sums,
            types=types,
        )

    def indexed_weights(self, layer: Layer, kernel: KernelPlan) -> Weights:
        """Filters of a depthwise layer are one group."""
        weight, width = layer.weights["weight"], kernel.output_width
        tap = row_major(tap_loops(layer.attributes.window, unrolled=True))
        if self.is_depthwise(layer):
            part = width // kernel.lane_folding
            values = weight.reshape(1, len(weight), 1, -1)
            return Weights(values, filter=Index((("c", width), ("part", part))), tap=tap)
        groups, lanes = layer.attributes.groups, self.input_lanes(layer, kernel)
        word = lanes * kernel.vectors_per_cycle
        return Weights(
            weight.reshape(groups, len(weight) // groups, weight.shape[1], -1),
            group=Index((("group", 1),)),
            filter=Index((("o", width),)),
            input=Index((("c", word), ("b", lanes), ("i", 1))),
            tap=tap,
        )

    def pipelined_stream(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> np.ndarray:
        """Where zeros are skipped: values and places."""
        if not kernel.nonzeros_per_lane:
            return super().pipelined_stream(layer, graph, kernel)
        a: ConvAttributes = layer.attributes
        rows = layer.weights["weight"].reshape(a.filters, -1, a.window.taps).transpose(0, 2, 1)
        lists = skip.entries(layer, kernel, pad_axis(rows, 2, kernel.input_width))
        return np.concatenate([*self.pipelined_constants(layer, graph, kernel), lists])
