"""The engine of fully connected layers that multiplies by all weights."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, ClassVar

from hlsgen.engines.base import Engine, Products, Size, same
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY, Arithmetic, Body, Kernel
from hlsgen.kernel.memory import Memory
from hlsgen.ops.base import vectors
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan


class FullyConnected(Engine):
    """The input vector stays on chip, `vectors` of V lanes at most; weights pass by as fast as they
    come from memory."""

    sizes = (Size("vectors"),)
    weighted = True

    def needed(self, graph: Graph, width: int) -> dict[str, int]:
        """The largest input."""
        sources = (graph.tensors[x.inputs[0]] for x in graph.layers if self.serves(x))
        sizes = (source.pixels * vectors(source.channels, width) for source in sources)
        return {"vectors": max(sizes, default=1)}

    def inputs(self, own: EngineSizes, bits: int) -> Memory:
        """The input vector."""
        return Memory("inputs", own.vectors, own.width * bits)

    def kernels(self, graph: Graph, plan: Plan, bits: int) -> list[Kernel]:
        """Partial sums take turns in a shift register."""
        assert plan.engines is not None
        own = plan.engines.of(self.name)
        vector, inputs = own.width * bits, self.inputs(own, bits)
        units = Arithmetic(multiply_adds=self.macs(own), adds=ACCUMULATION_LATENCY * own.width)
        body = Body(units, (inputs,), ACCUMULATION_LATENCY * vector, inputs.copies * vector)
        return [self.one_kernel(body, plan, bits)]


class Dense(FullyConnected):
    """`burst` weight vectors a cycle, output vector by output vector."""

    name = "dense"
    decodes = True
    products: ClassVar[Mapping[str, Products]] = {"dense_engine": same(3)}

    def macs(self, own: EngineSizes) -> int:
        """`burst` input lanes by V outputs."""
        return own.width * own.burst

    def group_words(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> int:
        """All input lanes of every output vector."""
        words: int = ceil(fields["tile_loads"] * engines.width / engines.burst)
        return step.output_vectors * words


ENGINE = Dense()
