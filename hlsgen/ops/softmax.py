"""Softmax over channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer, View
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY, KERNEL_LATENCY, Arithmetic
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Combine, Loop, Nest, Source
from hlsgen.kernel.phases import Buffer, Pace, Phase
from hlsgen.kernel.plain import PlainNest, plain_nest
from hlsgen.kernel.values import Roles, Vector
from hlsgen.ops.arrays import vectors
from hlsgen.ops.base import Operator, Work
from hlsgen.ops.importer import Importer
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.types import FLOAT32, DataType

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
        self.add(node, SoftmaxAttributes(node.op_type == "LogSoftmax"))

    def add(self, node: NodeImporter, attributes: Any, kind: DataType = FLOAT32) -> None:
        """A layer over the axis of the first input that the node names, with results of a type."""
        value = node.value(0)
        shape = value.view.value_shape
        axis = node.attribute("axis", -1) % len(shape)
        # The elements that one softmax sees, as canonical indices: they should be the channels of
        # one pixel.
        rows = np.moveaxis(value.view.indices, axis, -1).reshape(-1, shape[axis])
        if shape[axis] == value.tensor.channels and np.all(
            np.diff(rows, axis=1) == value.tensor.pixels
        ):
            source = value.tensor
            tensor = node.add(self.name, attributes, [source], source.shape, kind=kind)
            node.bind(tensor, View(value.view.shape, value.view.steps))
            return
        moved = node.gather(value.tensor, rows.T[:, None, :], "axis as channels")
        tensor = node.add(self.name, attributes, [moved], moved.shape, kind=kind)
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
        result: np.ndarray = (
            centred - np.log(total) if layer.attributes.logarithm else np.exp(centred) / total
        )
        return result

    def work(self, layer: Layer, graph: Graph) -> Work:
        """Compare, subtract, exponential, add, multiply."""
        return Work(operations=5 * graph.output_tensor(layer).size)

    def layered_nests(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[PlainNest, ...]:
        """A pixel after another: its largest value, its sum, its results."""
        tensor = graph.output_tensor(layer)
        passes = (tensor.channels - 1, tensor.channels)
        sums = (plain_nest(tensor.pixels, (trips,)) for trips in passes)
        return (*sums, PlainNest(tensor.size, runs=tensor.pixels))

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """A pixel after another: its vectors are read in its first cycles and written in its last.
        Its three loops are for what no lane sees alone, so a template prints them."""
        tensor, vector = graph.output_tensor(layer), Vector(Roles().operand, kernel.input_width)
        count, length = (
            vectors(tensor.channels, vector.lanes),
            passes(tensor.channels, vector.lanes),
        )
        writes = Pace(count, length - count)
        notes = "a pixel", "its exponentials"
        buffers = zip(arrays(count, vector.bits), notes, strict=True)
        return Nest(
            what=f"over {tensor.channels} channels",
            lanes=vector.lanes,
            sources=(Source(vector, tensor.pixels, count),),
            loops=(Loop("t", count),),
            combine=Combine("each", units=units(vector.lanes, layer.attributes.logarithm)),
            epilogue=self.epilogue(layer, graph, kernel),
            template=self.name,
            phases=(Phase(length, Pace(count), writes, tensor.pixels, whole=True),),
            buffers=tuple(Buffer(memory, vector, note) for memory, note in buffers),
        )

    def printed(self, layer: Layer, graph: Graph, kernel: KernelPlan, nest: Nest) -> Any:
        """Sizes and arrays."""
        channels = graph.output_tensor(layer).channels
        memories = {buffer.memory.name: buffer.memory for buffer in nest.buffers}
        count, logarithm = nest.sources[0].vectors, int(layer.attributes.logarithm)
        return Printed(count, channels, logarithm, memories)

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


@dataclass(frozen=True)
class Printed:
    """What the template prints beside the description: vectors and channels of a pixel, lengths of
    the shift registers of partial results."""

    vectors: int
    channels: int
    logarithm: int
    memories: Mapping[str, Memory]
    peaks: int = PEAKS
    partial_sums: int = ACCUMULATION_LATENCY


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


def plain_step(layer: Layer, graph: Graph, engines: Engines, engine: str) -> StepPlan:
    """A pass over the tensor pixel by pixel, all channels of a pixel together (across-channel
    engines)."""
    tensor = graph.output_tensor(layer)
    count = vectors(tensor.channels, engines.width)
    return StepPlan(layer.name, engine, tensor.height, tensor.width, count, 0, count)


OPERATOR = Softmax()
