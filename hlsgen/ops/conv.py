"""Convolution: dense, grouped, depthwise, dilated, strided, with any pads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.errors import Infeasible
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.plain import PlainNest, plain_nest
from hlsgen.ops import skipping
from hlsgen.ops.arrays import LARGEST_STREAM, pad_axis, vectors
from hlsgen.ops.base import Shape, Work
from hlsgen.ops.conv_kernel import ConvKernels
from hlsgen.ops.conv_steps import (
    FEEDER,
    conv_tile,
    dense_block,
    fused_fields,
    group_runs,
    read_window,
    scan_columns,
    tile_fields,
    window_fields,
)
from hlsgen.ops.depth import depth_among_channels
from hlsgen.ops.importer import Importer
from hlsgen.ops.window import Window, imported_window
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.types import DataType
from hlsgen.words import counted

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

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


class Conv(ConvKernels, Importer):
    """ONNX Conv on (1, C, H, W)."""

    name = "conv"
    onnx_types: ClassVar[dict[str, str]] = {
        "Conv": "one to three spatial dimensions; group, strides, pads, auto_pad, dilations"
    }
    weight_places = (1, 2)
    engine = "convolution"
    accumulates = True
    alternative_engines: tuple[str, ...] = ("skipping",)
    engine_weights = True
    scaled_weight = "weight"
    stored_weights: tuple[str, ...] = ("weight",)

    def import_node(self, node: NodeImporter) -> None:
        """Import a Conv node."""
        if any(node.constant(i) is None for i in (1, 2) if node.input_name(i)):
            from hlsgen.ops.correlation import correlate

            correlate(node)
            return
        weight = node.need_constant(1, "weight")
        bias = (
            node.need_constant(2, "bias")
            if node.input_name(2)
            else np.zeros(weight.shape[0], np.float32)
        )
        self.convolve(
            node, weight, lambda _, slices: {"bias": np.repeat(bias, slices)}, ConvAttributes
        )

    def convolve(
        self,
        node: NodeImporter,
        weight: np.ndarray,
        of_filters: Callable[[np.ndarray, int], Mapping[str, np.ndarray]],
        attributes: Callable[[int, int, Window], ConvAttributes],
        kind: DataType | None = None,
    ) -> None:
        """Bind the node's output to a layer with such a weight and with `attributes` of filters,
        groups and window. `of_filters`: its weights with a value for each filter, from its weight
        and the number of slices into which each filter of the node becomes. `kind`: see
        `node.add`."""
        if weight.ndim not in (3, 4, 5):
            raise node.unsupported(
                f"convolution over {counted(weight.ndim - 2, 'spatial dimension')}",
                "use one, two or three",
            )
        source = node.spatial(0, (weight.ndim,))
        groups, channels = node.attribute("group", 1), node.value(0).view.value_shape[1]
        if weight.shape[1] * groups != channels or weight.shape[0] % groups:
            raise node.unsupported(
                f"weight {list(weight.shape)} with group={groups} does not fit {channels} input "
                "channels"
            )
        depth, window = imported_window(
            node, tuple(weight.shape[2:]), node.value(0).view.value_shape[2:]
        )
        slices = 1
        if depth is not None:
            slices = depth.output_size(source.channels // channels, 1)[0]
            weight = depth_among_channels(weight, depth, source.channels // channels)
        weight = weight.reshape(*weight.shape[:2], *window.kernel)
        given = attributes(int(weight.shape[0]), groups, window)
        shape = self.output_shape(given, [source.shape])
        weights = {"weight": weight, **of_filters(weight, slices)}
        result = node.add(self.name, given, [source], shape, weights=weights, kind=kind)
        spatial = (*((slices,) if depth else ()), *shape[1:])[
            -len(node.value(0).view.value_shape) + 2 :
        ]
        node.bind_spatial(result, (1, shape[0] // slices, *spatial))

    def output_shape(self, attributes: ConvAttributes, inputs: Sequence[Shape]) -> Shape:
        """(filters, OH, OW)."""
        return (attributes.filters, *attributes.window.output_size(*inputs[0][1:]))

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Sum over channels and taps of weight times patch, plus bias."""
        return self.sums(layer, inputs[0], 0.0)

    def sums(self, layer: Layer, source: np.ndarray, border: float) -> np.ndarray:
        """The same with borders of any value. Sums of integers are exact below 2**53."""
        a: ConvAttributes = layer.attributes
        patches = a.window.patches(source, border)
        channels, taps, rows, columns = patches.shape
        patches = patches.reshape(a.groups, channels // a.groups * taps, rows * columns)
        weight = (
            layer.weights["weight"].astype(np.float64).reshape(a.groups, a.filters // a.groups, -1)
        )
        result: np.ndarray = np.matmul(weight, patches).reshape(a.filters, rows, columns)
        result += layer.weights["bias"].astype(np.float64)[:, None, None]
        return result

    def work(self, layer: Layer, graph: Graph) -> Work:
        """MACs = output pixels * filters * (I / groups) * taps."""
        weight = layer.weights["weight"]
        return Work(
            macs=graph.output_tensor(layer).pixels * weight.size,
            weights=weight.size + layer.weights["bias"].size,
        )

    def absorbs(self, layer: Layer, fill: float) -> bool:
        """Zeros, as its own pads."""
        return fill == 0

    # ---- layered

    def layered_taps(self, layer: Layer, kernel: KernelPlan) -> int:
        """All or one."""
        return layer.attributes.window.taps if kernel.unroll_window else 1

    def layered_weight_loads(self, layer: Layer, kernel: KernelPlan) -> tuple[int, int]:
        """Inputs of a filter are apart by its taps."""
        if layer.attributes.window.taps == 1:
            return super().layered_weight_loads(layer, kernel)
        taps = self.layered_taps(layer, kernel)
        return taps * kernel.input_width * kernel.output_width, 1

    def layered_nests(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[PlainNest, ...]:
        """Some filters at a time, tap by tap through their inputs. Taps that are unrolled are loops
        side by side, which work for different pixels at the same time."""
        taps = () if kernel.unroll_window else layer.attributes.window.kernel
        inputs = layer.weights["weight"].shape[1] // kernel.input_width
        entries = graph.output_tensor(layer).size // kernel.output_width
        return (plain_nest(entries, (*taps, inputs)),)

    # ---- folded

    def folded_engine(self, layer: Layer) -> str:
        """Small depthwise filters have an engine of their own."""
        extent = layer.attributes.window.extent
        small = max(extent) <= LARGEST_DEPTHWISE_EXTENT
        return FEEDER if self.is_depthwise(layer) and small else self.engine

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """One step, or one for each run of groups that fills whole vectors."""
        a: ConvAttributes = layer.attributes
        result, count = graph.output_tensor(layer), vectors(a.filters, engines.width)
        if self.folded_engine(layer) == FEEDER:
            return (StepPlan(layer.name, FEEDER, result.height, result.width, 1, 0, count),)
        source = graph.tensors[layer.inputs[0]]
        runs = group_runs(source.channels, a.filters, a.groups, engines.width)
        outputs = ceil(count / runs)
        depth = ceil(vectors(source.channels, engines.width) / runs)
        (array, *_) = engines.having((self.engine, *self.alternative_engines))
        own = engines.of(array)
        tile = conv_tile(read_window(a.window), result, depth, own)
        if tile is None:
            extent = a.window.extent
            raise Infeasible(
                f"one output pixel needs {extent[0]}x{extent[1]}x{depth} vectors of input, more "
                f"than the engine's tile buffer of {own.tile_vectors}",
                where=f"layer {layer.name}",
                remedy="raise tile_vectors in the plan or choose a larger board",
            )
        # Groups of equal size, so that none leaves most of the array idle.
        vectors_per_cycle = ceil(outputs / ceil(outputs / own.outputs))
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
                array,
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
            lists = skipping.step_lists(layer, step, engines.width)
            words = {"taps": skipping.words(lists, engines.of(step.engine).inputs)}
        if step.feeder:
            return fused_fields(layer, graph, step, engines) | words
        window: Window = layer.attributes.window
        if step.engine == FEEDER:
            source = graph.tensors[layer.inputs[0]]
            rows, columns = window.scan_size(source.height, source.width)
            return window_fields(window) | {
                "in_rows": rows,
                "in_columns": scan_columns(columns, engines.of(FEEDER).extent),
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

    def folded_weights(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> np.ndarray:
        """Filters `(O, I, KH, KW)` of a step as if there were no groups, I whole vectors. A
        depthwise layer in front changes nothing of them."""
        plain = replace(step, feeder="")
        fields, v = self.folded_fields(layer, graph, plain, engines), engines.width
        first_in, first_out = fields["in_first"] * v, step.first_vector * v
        block = dense_block(
            layer.weights["weight"],
            layer.attributes.groups,
            slice(first_out, first_out + step.vector_count * v),
            slice(first_in, first_in + fields["in_vectors"] * v),
        )
        return pad_axis(block, 1, v)


OPERATOR = Conv()
