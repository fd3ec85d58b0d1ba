"""Element-wise addition of feature maps (residual joins), and addition of a constant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.hardware import Arithmetic
from hlsgen.ops.base import Operator, Work
from hlsgen.ops.scale import add_scale
from hlsgen.plan import KernelPlan

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter, Value


class Add(Operator):
    """ONNX Add and Sum of feature maps of one shape; a constant addend becomes a per-channel shift."""

    name = "add"
    onnx_types = ("Add", "Sum")

    def import_node(self, node: NodeImporter) -> None:
        """Import Add or Sum; a sum of n terms becomes a chain of n - 1 additions."""
        constants = [i for i in range(len(node.node.input)) if node.constant(i) is not None]
        variables = [i for i in range(len(node.node.input)) if i not in constants]
        if not variables:
            raise node.unsupported("all its inputs are constants")
        current = node.value(variables[0])
        for index in variables[1:]:
            current = self._join(node, current, node.value(index))
        if not constants:
            node.bind(current.tensor, current.view)
            return
        total = np.asarray(sum(np.asarray(node.constant(i), np.float64) for i in constants), np.float32)
        shift = node.per_channel(total, current)
        node.builder.values[node.input_name(variables[0]) or ""] = current
        add_scale(node, variables[0], np.ones_like(shift), shift)

    def _join(self, node: NodeImporter, left: Value, right: Value) -> Value:
        shapes = left.view.value_shape, right.view.value_shape
        if shapes[0] != shapes[1]:
            raise node.unsupported(
                f"shapes {list(shapes[0])} and {list(shapes[1])} differ: broadcasting of two feature maps",
                "make both inputs the same shape",
            )
        same = left.tensor.shape == right.tensor.shape and (
            left.view.steps == right.view.steps or np.array_equal(left.view.indices, right.view.indices)
        )
        if not same:
            raise node.unsupported(
                "its inputs are laid out differently", "remove the Transpose or Reshape before one of them"
            )
        tensor = node.add(self.name, None, [left.tensor, right.tensor], left.tensor.shape)
        return type(left)(tensor, left.view)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The sum."""
        return inputs[0].astype(np.float64) + inputs[1]

    def work(self, layer: Layer, graph: Graph) -> Work:
        """One addition a value."""
        return Work(operations=graph.output_tensor(layer).size)

    def pipelined_arithmetic(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Arithmetic:
        """One adder a lane."""
        return Arithmetic(adds=kernel.input_width)


OPERATOR = Add()
