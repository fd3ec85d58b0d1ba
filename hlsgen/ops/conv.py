"""Convolution: dense, grouped, depthwise, dilated, strided, with any pads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.errors import Infeasible
from hlsgen.graph import Graph, Layer, Tensor
from hlsgen.kernel.hardware import COLLECTED_FIFO
from hlsgen.kernel.latency import COLLECT_DEPTH
from hlsgen.kernel.memory import Memory
from hlsgen.ops import skip, skipping, streamed
from hlsgen.ops.base import (
    LARGEST_STREAM,
    Events,
    Importer,
    Operator,
    Shape,
    Work,
    pad_axis,
    vectors,
)
from hlsgen.ops.conv_steps import (
    conv_tile,
    dense_block,
    depthwise_words,
    fused_fields,
    group_runs,
    read_window,
    scan_columns,
    tile_fields,
    window_fields,
)
from hlsgen.ops.depth import depth_among_channels
from hlsgen.ops.window import Window, idle_runs, imported_window, scan
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.types import FLOAT32

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

# Input vectors that a convolution may multiply at once: any number, so that unequal layers can be
# balanced.
AT_ONCE = tuple(range(1, 33))
# A depthwise filter larger than this is cheaper on the convolution engine than as a fully unrolled
# window.
LARGEST_DEPTHWISE_EXTENT = 7


@dataclass(frozen=True)
class ConvAttributes:
    """`filters` output channels, `groups`, and the window. Weights: `weight` (O, I/groups, KH, KW),
    `bias` (O,)."""

    filters: int
    groups: int
    window: Window


class Conv(Operator, Importer):
    """ONNX Conv on (1, C, H, W)."""

    name = "conv"
    onnx_types: ClassVar[dict[str, str]] = {
        "Conv": "one to three spatial dimensions; group, strides, pads, auto_pad, dilations; constant weights"
    }
    engine = "convolution"
    alternative_engines = ("skipping",)
    engine_weights = True

    def import_node(self, node: NodeImporter) -> None:
        """Import a Conv node with constant weights."""
        weight = node.need_constant(1, "weight")
        bias = (
            node.need_constant(2, "bias")
            if node.input_name(2)
            else np.zeros(weight.shape[0], np.float32)
        )
        if weight.ndim not in (3, 4, 5):
            raise node.unsupported(
                f"convolution over {weight.ndim - 2} spatial dimension(s)", "use one, two or three"
            )
        source = node.spatial(0, (weight.ndim,))
        groups, channels = node.attribute("group", 1), node.value(0).view.value_shape[1]
        if weight.shape[1] * groups != channels or weight.shape[0] % groups:
            raise node.unsupported(
                f"weight {list(weight.shape)} with group={groups} does not fit {channels} input channels"
            )
        depth, window = imported_window(
            node, tuple(weight.shape[2:]), node.value(0).view.value_shape[2:]
        )
        slices = 1
        if depth is not None:
            slices = depth.output_size(source.channels // channels, 1)[0]
            weight, bias = (
                depth_among_channels(weight, depth, source.channels // channels),
                np.repeat(bias, slices),
            )
        weight = weight.reshape(*weight.shape[:2], *window.kernel)
        attributes = ConvAttributes(int(weight.shape[0]), groups, window)
        shape = self.output_shape(attributes, [source.shape])
        result = node.add(
            self.name, attributes, [source], shape, weights={"weight": weight, "bias": bias}
        )
        spatial = (*((slices,) if depth else ()), *shape[1:])[
            -len(node.value(0).view.value_shape) + 2 :
        ]
        node.bind_spatial(result, (1, shape[0] // slices, *spatial))

    def output_shape(self, attributes: ConvAttributes, inputs: Sequence[Shape]) -> Shape:
        """(filters, OH, OW)."""
        return (attributes.filters, *attributes.window.output_size(*inputs[0][1:]))

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Sum over channels and taps of weight times patch, plus bias."""
        a: ConvAttributes = layer.attributes
        patches = a.window.patches(inputs[0], 0.0)
        channels, taps, rows, columns = patches.shape
        patches = patches.reshape(a.groups, channels // a.groups * taps, rows * columns)
        weight = (
            layer.weights["weight"].astype(np.float64).reshape(a.groups, a.filters // a.groups, -1)
        )
        result = np.matmul(weight, patches).reshape(a.filters, rows, columns)
        return result + layer.weights["bias"].astype(np.float64)[:, None, None]

    def work(self, layer: Layer, graph: Graph) -> Work:
        """MACs = output pixels * filters * (I / groups) * taps."""
        weight = layer.weights["weight"]
        return Work(
            macs=graph.output_tensor(layer).pixels * weight.size,
            weights=weight.size + layer.weights["bias"].size,
        )

    # ---- pipelined

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

    def vectors_per_cycle_options(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[int, ...]:
        """Convolutions of one group with output vectors of 4 channels or more. The kernel that puts
        input vectors together reads one a turn: while an output pixel takes its turns it must get
        as many together as lead to the next one."""
        a: ConvAttributes = layer.attributes
        if a.groups > 1 or kernel.output_width < 4 or (kernel.unroll_window and a.window.taps == 1):
            return (1,)
        count = vectors(graph.tensors[layer.inputs[0]].channels, kernel.input_width)
        found = [1]
        if kernel.row_tiles:  # while a filter word is in use, the next one arrives
            most = max(
                streamed.row_tiles(layer, graph, kernel).pixels // self.input_lanes(layer, kernel),
                1,
            )
            return AT_ONCE[: min(count, most)]
        for n in AT_ONCE[1:count]:
            steps, outputs = self.reduction(layer, graph, replace(kernel, vectors_per_cycle=n))
            if steps * outputs >= a.window.stride[1] * count:
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
        return min(kernel.input_width, layer.weights["weight"].shape[1])

    def input_vectors(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """Vectors of a pixel of the input, or words of `vectors_per_cycle` of them."""
        return vectors(
            graph.tensors[layer.inputs[0]].channels, kernel.input_width * kernel.vectors_per_cycle
        )

    def legal_widths(self, layer: Layer, tensor: Tensor, width: int) -> bool:
        """A vector must not straddle two groups (depthwise kernels treat every lane as a group of
        its own)."""
        groups = layer.attributes.groups
        return groups == 1 or self.is_depthwise(layer) or (tensor.channels // groups) % width == 0

    def pipelined_stream(self, layer: Layer, kernel: KernelPlan) -> np.ndarray:
        """Biases, then the filter words in loop order, `(elements, output_width)`."""
        a: ConvAttributes = layer.attributes
        vin, vout = self.input_lanes(layer, kernel) * kernel.vectors_per_cycle, kernel.output_width
        if kernel.nonzeros_per_lane:
            rows = layer.weights["weight"].reshape(a.filters, -1, a.window.taps).transpose(0, 2, 1)
            return skip.stream(layer, kernel, pad_axis(rows, 2, kernel.input_width))
        weight, bias = (
            layer.weights["weight"],
            pad_axis(layer.weights["bias"], 0, vout).reshape(-1, vout),
        )
        taps = a.window.taps
        if self.is_depthwise(layer):
            lanes = pad_axis(weight.reshape(a.filters, taps), 0, vout).reshape(-1, vout, taps)
            parts = lanes.reshape(
                -1, kernel.lane_folding, vout // kernel.lane_folding, taps
            ).transpose(0, 1, 3, 2)
            return np.concatenate([bias, parts.reshape(-1, vout)])
        grouped = weight.reshape(a.groups, a.filters // a.groups, -1, taps)
        grouped = pad_axis(pad_axis(grouped, 1, vout), 2, vin)
        blocks = grouped.reshape(
            a.groups, grouped.shape[1] // vout, vout, grouped.shape[2] // vin, vin, taps
        )
        # Loop order of the template: group, input vector, [tap,] output vector; inside a word:
        # [tap,] input lane.
        order = (0, 3, 1, 5, 4, 2) if kernel.unroll_window else (0, 3, 5, 1, 4, 2)
        return np.concatenate([bias, blocks.transpose(order).reshape(-1, vout)])

    def reduction(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> tuple[int, int]:
        """Input vectors of a group times taps that are not unrolled, interleaved over its output
        vectors."""
        a: ConvAttributes = layer.attributes
        if kernel.nonzeros_per_lane:
            return skip.words(layer, kernel), skip.outputs(layer, kernel)
        steps = 1 if kernel.unroll_window else a.window.taps
        if self.is_depthwise(layer):
            return steps, 1
        source = graph.tensors[layer.inputs[0]]
        if kernel.row_tiles:
            s = streamed.row_tiles(layer, graph, kernel)
            return s.words * s.taps, s.outs * s.pixels
        inputs = vectors(source.channels // a.groups, kernel.input_width * kernel.vectors_per_cycle)
        return steps * inputs, vectors(a.filters // a.groups, kernel.output_width)

    def pipelined_macs(self, layer: Layer, kernel: KernelPlan) -> int:
        """Unrolled taps times lanes, or the entries that all lanes take."""
        if kernel.nonzeros_per_lane:
            return layer.attributes.window.taps * kernel.nonzeros_per_lane * kernel.output_width
        taps = layer.attributes.window.taps if kernel.unroll_window else 1
        if self.is_depthwise(layer):
            return taps * kernel.output_width // kernel.lane_folding
        return (
            taps * self.input_lanes(layer, kernel) * kernel.output_width * kernel.vectors_per_cycle
        )

    def pipelined_memories(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[Memory, ...]:
        """The weights: a word holds what one turn multiplies."""
        if kernel.row_tiles:
            return streamed.memories(streamed.row_tiles(layer, graph, kernel), kernel)
        if kernel.nonzeros_per_lane:
            return skip.memories(layer, kernel, self.input_vectors(layer, graph, kernel))
        steps, interleaved = self.reduction(layer, graph, kernel)
        a: ConvAttributes = layer.attributes
        groups = vectors(a.filters, kernel.output_width) if self.is_depthwise(layer) else a.groups
        lanes = kernel.output_width // kernel.lane_folding
        parts = self.pipelined_macs(layer, kernel) // lanes
        return (
            Memory(
                "weights",
                steps * interleaved * groups * kernel.lane_folding,
                lanes * FLOAT32.bits,
                parts,
            ),
        )

    def selected_vectors(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """All taps of the window, where they are not unrolled."""
        return (
            1
            if kernel.unroll_window or kernel.nonzeros_per_lane or kernel.row_tiles
            else layer.attributes.window.taps
        )

    def pipelined_turns(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """Input vectors at positions that give no output; elsewhere each input vector meets all
        taps and output vectors."""
        if kernel.row_tiles:
            return streamed.turns(streamed.row_tiles(layer, graph, kernel))
        a: ConvAttributes = layer.attributes
        source, result = graph.tensors[layer.inputs[0]], graph.output_tensor(layer)
        rows, columns = a.window.scan_size(source.height, source.width)
        inputs = self.input_vectors(layer, graph, kernel)
        if kernel.nonzeros_per_lane:
            idle = rows * columns - result.pixels
            return idle * inputs + result.pixels * skip.turns(layer, kernel, inputs)
        steps, interleaved = self.reduction(layer, graph, kernel)
        groups = vectors(a.filters, kernel.output_width) if self.is_depthwise(layer) else a.groups
        return (
            rows * columns - result.pixels
        ) * inputs + result.pixels * groups * steps * interleaved * kernel.lane_folding

    def pipelined_cycles(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """A turn a cycle, but words of several vectors may come more slowly where no output is due:
        a vector a cycle, beyond those that wait in the FIFO and in the kernel that puts them
        together."""
        turns = self.pipelined_turns(layer, graph, kernel)
        if kernel.vectors_per_cycle == 1:
            return turns
        source = graph.tensors[layer.inputs[0]]
        count, words = (
            vectors(source.channels, kernel.input_width),
            self.input_vectors(layer, graph, kernel),
        )
        if kernel.row_tiles:
            return turns + source.pixels * (count - words)
        waiting = COLLECTED_FIFO * kernel.vectors_per_cycle + COLLECT_DEPTH
        runs = idle_runs(layer.attributes.window, source.height, source.width)
        return turns + sum(
            times * max(0, pixels * count - waiting - positions * words)
            for pixels, positions, times in runs
        )

    def pipelined_events(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Events:
        """A vector (a word of `vectors_per_cycle` vectors) is read in the first of its turns; a group's
        output vectors are written in the last turns of the group."""
        if kernel.row_tiles:
            return streamed.events(streamed.row_tiles(layer, graph, kernel))
        a: ConvAttributes = layer.attributes
        source = graph.tensors[layer.inputs[0]]
        inputs = self.input_vectors(layer, graph, kernel)
        if kernel.nonzeros_per_lane:
            return skip.events(layer, kernel, inputs, scan(a.window, source.height, source.width))
        steps, outputs = self.reduction(layer, graph, kernel)
        groups = vectors(a.filters, kernel.output_width) if self.is_depthwise(layer) else a.groups
        walk = scan(a.window, source.height, source.width)
        turns = (
            steps * outputs * kernel.lane_folding
        )  # of a group; lane_folding is 1 unless the convolution is depthwise
        busy = groups * turns
        starts = walk.starts(inputs, busy)
        pace = np.where(walk.due, busy // inputs, 1)
        reads = (starts[:, None] + pace[:, None] * np.arange(inputs))[walk.inside].ravel()
        ends = (np.arange(groups)[:, None] + 1) * turns - outputs + np.arange(outputs)
        return Events((reads,), (starts[walk.due][:, None] + ends.ravel()).ravel())

    def needed_pixels(
        self, layer: Layer, graph: Graph, kernel: KernelPlan | None = None
    ) -> np.ndarray:
        """See `Window.needed_pixels`."""
        if kernel is not None and kernel.row_tiles:
            return streamed.needed_pixels(streamed.row_tiles(layer, graph, kernel))
        source = graph.tensors[layer.inputs[0]]
        return layer.attributes.window.needed_pixels(source.height, source.width)

    # ---- folded

    def folded_engine(self, layer: Layer) -> str:
        """Small depthwise filters have an engine of their own."""
        extent = layer.attributes.window.extent
        small = max(extent) <= LARGEST_DEPTHWISE_EXTENT
        return "depthwise" if self.is_depthwise(layer) and small else self.engine

    def filter_words(self, layer: Layer, engines: Engines, bias: bool = False) -> np.ndarray:
        """Weight words of a depthwise layer for its engine, plane after plane; with the bias where
        no epilogue adds it."""
        filters = layer.weights["weight"][:, 0]
        return depthwise_words(
            filters, layer.weights["bias"] if bias else None, layer.attributes.window, engines
        )

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """One step, or one for each run of groups that fills whole vectors."""
        a: ConvAttributes = layer.attributes
        result, count = graph.output_tensor(layer), vectors(a.filters, engines.width)
        if self.folded_engine(layer) == "depthwise":
            return (StepPlan(layer.name, "depthwise", result.height, result.width, 1, 0, count),)
        source = graph.tensors[layer.inputs[0]]
        runs = group_runs(source.channels, a.filters, a.groups, engines.width)
        outputs = ceil(count / runs)
        depth = ceil(vectors(source.channels, engines.width) / runs)
        tile = conv_tile(read_window(a.window), result, depth, engines)
        if tile is None:
            extent = a.window.extent
            raise Infeasible(
                f"one output pixel needs {extent[0]}x{extent[1]}x{depth} vectors of input, more than the engine's tile "
                f"buffer of {engines.tile_vectors}",
                where=f"layer {layer.name}",
                remedy="raise tile_vectors in the plan or choose a larger board",
            )
        # Groups of equal size, so that none leaves most of the array idle.
        vectors_per_cycle = ceil(outputs / ceil(outputs / engines.outputs))
        part = outputs
        if runs == 1:
            # The weights of a step fit one stream; parts are whole groups.
            most = max(
                1, LARGEST_STREAM // (depth * a.window.taps * engines.width * vectors_per_cycle)
            )
            part = min(outputs, most * vectors_per_cycle)
        return tuple(
            StepPlan(
                layer.name,
                self.engine,
                *tile,
                min(vectors_per_cycle, count - first),
                first,
                min(part, count - first),
            )
            for first in range(0, count, part)
        )

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """The window, and the halo that a tile of outputs needs; where zeros are skipped also the
        words that the fullest list takes."""
        words = {}
        if step.engine == "skipping":
            words = {
                "taps": skipping.words(self.step_lists(layer, step, engines), engines.skip_inputs)
            }
        if step.feeder:
            return fused_fields(layer, graph, step, engines) | words
        window: Window = layer.attributes.window
        if step.engine == "depthwise":
            source = graph.tensors[layer.inputs[0]]
            rows, columns = window.scan_size(source.height, source.width)
            return window_fields(window) | {
                "in_rows": rows,
                "in_columns": scan_columns(columns, engines.depthwise_extent),
                "in_groups": step.vector_count,
                "in_vectors": 1,
            }
        result = graph.output_tensor(layer)
        source = graph.tensors[layer.inputs[0]]
        a: ConvAttributes = layer.attributes
        runs = group_runs(source.channels, a.filters, a.groups, engines.width)
        depth = ceil(vectors(source.channels, engines.width) / runs)
        return tile_fields(window, result, step, depth) | {
            "in_first": step.first_vector // step.vector_count * depth if runs > 1 else 0,
            **words,
        }

    def step_lists(self, layer: Layer, step: StepPlan, engines: Engines) -> np.ndarray:
        """Non-zero weights of every output and input lane of a step."""
        first = step.first_vector * engines.width
        lengths = skipping.list_lengths(
            layer.weights["weight"], layer.attributes.groups, engines.width
        )
        return lengths[first : first + step.vector_count * engines.width]

    def folded_weights(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> np.ndarray:
        """Filter words of every output group: word of `inputs` taps, output vector, tap, input
        lane; V output lanes each.

        Taps are column by column, row by row, input vector by input vector.
        """
        a: ConvAttributes = layer.attributes
        v = engines.width
        weight = layer.weights["weight"]
        if step.engine == "depthwise":
            return self.filter_words(layer, engines)
        plain = replace(
            step, feeder=""
        )  # a depthwise layer in front changes nothing of the convolution's own weights
        fields = self.folded_fields(layer, graph, plain, engines)
        first_in, count_in = fields["in_first"] * v, fields["in_vectors"] * v
        first_out, count_out = step.first_vector * v, step.vector_count * v
        block = dense_block(
            weight,
            a.groups,
            slice(first_out, first_out + count_out),
            slice(first_in, first_in + count_in),
        )
        block = pad_axis(pad_axis(block, 0, v * step.vectors_at_once), 1, v)
        if step.engine == "skipping":
            ky, kx = np.indices(a.window.kernel) * np.reshape(a.window.dilation, (2, 1, 1))
            places = (ky * fields["in_columns"] + kx) * fields["in_vectors"] + np.arange(
                fields["in_vectors"]
            )[:, None, None]
            return skipping.packed(
                block, places, step.vectors_at_once, fields["taps"], engines.of(step.engine)
            )
        groups, depth = block.shape[0] // (v * step.vectors_at_once), block.shape[1] // v
        split = block.reshape(groups, step.vectors_at_once, v, depth, v, *a.window.kernel)
        taps = split.transpose(0, 3, 5, 6, 1, 4, 2).reshape(groups, -1, step.vectors_at_once, v, v)
        taps = pad_axis(taps, 1, engines.inputs)
        words = taps.reshape(groups, -1, engines.inputs, step.vectors_at_once, v, v)
        return words.transpose(0, 1, 3, 2, 4, 5).reshape(groups, -1, v)


OPERATOR = Conv()
