"""A scale and a shift a channel: BatchNormalization, and arithmetic with constants, where they
cannot fold into a convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.nest import Combine, Nest
from hlsgen.kernel.record import Field
from hlsgen.ops.base import Operator, Work
from hlsgen.ops.broadcast import spread_constants
from hlsgen.ops.elementwise import elementwise
from hlsgen.ops.importer import Importer
from hlsgen.plan import Engines, KernelPlan, StepPlan

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter, Value


# The trait of steps whose constants vary within a channel.
VARY = "varying constants"


@dataclass(frozen=True)
class BatchNormAttributes:
    """BatchNormalization as a layer, in graphs for training alone. Weights: `scale`, `bias`,
    `mean`, `variance`, (C,) each.

    `momentum` is ONNX's: running = momentum * running + (1 - momentum) * batch.
    """

    epsilon: float
    momentum: float


def scaled(node: NodeImporter, value: Value, scale: np.ndarray, shift: np.ndarray) -> Value:
    """A value times a scale plus a shift, both `(C,)` or both `(C, H, W)`."""
    from hlsgen.ops.importing import Value

    tensor = node.add(
        "scale", None, [value.tensor], value.tensor.shape, weights={"scale": scale, "bias": shift}
    )
    return Value(tensor, value.view)


class Scale(Operator, Importer):
    """y = x * scale + bias. Weights: `scale` and `bias`, a number a channel each, `(C,)`, or one a
    value, `(C, H, W)`."""

    name = "scale"
    scaled_weight = "scale"
    fields = (
        Field(355, "constants_vary", "int", "1: every tile has biases and scales of its own", VARY),
    )
    onnx_types: ClassVar[dict[str, str]] = {
        "BatchNormalization": "inference; constant parameters",
        "Neg": "",
        "Not": "of 1 and 0",
    }

    def import_node(self, node: NodeImporter) -> None:
        """Import inference-time BatchNormalization, Neg or Not."""
        if node.op_type == "BatchNormalization":
            self._import_batch_normalization(node)
            return
        scale = np.full(node.value(0).tensor.channels, -1, np.float32)
        shift = np.ones_like(scale) if node.op_type == "Not" else np.zeros_like(scale)
        result = scaled(node, node.value(0), scale, shift)
        node.bind(result.tensor, result.view)

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
        constants = factor.reshape(spread), shift.reshape(spread)
        (scale, shift), value = spread_constants(node, value, *constants)
        result = scaled(node, value, scale, shift)
        node.bind(result.tensor, result.view)

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

    def value_by_value(self, layer: Layer) -> bool:
        """Arithmetic with each value."""
        return True

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Scale and shift, channel by channel or value by value."""
        scale, bias = (layer.weights[k].astype(np.float64) for k in ("scale", "bias"))
        if not varies(layer):
            scale, bias = scale[:, None, None], bias[:, None, None]
        return inputs[0] * scale + bias

    def work(self, layer: Layer, graph: Graph) -> Work:
        """One MAC a value."""
        return Work(macs=graph.output_tensor(layer).size, weights=2 * layer.weights["scale"].size)

    def layered_arrays(self, layer: Layer) -> Mapping[str, np.ndarray]:
        """Scale and bias, (C,) or in [H][W][C] order."""
        if not varies(layer):
            return layer.weights
        return {name: array.transpose(1, 2, 0) for name, array in layer.weights.items()}

    def layered_context(self, layer: Layer) -> dict[str, Any]:
        """Whether there are constants for every value; the shift is no bias of a channel then."""
        return {"varies": True, "bias": False} if varies(layer) else {"varies": False}

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """A multiplier a lane; the shift is the bias, unless it varies within a channel."""
        own, units = varies(layer), Arithmetic(multiply_adds=kernel.output_width)
        expression = "{0} * {scale} + {bias}" if own else "{0} * {scale}"
        return elementwise(
            layer, graph, kernel, Combine("each", expression=expression, units=units),
            self.epilogue(layer, graph, kernel),
            what=f"a scale and a shift a {'value' if own else 'channel'}",
            constants=("scale", "bias") if own else ("scale",),
        )  # fmt: skip

    def takes_images(self, layer: Layer) -> bool:
        """Not where constants are counted with the tiles."""
        return not varies(layer)

    def folded_traits(self, layer: Layer) -> frozenset[str]:
        """Whether constants vary within a channel."""
        return frozenset({VARY} if varies(layer) else ())

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """A pass over the tensor; constants that vary within a channel arrive pixel by pixel."""
        (step,) = super().folded_steps(layer, graph, engines)
        return (replace(step, tile_height=1, tile_width=1) if varies(layer) else step,)

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """A pixel is a tile where constants vary within a channel."""
        if not varies(layer):
            return {}
        tensor = graph.output_tensor(layer)
        return {
            "tiles_y": tensor.height,
            "tiles_x": tensor.width,
            "in_step_y": 1,
            "in_step_x": 1,
            "in_rows": 1,
            "in_columns": 1,
            "constants_vary": 1,
        }

    def folded_scale(self, layer: Layer) -> np.ndarray:
        """The epilogue multiplies."""
        return layer.weights["scale"]


def varies(layer: Layer) -> bool:
    """Whether the constants vary within a channel."""
    return layer.weights["scale"].ndim > 1


OPERATOR = Scale()
