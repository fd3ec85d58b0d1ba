"""Max and average pooling over sliding windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hlsgen.graph import Graph, Layer, Tensor
from hlsgen.kernel.nest import Combine, Loop, Nest
from hlsgen.kernel.plain import PlainNest, plain_nest
from hlsgen.kernel.values import Roles, Vector
from hlsgen.ops.arrays import vectors
from hlsgen.ops.base import Operator, Shape, Work
from hlsgen.ops.conv_steps import scan_columns, window_fields
from hlsgen.ops.importer import Importer
from hlsgen.ops.sliding import sliding, tap_loops
from hlsgen.ops.window import Window, imported_window
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.types import DataType

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


@dataclass(frozen=True)
class PoolAttributes:
    """The window. Average alone: `counted_pads` are the pads (top, left, bottom, right) that count
    as values."""

    window: Window
    counted_pads: tuple[int, int, int, int] = (0, 0, 0, 0)


class Pool(Operator, Importer):
    """A window reduced channel by channel. Subclasses say how."""

    engine = "pooling"
    # What is done with a window, in the kernel's comment.
    reduction_name = ""
    # Whether a window is reduced to its mean, and not to its largest value.
    averages = False

    def import_node(self, node: NodeImporter) -> None:
        """Import MaxPool or AveragePool; `ceil_mode` becomes pads at the bottom and right that do
        not count."""
        node.need_one_output()
        kernel = node.attribute("kernel_shape", None)
        if kernel is None or len(kernel) not in (1, 2, 3):
            raise node.unsupported(
                f"kernel_shape {kernel}", "pool over one, two or three spatial dimensions"
            )
        source = node.spatial(0, (len(kernel) + 2,))
        shape = node.value(0).view.value_shape
        depth, window = imported_window(node, kernel, shape[2:])
        result = self._pool(node, source, window)
        if depth is None:
            node.bind_spatial(result, (1, shape[1], *result.shape[1:][-len(kernel) :]))
            return
        # The depth's turn: its slices become rows, and the pixels of a slice columns.
        pixels = result.shape[1:]
        index = np.arange(result.size).reshape(shape[1], shape[2], -1)
        deep = self._pool(node, node.gather(result, index, "slices as rows"), depth, "depth")
        node.bind_spatial(deep, (1, shape[1], deep.height, *pixels))

    def _pool(self, node: NodeImporter, source: Tensor, window: Window, part: str = "") -> Tensor:
        """One layer over two axes."""
        counted = window.pads if node.attribute("count_include_pad", 0) else (0, 0, 0, 0)
        if node.attribute("ceil_mode", 0):
            window = ceil_window(window, source.height, source.width)
        attributes, kind = self.finished(node, PoolAttributes(window, counted))
        shape = self.output_shape(attributes, [source.shape])
        return node.add(self.name, attributes, [source], shape, part=part, kind=kind)

    def finished(
        self, node: NodeImporter, attributes: PoolAttributes
    ) -> tuple[PoolAttributes, DataType | None]:
        """The attributes of a layer, and the type of its result where that is not its input's."""
        return attributes, None

    def output_shape(self, attributes: PoolAttributes, inputs: Sequence[Shape]) -> Shape:
        """(C, OH, OW)."""
        return (inputs[0][0], *attributes.window.output_size(*inputs[0][1:]))

    def bordered(self, layer: Layer, pads: Sequence[int]) -> PoolAttributes:
        """Larger pads; of averages all of them count."""
        attributes: PoolAttributes = layer.attributes
        window = attributes.window.bordered(pads)
        counted = window.pads if self.averages else attributes.counted_pads
        return replace(attributes, window=window, counted_pads=counted)

    def work(self, layer: Layer, graph: Graph) -> Work:
        """One operation a tap."""
        return Work(operations=graph.output_tensor(layer).size * layer.attributes.window.taps)

    def layered_nests(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[PlainNest, ...]:
        """A value after another, tap by tap."""
        taps = layer.attributes.window.kernel
        return (plain_nest(graph.output_tensor(layer).size, taps),)

    def window_nest(
        self, layer: Layer, graph: Graph, kernel: KernelPlan, combine: Combine, **scale: Any
    ) -> Nest:
        """A window over every channel: vector by vector, all taps at once."""
        window, tensor = layer.attributes.window, graph.tensors[layer.inputs[0]]
        types, (rows, columns) = self.roles(layer, graph), window.kernel
        word = Vector(types.operand, kernel.input_width)
        pixel = (Loop("c", vectors(tensor.channels, kernel.input_width), arrives=True),)
        walk = sliding(window, tensor, word, pixel, self.border(layer, types))
        down, across = window.stride
        return Nest(
            what=f"{self.reduction_name} of {rows}x{columns}, stride {down}x{across}",
            lanes=kernel.output_width,
            sources=(walk.source,),
            loops=(*pixel, *tap_loops(window, unrolled=True)),
            combine=combine,
            raster=walk.raster,
            window=walk.window,
            epilogue=self.epilogue(layer, graph, kernel, **scale),
            types=types,
        )

    def border(self, layer: Layer, types: Roles) -> str:
        """What the input holds beyond its edges, in OpenCL."""
        return types.operand.zero

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """One plane of V channels after another."""
        result = graph.output_tensor(layer)
        count = vectors(result.channels, engines.width)
        return (StepPlan(layer.name, self.engine, result.height, result.width, 1, 0, count),)

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """The padded scan of every plane."""
        source = graph.tensors[layer.inputs[0]]
        rows, columns = layer.attributes.window.scan_size(source.height, source.width)
        return window_fields(layer.attributes.window) | {
            "in_rows": rows,
            "in_columns": scan_columns(columns, engines.of(self.engine).extent),
            "in_groups": step.vector_count,
            "in_vectors": 1,
        }


def ceil_window(window: Window, height: int, width: int) -> Window:
    """The window with bottom and right pads enlarged so that the floor formula gives ONNX's
    ceil_mode size.

    A last window that would start in the padding is dropped (ONNX opset 19 and onnxruntime).
    """
    pads = list(window.pads)
    for axis, size in enumerate((height, width)):
        before, after = window.pads[axis], window.pads[axis + 2]
        span, stride = size + before + after - window.extent[axis], window.stride[axis]
        outputs = -(-span // stride) + 1
        if (outputs - 1) * stride >= size + before:
            outputs -= 1
        pads[axis + 2] += max((outputs - 1) * stride - span, 0)
    return replace(window, pads=tuple(pads))  # type: ignore[arg-type]
