"""Local response normalisation across channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.nest import Combine, Loop, Nest, Source
from hlsgen.kernel.phases import Pace, Phase
from hlsgen.kernel.plain import PlainNest, plain_nest
from hlsgen.kernel.values import Roles, Vector
from hlsgen.ops.arrays import vectors
from hlsgen.ops.base import Operator, Work
from hlsgen.ops.importer import Importer
from hlsgen.ops.softmax import plain_step
from hlsgen.plan import Engines, KernelPlan, StepPlan

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


@dataclass(frozen=True)
class LrnAttributes:
    """y = x / (bias + alpha / size * sum of squares over `size` channels) ** beta."""

    size: int
    alpha: float
    beta: float
    bias: float

    @property
    def before(self) -> int:
        """Channels of the window before the centre: floor((size - 1) / 2)."""
        return (self.size - 1) // 2

    @property
    def after(self) -> int:
        """Channels of the window after the centre: ceil((size - 1) / 2)."""
        return self.size - 1 - self.before


class Lrn(Operator, Importer):
    """ONNX LRN on (1, C, H, W)."""

    name = "lrn"
    onnx_types: ClassVar[dict[str, str]] = {"LRN": ""}
    engine = "normalisation"

    def import_node(self, node: NodeImporter) -> None:
        """Import an LRN node."""
        source = node.spatial(0, (4,))
        attributes = LrnAttributes(
            int(node.attribute("size", 1)),
            float(node.attribute("alpha", 1e-4)),
            float(node.attribute("beta", 0.75)),
            float(node.attribute("bias", 1.0)),
        )
        node.bind(node.add(self.name, attributes, [source], source.shape))

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """By the definition, channel by channel."""
        a: LrnAttributes = layer.attributes
        x = inputs[0].astype(np.float64)
        result = np.empty_like(x)
        for c in range(len(x)):
            window = x[max(c - a.before, 0) : c + a.after + 1]
            result[c] = x[c] / (a.bias + a.alpha / a.size * (window**2).sum(axis=0)) ** a.beta
        return result

    def work(self, layer: Layer, graph: Graph) -> Work:
        """Square, sliding sum, power, multiply."""
        return Work(operations=6 * graph.output_tensor(layer).size)

    def layered_nests(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[PlainNest, ...]:
        """A value after another, through its neighbours."""
        return (plain_nest(graph.output_tensor(layer).size, (layer.attributes.size,)),)

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """A channel an iteration: a vector is read when its first channel's turn comes, and written
        when its last is normalised. The window slides over lanes, so a template prints it."""
        tensor, vector = graph.output_tensor(layer), Vector(Roles().operand, kernel.input_width)
        count, width = vectors(tensor.channels, vector.lanes), vector.lanes
        length = turns_of_pixel(layer, tensor.channels, width)
        writes = Pace(count, width - 1 + layer.attributes.after, width)
        return Nest(
            what=f"over windows of {layer.attributes.size} channels",
            lanes=width,
            sources=(Source(vector, tensor.pixels, count),),
            loops=(Loop("t", count),),
            combine=Combine("each", units=units(layer.attributes.size)),
            epilogue=self.epilogue(layer, graph, kernel),
            template=self.name,
            phases=(Phase(length, Pace(count, every=width), writes, tensor.pixels),),
        )

    def printed(self, layer: Layer, graph: Graph, kernel: KernelPlan, nest: Nest) -> Printed:
        """Sizes and the window."""
        channels = graph.output_tensor(layer).channels
        return Printed(nest.sources[0].vectors, channels, layer.attributes)

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """Pixel by pixel."""
        return (plain_step(layer, graph, engines, self.engine),)

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """Window and constants."""
        a: LrnAttributes = layer.attributes
        return {
            "channels": graph.output_tensor(layer).channels,
            "kernel_x": a.size,
            "kernel_y": a.after,
            "constant_0": a.alpha / a.size,
            "constant_1": a.beta,
            "constant_2": a.bias,
        }


@dataclass(frozen=True)
class Printed:
    """What the template prints beside the description."""

    vectors: int
    channels: int
    attributes: LrnAttributes


def turns_of_pixel(layer: Layer, channels: int, width: int) -> int:
    """All lanes of a pixel's vectors, and those after the last that its window sees."""
    attributes: LrnAttributes = layer.attributes
    return vectors(channels, width) * width + attributes.after


def units(size: int) -> Arithmetic:
    """One lane squares, adds up a window's squares, scales and shifts the sum, and multiplies by
    its power."""
    return Arithmetic(adds=size - 1, multiply_adds=1, multiplies=2, powers=1)


OPERATOR = Lrn()
