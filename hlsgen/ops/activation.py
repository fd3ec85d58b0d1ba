"""Activations on their own, where no layer before them can apply them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hlsgen.activation import Activation
from hlsgen.graph import Layer, View
from hlsgen.ops.base import Operator

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class Activate(Operator):
    """ONNX Relu, Clip, LeakyRelu and Sigmoid: a copy whose epilogue is the function."""

    name = "activation"
    onnx_types = ("Relu", "Clip", "LeakyRelu", "Sigmoid")

    def import_node(self, node: NodeImporter) -> None:
        """Import one of the element-wise functions; Clip's bounds may be inputs or attributes."""
        value = node.value(0)
        tensor = node.add(self.name, None, [value.tensor], value.tensor.shape, activation=self._activation(node))
        node.bind(tensor, View(value.view.shape, value.view.steps))

    def _activation(self, node: NodeImporter) -> Activation:
        if node.op_type == "LeakyRelu":
            return Activation("leaky_relu", alpha=float(node.attribute("alpha", 0.01)))
        if node.op_type != "Clip":
            return Activation(node.op_type.lower())
        low, high = (
            float(node.need_constant(i, name).ravel()[0])
            if node.input_name(i)
            else float(node.attribute(name, default))
            for i, name, default in ((1, "min", -np.inf), (2, "max", np.inf))
        )
        if low == 0.0 and np.isinf(high):
            return Activation("relu")
        return Activation("clip", low=max(low, -FLOAT_MAX), high=min(high, FLOAT_MAX))

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The input: the layer's activation does the rest."""
        return inputs[0].astype(np.float64)


FLOAT_MAX = float(np.finfo(np.float32).max)
OPERATOR = Activate()
