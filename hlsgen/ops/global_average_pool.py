"""Global average pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.nest import Combine, Loop, Nest, Source
from hlsgen.kernel.plain import PlainNest, plain_nest
from hlsgen.kernel.values import Vector
from hlsgen.ops.arrays import vectors
from hlsgen.ops.base import Operator, Shape, Work
from hlsgen.ops.importer import Importer
from hlsgen.plan import Engines, KernelPlan, StepPlan

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class GlobalAveragePool(Operator, Importer):
    """ONNX GlobalAveragePool: the mean of every channel."""

    name = "global_average_pool"
    onnx_types: ClassVar[dict[str, str]] = {"GlobalAveragePool": ""}
    engine = "global_pooling"
    accumulates = True

    def import_node(self, node: NodeImporter) -> None:
        """Import a GlobalAveragePool node."""
        source = node.spatial(0, (3, 4))
        result = node.add(self.name, None, [source], (source.channels, 1, 1))
        node.bind_spatial(
            result, (1, source.channels, *(1,) * (len(node.value(0).view.value_shape) - 2))
        )

    def output_shape(self, attributes: Any, inputs: Sequence[Shape]) -> Shape:
        """(C, 1, 1)."""
        return (inputs[0][0], 1, 1)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Mean over height and width."""
        means: np.ndarray = inputs[0].astype(np.float64).mean(axis=(1, 2), keepdims=True)
        return means

    def work(self, layer: Layer, graph: Graph) -> Work:
        """One addition a value."""
        return Work(operations=graph.tensors[layer.inputs[0]].size)

    def layered_scratch_stores(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """The text has a variable for the sum."""
        return 0

    def layered_nests(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[PlainNest, ...]:
        """A channel after another, pixel by pixel."""
        tensor = graph.tensors[layer.inputs[0]]
        return (plain_nest(tensor.channels, (tensor.pixels,)),)

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """The sum of all pixels, vector by vector, times the reciprocal of their number."""
        tensor, types = graph.tensors[layer.inputs[0]], self.roles(layer, graph)
        count = vectors(tensor.channels, kernel.input_width)
        word = Vector(types.operand, kernel.input_width)
        scale = 1 / tensor.pixels if tensor.pixels > 1 else None
        return Nest(
            what=f"mean of {tensor.pixels} pixels",
            lanes=kernel.output_width,
            sources=(Source(word, tensor.pixels, count),),
            loops=(
                Loop("n", tensor.pixels, arrives=True, reduces=True),
                Loop("o", count, arrives=True),
            ),
            combine=Combine("each"),
            epilogue=self.epilogue(layer, graph, kernel, scale=scale),
            partial_sums=kernel.partial_sums,
            types=types,
        )

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """One plane of V channels after another."""
        return (
            StepPlan(
                layer.name,
                self.engine,
                1,
                1,
                1,
                0,
                vectors(graph.output_tensor(layer).channels, engines.width),
            ),
        )

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """The number of pixels and its reciprocal."""
        source = graph.tensors[layer.inputs[0]]
        return {
            "in_rows": source.height,
            "in_columns": source.width,
            "in_groups": step.vector_count,
            "in_vectors": 1,
            "constant_0": 1.0 / source.pixels,
        }


OPERATOR = GlobalAveragePool()
