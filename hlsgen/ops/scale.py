"""A scale and a shift a channel: BatchNormalization, and arithmetic with constants, where they
cannot fold into a convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer, View
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.nest import Combine, Nest
from hlsgen.ops.base import Importer, Operator, Work
from hlsgen.ops.elementwise import elementwise
from hlsgen.plan import KernelPlan

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter, Value


@dataclass(frozen=True)
class BatchNormAttributes:
    """BatchNormalization as a layer, in graphs for training alone. Weights: `scale`, `bias`,
    `mean`, `variance`, (C,) each.

    `momentum` is ONNX's: running = momentum * running + (1 - momentum) * batch.
    """

    epsilon: float
    momentum: float


def add_scale(node: NodeImporter, value: Value, scale: np.ndarray, shift: np.ndarray) -> None:
    """Bind a scale and a shift of a value to the node's output, keeping the value's view."""
    tensor = node.add(
        "scale", None, [value.tensor], value.tensor.shape, weights={"scale": scale, "bias": shift}
    )
    node.bind(tensor, View(value.view.shape, value.view.steps))


class Scale(Operator, Importer):
    """y = x * scale[c] + bias[c]. Weights: `scale` (C,), `bias` (C,)."""

    name = "scale"
    scaled_weight = "scale"
    onnx_types: ClassVar[dict[str, str]] = {
        "BatchNormalization": "inference; constant parameters",
        "Neg": "",
    }

    def import_node(self, node: NodeImporter) -> None:
        """Import inference-time BatchNormalization, or Neg."""
        if node.op_type == "BatchNormalization":
            self._import_batch_normalization(node)
            return
        scale = np.full(node.value(0).tensor.channels, -1, np.float32)
        add_scale(node, node.value(0), scale, np.zeros_like(scale))

    def _import_batch_normalization(self, node: NodeImporter) -> None:
        if node.attribute("training_mode", 0):
            raise node.unsupported("training_mode=1", "export the network for inference")
        node.need_one_output()
        value = node.value(0)
        names = ("scale", "bias", "mean", "variance")
        gamma, beta, mean, variance = (
            node.need_constant(i, names[i - 1]).astype(np.float64).ravel() for i in range(1, 5)
        )
        factor = gamma / np.sqrt(variance + node.attribute("epsilon", 1e-5))
        shift = beta - mean * factor
        shape = value.view.value_shape
        if len(factor) != shape[1]:
            raise node.unsupported(f"{len(factor)} parameters for {shape[1]} channels")
        if node.builder.training:
            self._keep_batch_normalization(
                node, {name: node.need_constant(i, name) for i, name in enumerate(names, 1)}
            )
            return
        spread = (1, -1) + (1,) * (len(shape) - 2)
        scale, value = node.per_channel(factor.reshape(spread).astype(np.float32), value)
        shift, value = node.per_channel(shift.reshape(spread).astype(np.float32), value)
        add_scale(node, value, scale, shift)

    def _keep_batch_normalization(
        self, node: NodeImporter, weights: Mapping[str, np.ndarray]
    ) -> None:
        """A layer of its own, for training."""
        source = node.spatial(0, (2, 3, 4, 5))
        attributes = BatchNormAttributes(
            node.attribute("epsilon", 1e-5), node.attribute("momentum", 0.9)
        )
        if source.channels != len(weights["scale"]):
            raise node.unsupported(
                "in training its channels must be those of the feature map",
                "use two spatial dimensions",
            )
        tensor = node.add("batch_norm", attributes, [source], source.shape, weights=weights)
        node.bind_spatial(tensor, node.value(0).view.value_shape)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Scale and shift, channel by channel."""
        scale, bias = (
            layer.weights[k].astype(np.float64)[:, None, None] for k in ("scale", "bias")
        )
        return inputs[0] * scale + bias

    def work(self, layer: Layer, graph: Graph) -> Work:
        """One MAC a value."""
        return Work(macs=graph.output_tensor(layer).size, weights=2 * len(layer.weights["scale"]))

    def layered_arrays(self, layer: Layer) -> Mapping[str, np.ndarray]:
        """Scale and bias, (C,) each."""
        return layer.weights

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """A multiplier a lane; the shift is the bias."""
        combine = Combine(
            "each", expression="{0} * {scale}", units=Arithmetic(multiply_adds=kernel.output_width)
        )
        return elementwise(
            layer, graph, kernel, combine, self.epilogue(layer, graph, kernel),
            what="a scale and a shift a channel", constants=("scale",),
        )  # fmt: skip

    def folded_scale(self, layer: Layer) -> np.ndarray:
        """The epilogue multiplies."""
        return layer.weights["scale"]


OPERATOR = Scale()
