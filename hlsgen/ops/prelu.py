"""PRelu: a slope a channel for negative values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer, View
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.nest import Combine, Nest
from hlsgen.kernel.record import Field
from hlsgen.ops.base import Operator, Work
from hlsgen.ops.broadcast import spread_constants
from hlsgen.ops.compose import apply, number
from hlsgen.ops.elementwise import elementwise
from hlsgen.ops.importer import Importer
from hlsgen.plan import KernelPlan
from hlsgen.types import FLOAT32

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class PRelu(Operator, Importer):
    """y = x above 0, slope[c] * x below. Weights: `slope` (C,)."""

    name = "prelu"
    onnx_types: ClassVar[dict[str, str]] = {"PRelu": "constant slopes"}
    fields = (
        Field(1040, "scale_negative", "int", "1: the epilogue scales negative values alone", name),
    )

    def import_node(self, node: NodeImporter) -> None:
        """Import PRelu."""
        value = node.value(0)
        slope, shape = node.need_constant(1, "slope"), value.view.value_shape
        if slope.ndim == 1 and len(shape) > 2 and slope.size == shape[1] != shape[-1]:
            slope = slope.reshape(
                -1, *(1,) * (len(shape) - 2)
            )  # before opset 7 one axis meant the channels
        given = slope
        (slope,), value = spread_constants(node, value, given)
        if slope.ndim > 1:
            below = apply(node, "Mul", apply(node, "Min", value, number(0)), given)
            result = apply(node, "Add", apply(node, "Relu", value), below)
            node.bind(result.tensor, result.view)
            return
        tensor = node.add(
            self.name, None, [value.tensor], value.tensor.shape, weights={"slope": slope}
        )
        node.bind(tensor, View(value.view.shape, value.view.steps))

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """By the definition."""
        x = inputs[0].astype(np.float64)
        return np.where(x < 0, x * layer.weights["slope"].astype(np.float64)[:, None, None], x)

    def work(self, layer: Layer, graph: Graph) -> Work:
        """A comparison and a multiplication a value."""
        return Work(
            operations=2 * graph.output_tensor(layer).size, weights=len(layer.weights["slope"])
        )

    def layered_arrays(self, layer: Layer) -> Mapping[str, np.ndarray]:
        """Slopes, (C,)."""
        return layer.weights

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """Two comparators and a multiply-add a lane."""
        zero = FLOAT32.zero
        combine = Combine(
            "each",
            expression=f"fmax({{0}}, {zero}) + {{slope}} * fmin({{0}}, {zero})",
            units=Arithmetic(compares=2, multiply_adds=1).times(kernel.output_width),
        )
        return elementwise(
            layer, graph, kernel, combine, self.epilogue(layer, graph, kernel),
            what="a slope a channel for negative values", constants=("slope",),
        )  # fmt: skip

    def folded_scale(self, layer: Layer) -> np.ndarray:
        """The epilogue multiplies negative values alone."""
        return layer.weights["slope"]

    def epilogue_fields(self, layer: Layer) -> dict[str, Any]:
        """Which values the scale is for."""
        return {"scale_negative": 1}


OPERATOR = PRelu()
