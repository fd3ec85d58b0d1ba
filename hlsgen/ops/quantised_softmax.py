"""Softmax of integers: their exponentials are a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.activation import c_float
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY, KERNEL_LATENCY, Arithmetic
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Combine, Conversion, Loop, Nest, Source
from hlsgen.kernel.phases import Buffer, Pace, Phase, Table
from hlsgen.kernel.record import Field
from hlsgen.kernel.values import Roles, Vector
from hlsgen.ops import requantise
from hlsgen.ops.arrays import vectors
from hlsgen.ops.quantised_arguments import Place, places, quantisation
from hlsgen.ops.softmax import Softmax
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.quantised import Quantisation, rounded, single
from hlsgen.types import FLOAT32, INTEGERS

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

ENTRIES = 256
# Of the logarithm of the largest float32, what onnxruntime keeps free of sums of exponentials.
RESERVED = 5


@dataclass(frozen=True)
class QuantisedSoftmaxAttributes:
    """What the input stands for, and the result (None: that is float32); how many channels a pixel
    has."""

    given: Quantisation
    result: Quantisation | None
    channels: int


class QuantisedSoftmax(Softmax):
    """QLinearSoftmax: exponentials by their distance from the largest value, added up in float32
    one after another, as onnxruntime does it; and a Softmax behind DequantizeLinear."""

    name = "quantised_softmax"
    onnx_types: ClassVar[dict[str, str]] = {"QLinearSoftmax": "any axis"}
    contributed = frozenset(onnx_types)
    engine = "quantised_softmax"
    types = INTEGERS
    fuses_activation = False
    fields = (
        Field(835, "exponentials", "int", "softmax: where its table of exponentials begins", name),
    )

    def import_node(self, node: NodeImporter) -> None:
        """Import QLinearSoftmax."""
        shape = node.value(0).view.value_shape
        axis = node.attribute("axis", -1) % len(shape)
        if node.attribute("opset", 13) < 13 and axis != len(shape) - 1:
            raise node.unsupported("over several axes", "export the network with opset 13 or later")
        given, result = quantisation(node, places(0)), quantisation(node, Place(0, 3, 4))
        self.add(node, QuantisedSoftmaxAttributes(given, result, shape[axis]), result.type)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The formula of onnxruntime."""
        a: QuantisedSoftmaxAttributes = layer.attributes
        whole = inputs[0].astype(np.int64)
        distance = whole.max(axis=0, keepdims=True) - whole
        if a.result is None:
            exact = np.exp(-distance * np.float64(a.given.scale))
            return np.asarray(exact / exact.sum(axis=0))
        terms, numerators = tables(a)
        total = np.zeros(whole.shape[1:], single)
        for channel in distance:
            total = total + terms[channel]
        return rounded(numerators[distance] / total, a.result.zero, a.result.type)

    def structure(self, layer: Layer) -> Any:
        """Tables are constants of any kernel."""
        return requantise.structure(layer.attributes)

    def roles(self, layer: Layer, graph: Graph) -> Roles:
        """Sums of float32."""
        a: QuantisedSoftmaxAttributes = layer.attributes
        return Roles(a.given.type, FLOAT32, FLOAT32, a.result.type if a.result else FLOAT32)

    def conversion(self, layer: Layer, graph: Graph, lanes: int) -> Conversion | None:
        """Rounded, where the result is quantised."""
        result: Quantisation | None = layer.attributes.result
        units = requantise.rounding(result, lanes)
        return Conversion("{0}", result.zero, units=units) if result else None

    def rounded_to(self, layer: Layer) -> int:
        """The zero point of a quantised result."""
        return layer.attributes.result.zero if layer.attributes.result else 0

    def layered_arrays(self, layer: Layer) -> dict[str, np.ndarray]:
        """The tables."""
        terms, numerators = tables(layer.attributes)
        return {"terms": terms, "numerators": numerators}

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """A pixel after another: its vectors are read in its first cycles and written in its last.
        Its three loops are for what no lane sees alone, so a template prints them."""
        tensor, types = graph.output_tensor(layer), self.roles(layer, graph)
        vector = Vector(types.operand, kernel.input_width)
        count = vectors(tensor.channels, vector.lanes)
        length = (2 * count * vector.lanes + tensor.channels * ACCUMULATION_LATENCY) + (
            3 * KERNEL_LATENCY
        )
        writes = Pace(count, length - count * vector.lanes, vector.lanes)
        conversion = self.conversion(layer, graph, vector.lanes)
        return Nest(
            what=f"over {tensor.channels} channels, by a table of exponentials",
            lanes=vector.lanes,
            sources=(Source(vector, tensor.pixels, count),),
            loops=(Loop("t", count),),
            combine=Combine("each", units=units()),
            epilogue=self.epilogue(layer, graph, kernel, conversion=conversion),
            template=self.name,
            phases=(Phase(length, Pace(count), writes, tensor.pixels, whole=True),),
            buffers=(Buffer(pixel(count, vector.bits), vector, "a pixel"),),
            tables=joined_tables([layer.attributes]),
            types=types,
        )

    def printed(self, layer: Layer, graph: Graph, kernel: KernelPlan, nest: Nest) -> Printed:
        """Sizes, and where a pixel is kept."""
        channels, memory = layer.attributes.channels, nest.buffers[0].memory
        return Printed(nest.sources[0].vectors, channels, memory)

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """Which of the engine's tables is its own."""
        mine = [other.name for other in graph.layers if other.op == layer.op]
        channels = graph.output_tensor(layer).channels
        return {"channels": channels, "exponentials": mine.index(layer.name) * ENTRIES}


@dataclass(frozen=True)
class Printed:
    """What the template prints beside the description: vectors and channels of a pixel, where they
    are kept, iterations from an addition to the next."""

    vectors: int
    channels: int
    memory: Memory
    latency: int = ACCUMULATION_LATENCY


def units() -> Arithmetic:
    """Of one channel after another: distances from the largest value, an addition, a division."""
    return Arithmetic(adds=1, divides=1, integer_adds=3)


def pixel(count: int, bits: int) -> Memory:
    """The vectors of a pixel as they come in."""
    return Memory("value", count, bits)


def joined_tables(layers: Sequence[QuantisedSoftmaxAttributes]) -> tuple[Table, ...]:
    """Those of some layers, one after another."""
    found = (np.concatenate(own) for own in zip(*map(tables, layers), strict=True))
    return tuple(
        Table(Memory(name, len(own), FLOAT32.bits), FLOAT32.ctype, tuple(map(c_float, own)))
        for name, own in zip(("terms", "numerators"), found, strict=True)
    )


def tables(a: QuantisedSoftmaxAttributes) -> tuple[np.ndarray, np.ndarray]:
    """What is added up, and what is divided by the sum, for every distance from the largest value;
    float32. Of a quantised result exponentials are as large as the sum of a pixel may be."""
    scale, shift = np.float64(single(a.given.scale)), 0.0
    if a.result is not None:
        most = np.finfo(single).max / single(a.channels)
        shift = max(0.0, float(np.log(np.float64(most))) - RESERVED) / scale
    terms = np.exp((shift - np.arange(ENTRIES)) * scale).astype(single)
    steps = single(1) if a.result is None else np.floor(single(1) / single(a.result.scale))
    return terms, terms * steps


OPERATOR = QuantisedSoftmax()
