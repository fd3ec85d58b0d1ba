"""The engine of softmax of integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hlsgen.engines.base import engine_vector
from hlsgen.engines.softmax import Softmax
from hlsgen.graph import Graph
from hlsgen.kernel.count import MANY, fields
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY
from hlsgen.kernel.nest import Loop
from hlsgen.kernel.phases import Buffer
from hlsgen.kernel.step import Registers, StepKernel
from hlsgen.kernel.values import Vector
from hlsgen.ops import quantised_softmax
from hlsgen.plan import EngineSizes, Plan
from hlsgen.types import FLOAT32


class QuantisedSoftmax(Softmax):
    """A channel a cycle, exponentials by table; a channel is added up in as many cycles as an
    addition may take, so that each is added to the sum of all before."""

    name = "quantised_softmax"
    fields = Softmax.fields[:1]

    def loops(self, own: EngineSizes) -> tuple[tuple[Loop, ...], ...]:
        """For every pixel its channels come in, are added up, and leave."""
        pixels, lanes = super().loops(own)[0]
        (channels,) = fields("channels")
        sums = Loop("n", MANY, count=channels * ACCUMULATION_LATENCY)
        return (pixels, lanes), (pixels, sums), (pixels, lanes)

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """The pixel, and the tables of all layers."""
        assert plan.engines is not None
        own, vector = plan.engines.of(self.name), engine_vector(graph, plan, self.name)
        single = Vector(FLOAT32, 1)
        layers = [layer for layer in graph.layers if self.serves(layer)]
        tables = quantised_softmax.joined_tables([layer.attributes for layer in layers])
        pixel = quantised_softmax.pixel(own.vectors, vector.bits)
        return (
            StepKernel(
                f"{self.name}_engine",
                "Softmax engine of integers: over the channels of one pixel after another, a "
                "channel a cycle, by tables of exponentials.",
                self.start(plan),
                self.loops(own),
                self.ends(graph, plan),
                arrays=(
                    Buffer(pixel, vector, "a pixel"),
                    Registers("sums", single, (ACCUMULATION_LATENCY,), inside=True),
                    Registers("in", vector, inside=True),
                    Registers("out", Vector(FLOAT32, own.width), inside=True),
                ),
                tables=tables,
                units=quantised_softmax.units(),
                template=self.name,
            ),
        )


ENGINE = QuantisedSoftmax()
