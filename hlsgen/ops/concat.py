"""Concatenation along channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer, Tensor, View
from hlsgen.kernel.nest import Combine, Guard, Loop, Nest, Source
from hlsgen.kernel.plain import PlainNest
from hlsgen.kernel.values import Vector
from hlsgen.ops.arrays import vectors
from hlsgen.ops.base import Operator, Shape, Work
from hlsgen.ops.broadcast import placed_constant
from hlsgen.ops.elementwise import pixels
from hlsgen.ops.importer import Importer
from hlsgen.placement import place_tensors
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.types import ANY

if TYPE_CHECKING:
    from typing import Any

    from hlsgen.ops.importing import NodeImporter, Value


class Concat(Operator, Importer):
    """ONNX Concat; an axis that is not the channels is first made the channels."""

    name = "concat"
    onnx_types: ClassVar[dict[str, str]] = {
        "Concat": "any axis but the batch; feature maps and constants"
    }
    makes = ("gather", "scale")
    concatenates = True
    fuses_activation = False
    types = ANY

    def import_node(self, node: NodeImporter) -> None:
        """Import Concat; one input alone is passed through, and constants that hold nothing add
        nothing."""
        constants = [node.constant(i) for i in range(len(node.node.input))]
        beside = node.value(next(i for i, array in enumerate(constants) if array is None))
        values = [
            node.value(i) if array is None else placed_constant(node, array, beside)
            for i, array in enumerate(constants)
            if array is None or array.size
        ]
        concatenate(node, values)

    def output_shape(self, attributes: Any, inputs: Sequence[Shape]) -> Shape:
        """Channels add up."""
        return (sum(s[0] for s in inputs), *inputs[0][1:])

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The inputs one after another along channels."""
        return np.concatenate([i.astype(np.float64) for i in inputs])

    def work(self, layer: Layer, graph: Graph) -> Work:
        """Data movement alone."""
        return Work()

    def layered_nests(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[PlainNest, ...]:
        """The inputs of a pixel, one after another."""
        pixels = graph.output_tensor(layer).pixels
        return tuple(PlainNest(tensor.size, runs=pixels) for tensor in graph.input_tensors(layer))

    def legal_widths(self, layer: Layer, tensor: Tensor, width: int) -> bool:
        """No vector may hold channels of two inputs."""
        return tensor.channels % width == 0

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """In every pixel one input's vectors after another's."""
        result, types = graph.output_tensor(layer), self.roles(layer, graph)
        word, sources, first = Vector(types.operand, kernel.input_width), [], 0
        for tensor in graph.input_tensors(layer):
            count = vectors(tensor.channels, kernel.input_width)
            turn = Guard("c", first, count)
            sources.append(Source(word, tensor.pixels, count, (turn,)))
            first += count
        return Nest(
            what=f"{len(sources)} inputs, one after another in every pixel",
            lanes=kernel.output_width,
            sources=tuple(sources),
            loops=(Loop("c", first, arrives=True),),
            combine=Combine("pass"),
            raster=pixels(result.pixels),
            types=types,
        )

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """Only the inputs that could not be written straight into their place are copied there."""
        result = graph.output_tensor(layer)
        placement, steps, first = place_tensors(graph, engines.width), [], 0
        for position, tensor in enumerate(graph.input_tensors(layer)):
            count = vectors(tensor.channels, engines.width)
            if (layer.name, position) in placement.copies:
                vectors_per_cycle = next(
                    n for n in range(min(count, engines.group), 0, -1) if count % n == 0
                )
                steps.append(
                    StepPlan(
                        layer.name,
                        "",
                        result.height,
                        result.width,
                        vectors_per_cycle,
                        first,
                        count,
                        source=tensor.name,
                    )
                )
            first += count
        return tuple(steps)


def concatenate(node: NodeImporter, values: list[Value]) -> None:
    """Bind the node's output to values one after another along its axis; one alone is passed
    through."""
    if len(values) == 1:
        node.bind(values[0].tensor, values[0].view)
        return
    rank = len(values[0].view.value_shape)
    axis = node.attribute("axis", 1) % rank
    tensors, view = [v.tensor for v in values], common_view(values, axis)
    shape = OPERATOR.output_shape(None, [t.shape for t in tensors])
    if view is not None:
        node.bind(node.add(Concat.name, None, tensors, shape), View((1, *shape), view))
        return
    tensors = [channels_first(node, value, axis) for value in values]
    shape = OPERATOR.output_shape(None, [t.shape for t in tensors])
    others = [n for i, n in enumerate(values[0].view.value_shape) if i != axis]
    order = (*range(1, axis + 1), 0, *range(axis + 1, rank))
    whole = View((1, *shape)).then("reshape", (shape[0], *others)).then("transpose", order)
    node.bind(node.add(Concat.name, None, tensors, shape), whole)


def common_view(values: list[Value], axis: int) -> tuple[Any, ...] | None:
    """The relabelling steps of the result; None unless `axis` is the channels in all inputs."""
    if any(v.tensor.shape[1:] != values[0].tensor.shape[1:] for v in values):
        return None
    first = values[0].view
    if all(kind == "transpose" for v in values for kind, _ in v.view.steps):
        marks = View((1, 2, 1, 1), first.steps).value_shape
        if any(v.view.steps != first.steps for v in values) or marks.index(2) != axis:
            return None
        return first.steps
    total = sum(v.tensor.channels for v in values)
    flat = all(
        v.tensor.pixels == 1 and v.view.value_shape[axis] == v.tensor.channels for v in values
    )
    if not flat:
        return None
    shape = list(first.value_shape)
    shape[axis] = total
    return (("reshape", tuple(shape)),)


def channels_first(node: NodeImporter, value: Value, axis: int) -> Tensor:
    """The value with `axis` as channels and its other axes as the pixels of one row."""
    index = np.moveaxis(value.view.indices, axis, 0).reshape(value.view.value_shape[axis], 1, -1)
    if index.shape == value.tensor.shape and np.array_equal(index.ravel(), np.arange(index.size)):
        return value.tensor
    return node.gather(value.tensor, index, "axis as channels")


OPERATOR = Concat()
