"""Concatenation along channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hlsgen.graph import Graph, Layer, Tensor, View
from hlsgen.ops.base import Events, Operator, Shape, Work, vectors
from hlsgen.placement import place_tensors
from hlsgen.plan import Engines, KernelPlan, StepPlan

if TYPE_CHECKING:
    from typing import Any

    from hlsgen.ops.importing import NodeImporter, Value


class Concat(Operator):
    """ONNX Concat where the axis is the channels."""

    name = "concat"
    onnx_types = ("Concat",)
    fuses_activation = False

    def import_node(self, node: NodeImporter) -> None:
        """Import Concat; one input alone is passed through."""
        values = [node.value(i) for i in range(len(node.node.input))]
        if len(values) == 1:
            node.bind(values[0].tensor, values[0].view)
            return
        rank = len(values[0].view.value_shape)
        axis = node.attribute("axis", 1) % rank
        view = self._common_view(node, values, axis)
        shape = self.output_shape(None, [v.tensor.shape for v in values])
        node.bind(node.add(self.name, None, [v.tensor for v in values], shape), View((1, *shape), view))

    def _common_view(self, node: NodeImporter, values: list[Value], axis: int) -> tuple[Any, ...]:
        """The relabelling steps of the result. Raises UnsupportedError unless `axis` is the channels in all inputs."""
        error = node.unsupported(
            "it joins along an axis that is not the channels", "only concatenation along channels is supported"
        )
        if any(v.tensor.shape[1:] != values[0].tensor.shape[1:] for v in values):
            raise error
        first = values[0].view
        if all(kind == "transpose" for v in values for kind, _ in v.view.steps):
            marks = View((1, 2, 1, 1), first.steps).value_shape
            if any(v.view.steps != first.steps for v in values) or marks.index(2) != axis:
                raise error
            return first.steps
        total = sum(v.tensor.channels for v in values)
        flat = all(v.tensor.pixels == 1 and v.view.value_shape[axis] == v.tensor.channels for v in values)
        if not flat:
            raise error
        shape = list(first.value_shape)
        shape[axis] = total
        return (("reshape", tuple(shape)),)

    def output_shape(self, attributes: Any, inputs: Sequence[Shape]) -> Shape:
        """Channels add up."""
        return (sum(s[0] for s in inputs), *inputs[0][1:])

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The inputs one after another along channels."""
        return np.concatenate([i.astype(np.float64) for i in inputs])

    def work(self, layer: Layer, graph: Graph) -> Work:
        """Data movement alone."""
        return Work()

    def legal_widths(self, layer: Layer, tensor: Tensor, width: int) -> bool:
        """No vector may hold channels of two inputs."""
        return tensor.channels % width == 0

    def pipelined_turns(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """One output vector a turn."""
        result = graph.output_tensor(layer)
        return result.size // kernel.output_width

    def pipelined_events(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Events:
        """In every pixel one input's vectors after another's."""
        result = graph.output_tensor(layer)
        turns = np.arange(result.size // kernel.output_width).reshape(result.pixels, -1)
        reads, first = [], 0
        for tensor in graph.input_tensors(layer):
            count = tensor.channels // kernel.input_width
            reads.append(turns[:, first : first + count].ravel())
            first += count
        return Events(tuple(reads), turns.ravel())

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """Only the inputs that could not be written straight into their place are copied there."""
        result = graph.output_tensor(layer)
        placement, steps, first = place_tensors(graph, engines.width), [], 0
        for position, tensor in enumerate(graph.input_tensors(layer)):
            count = vectors(tensor.channels, engines.width)
            if (layer.name, position) in placement.copies:
                at_once = next(n for n in range(min(count, engines.outputs), 0, -1) if count % n == 0)
                steps.append(
                    StepPlan(layer.name, "", result.height, result.width, at_once, first, count, source=tensor.name)
                )
            first += count
        return tuple(steps)


OPERATOR = Concat()
