"""The engine of softmax and its logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hlsgen.engines.base import CHANNELS, MODE, Engine, Size, engine_vector
from hlsgen.graph import Graph
from hlsgen.kernel.count import MANY, fields
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY, Arithmetic
from hlsgen.kernel.nest import Loop
from hlsgen.kernel.phases import Buffer
from hlsgen.kernel.record import Field
from hlsgen.kernel.step import Registers, StepKernel
from hlsgen.kernel.values import Vector
from hlsgen.ops import softmax
from hlsgen.ops.arrays import vectors
from hlsgen.plan import EngineSizes, Plan


class Softmax(Engine):
    """A channel a cycle, over the channels of one pixel after another, of `vectors` at most."""

    name = "softmax"
    sizes = (Size("vectors"),)
    fields: tuple[Field, ...] = (CHANNELS, MODE)

    def needed(self, graph: Graph, width: int) -> dict[str, int]:
        """The largest pixel."""
        sources = (graph.tensors[x.inputs[0]] for x in graph.layers if self.serves(x))
        return {"vectors": max((vectors(s.channels, width) for s in sources), default=1)}

    def loops(self, own: EngineSizes) -> tuple[tuple[Loop, ...], ...]:
        """For every pixel its channels come in, their exponentials are taken, its vectors leave."""
        rows, columns, count = fields("in_rows", "in_columns", "in_vectors")
        pixels = Loop("n", MANY, count=rows * columns)
        channels = Loop("c", MANY, count=count * own.width)
        return (pixels, channels), (pixels, channels), (pixels, Loop("t", MANY, count=count))

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """What it is taken of, and the exponentials, one lane after another."""
        assert plan.engines is not None
        own, vector = plan.engines.of(self.name), engine_vector(graph, plan, self.name)
        single = Vector(vector.type, 1)
        layers = [layer for layer in graph.layers if self.serves(layer)]
        logarithms = any(layer.attributes.logarithm for layer in layers)
        value, terms = softmax.arrays(own.vectors, vector.bits)
        return (
            StepKernel(
                "softmax_engine",
                "Softmax engine: over the channels of one pixel after another, a channel a cycle.",
                self.start(plan),
                self.loops(own),
                self.ends(graph, plan),
                arrays=(
                    Buffer(value, vector, "a pixel"),
                    Buffer(terms, vector, "its exponentials"),
                    Registers("peaks", single, (softmax.PEAKS,), inside=True),
                    Registers("sums", single, (ACCUMULATION_LATENCY,), inside=True),
                    Registers("in", vector, inside=True),
                    Registers("out", vector, inside=True),
                ),
                units=softmax.units(own.width, False)
                + Arithmetic(adds=own.width * logarithms, exponentials=logarithms),
                options=("logarithms",) * logarithms,
                template=self.name,
            ),
        )


ENGINE = Softmax()
