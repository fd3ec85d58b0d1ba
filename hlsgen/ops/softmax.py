"""Softmax over channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer, View
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY, KERNEL_LATENCY, Arithmetic
from hlsgen.kernel.memory import Memory
from hlsgen.ops.base import Events, Importer, Operator, Work, vectors
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.types import FLOAT32

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


# Partial peaks, which take turns so that a comparison is done before the next needs it.
PEAKS = 4


@dataclass(frozen=True)
class SoftmaxAttributes:
    """`logarithm`: the result is log(softmax(x))."""

    logarithm: bool = False


class Softmax(Operator, Importer):
    """Over the channels of each pixel; another axis is first made the channels."""

    name = "softmax"
    onnx_types: ClassVar[dict[str, str]] = {"Softmax": "any axis", "LogSoftmax": "any axis"}
    engine = "softmax"

    def import_node(self, node: NodeImporter) -> None:
        """Import Softmax or LogSoftmax (opset 13 semantics: one axis)."""
        value, attributes = node.value(0), SoftmaxAttributes(node.op_type == "LogSoftmax")
        shape = value.view.value_shape
        axis = node.attribute("axis", -1) % len(shape)
        # The elements that one softmax sees, as canonical indices: they should be the channels of
        # one pixel.
        rows = np.moveaxis(value.view.indices, axis, -1).reshape(-1, shape[axis])
        if shape[axis] == value.tensor.channels and np.all(
            np.diff(rows, axis=1) == value.tensor.pixels
        ):
            tensor = node.add(self.name, attributes, [value.tensor], value.tensor.shape)
            node.bind(tensor, View(value.view.shape, value.view.steps))
            return
        moved = node.gather(value.tensor, rows.T[:, None, :], "axis as channels")
        tensor = node.add(self.name, attributes, [moved], moved.shape)
        others = [n for i, n in enumerate(shape) if i != axis]
        order = [*range(1, axis + 1), 0, *range(axis + 1, len(shape))]
        view = (
            View((1, *tensor.shape))
            .then("reshape", (shape[axis], *others))
            .then("transpose", tuple(order))
        )
        node.bind(tensor, view)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """exp(x - max) / sum, over channels, or its logarithm."""
        x = inputs[0].astype(np.float64)
        centred = x - x.max(axis=0, keepdims=True)
        total = np.exp(centred).sum(axis=0, keepdims=True)
        return centred - np.log(total) if layer.attributes.logarithm else np.exp(centred) / total

    def work(self, layer: Layer, graph: Graph) -> Work:
        """Compare, subtract, exponential, add, multiply."""
        return Work(operations=5 * graph.output_tensor(layer).size)

    def pipelined_turns(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """A pixel a turn."""
        return graph.output_tensor(layer).pixels

    def pipelined_cycles(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """See `passes`."""
        return graph.output_tensor(layer).pixels * passes(
            graph.output_tensor(layer).channels, kernel.input_width
        )

    def pipelined_events(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Events:
        """A pixel's vectors are read in its first cycles and written in its last."""
        return pixel_events(self.pipelined_cycles(layer, graph, kernel), layer, graph, kernel)

    def pipelined_arithmetic(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Arithmetic:
        """See `units`."""
        return units(kernel.input_width, layer.attributes.logarithm)

    def pipelined_memories(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[Memory, ...]:
        """See `arrays`."""
        return arrays(
            vectors(graph.output_tensor(layer).channels, kernel.input_width),
            kernel.input_width * FLOAT32.bits,
        )

    def pipelined_context(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> dict[str, Any]:
        """Lengths of the shift registers of partial results."""
        return {"peaks": PEAKS, "partial_sums": ACCUMULATION_LATENCY}

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """Pixel by pixel, all channels at once through the engine, one vector a group in the
        epilogue."""
        return (plain_step(layer, graph, engines, self.engine),)

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """One group of all vectors."""
        return {
            "channels": graph.output_tensor(layer).channels,
            "mode": int(layer.attributes.logarithm),
        }

    def folded_cycles(self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines) -> int:
        """See `passes`."""
        return graph.output_tensor(layer).pixels * passes(
            graph.output_tensor(layer).channels, engines.width
        )


def units(width: int, logarithm: bool) -> Arithmetic:
    """One lane compares, subtracts, takes the exponential and adds. Then one divides and a
    multiplier a lane scales; or one takes the logarithm and every lane subtracts it.

    Partial peaks and sums are joined at the end.
    """
    sums = Arithmetic(adds=ACCUMULATION_LATENCY + 1, compares=PEAKS, exponentials=1)
    if logarithm:
        return sums + Arithmetic(adds=width, exponentials=1)
    return sums + Arithmetic(multiplies=width, divides=1)


def arrays(count: int, bits: int) -> tuple[Memory, ...]:
    """The vectors of a pixel as they come in, and their exponentials."""
    return Memory("value", count, bits), Memory("terms", count, bits)


def passes(channels: int, width: int) -> int:
    """Cycles of a pixel, three loops one after another: its channels come in, their exponentials
    are taken, its vectors leave."""
    count = vectors(channels, width)
    return 2 * count * width + count + 3 * KERNEL_LATENCY


def pixel_events(cycles: int, layer: Layer, graph: Graph, kernel: KernelPlan) -> Events:
    """Reads and writes of a kernel that takes a pixel's vectors in, works on them, and sends them
    on."""
    tensor = graph.output_tensor(layer)
    count, length = vectors(tensor.channels, kernel.input_width), cycles // tensor.pixels
    starts = np.arange(tensor.pixels)[:, None] * length
    turns = starts + np.arange(count)
    return Events((turns.ravel(),), (turns + length - count).ravel())


def plain_step(layer: Layer, graph: Graph, engines: Engines, engine: str) -> StepPlan:
    """A pass over the tensor pixel by pixel, all channels of a pixel together (across-channel
    engines)."""
    tensor = graph.output_tensor(layer)
    count = vectors(tensor.channels, engines.width)
    return StepPlan(layer.name, engine, tensor.height, tensor.width, count, 0, count)


OPERATOR = Softmax()
