"""Activations on their own, where no layer before them can apply them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.activation import Activation
from hlsgen.graph import Graph, Layer, View
from hlsgen.kernel.nest import Combine, Nest
from hlsgen.ops.base import Operator
from hlsgen.ops.elementwise import elementwise
from hlsgen.ops.importer import Importer
from hlsgen.plan import KernelPlan

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class Activate(Operator, Importer):
    """Element-wise functions: a copy whose epilogue is the function."""

    name = "activation"
    onnx_types: ClassVar[dict[str, str]] = {
        "Relu": "",
        "Clip": "constant bounds",
        "LeakyRelu": "alpha",
        "Sigmoid": "",
        "Tanh": "",
        "Exp": "",
        "Log": "",
        "Sqrt": "",
        "Reciprocal": "",
        "Abs": "",
        "Elu": "alpha",
        "Selu": "alpha, gamma",
        "Softplus": "",
        "Softsign": "",
        "HardSigmoid": "alpha, beta",
        "HardSwish": "",
        "Erf": "",
        "Gelu": "both approximations",
        "Mish": "",
        "Celu": "alpha",
        "Sign": "",
        "Floor": "",
        "Ceil": "",
        "Sin": "",
        "Cos": "",
        "Round": "",
    }

    def import_node(self, node: NodeImporter) -> None:
        """Import one of the element-wise functions."""
        value = node.value(0)
        tensor = node.add(
            self.name, None, [value.tensor], value.tensor.shape, activation=self._activation(node)
        )
        node.bind(tensor, View(value.view.shape, value.view.steps))

    def _activation(self, node: NodeImporter) -> Activation:
        kind = KINDS.get(node.op_type, node.op_type.lower())
        if node.op_type == "HardSwish":
            return Activation(kind, alpha=1 / 6, low=0.5)
        if node.op_type == "Gelu":
            return Activation(GELU[node.attribute("approximate", "none")])
        if node.op_type == "Celu":
            alpha = float(node.attribute("alpha", 1.0))
            return Activation(kind, alpha=alpha, low=1 / alpha)
        if node.op_type != "Clip":
            defaults = PARAMETERS.get(node.op_type, {})
            found = {
                field: float(node.attribute(name, default))
                for name, (field, default) in defaults.items()
            }
            return Activation(kind, **found)
        low, high = (
            float(node.need_constant(i, name).ravel()[0]) if node.input_name(i) else default
            for i, name, default in ((1, "min", -np.inf), (2, "max", np.inf))
        )
        if low == 0.0 and np.isinf(high):
            return Activation("relu")
        return Activation("clip", low=max(low, -FLOAT_MAX), high=min(high, FLOAT_MAX))

    def value_by_value(self, layer: Layer) -> bool:
        """A function of each value."""
        return True

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The input: the layer's activation does the rest."""
        return inputs[0].astype(np.float64)

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """A vector after another."""
        return elementwise(
            layer, graph, kernel, Combine("each"), self.epilogue(layer, graph, kernel)
        )


KINDS = {"LeakyRelu": "leaky_relu", "HardSigmoid": "hard_sigmoid", "HardSwish": "hard_swish"}
KINDS |= {"Round": "rint"}
GELU = {"none": "gelu", "tanh": "gelu_tanh"}
# ONNX attribute -> parameter of `Activation`, with ONNX's default.
PARAMETERS = {
    "LeakyRelu": {"alpha": ("alpha", 0.01)},
    "Elu": {"alpha": ("alpha", 1.0)},
    "Selu": {"alpha": ("alpha", 1.6732632423543772), "gamma": ("low", 1.0507009873554805)},
    "HardSigmoid": {"alpha": ("alpha", 0.2), "beta": ("low", 0.5)},
}
FLOAT_MAX = float(np.finfo(np.float32).max)
OPERATOR = Activate()
