"""The engine of softmax and its logarithm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hlsgen.engines.base import CHANNELS, MODE, Engine, Products, Size, same
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY, Arithmetic, Body, Kernel
from hlsgen.ops import softmax
from hlsgen.ops.base import vectors
from hlsgen.plan import EngineSizes, Plan


class Softmax(Engine):
    """A channel a cycle, over the channels of one pixel after another, of `vectors` at most."""

    name = "softmax"
    sizes = (Size("vectors"),)
    fields = (CHANNELS, MODE)
    products: ClassVar[Mapping[str, Products]] = {"softmax_engine": same(1)}

    def needed(self, graph: Graph, width: int) -> dict[str, int]:
        """The largest pixel."""
        sources = (graph.tensors[x.inputs[0]] for x in graph.layers if self.serves(x))
        return {"vectors": max((vectors(s.channels, width) for s in sources), default=1)}

    def kernels(self, graph: Graph, plan: Plan, bits: int) -> list[Kernel]:
        """What it is taken of, and the exponentials, one lane after another."""
        assert plan.engines is not None
        own = plan.engines.of(self.name)
        v, mine = own.width, [layer for layer in graph.layers if self.serves(layer)]
        logarithms = any(layer.attributes.logarithm for layer in mine)
        units = softmax.units(v, False) + Arithmetic(adds=v * logarithms, exponentials=logarithms)
        kept = (softmax.PEAKS + ACCUMULATION_LATENCY + 2 * v) * bits
        body = Body(units, softmax.arrays(own.vectors, v * bits), kept)
        return [self.one_kernel(body, plan, bits)]

    def context(
        self, mine: list[dict[str, Any]], fed: list[dict[str, Any]], own: EngineSizes
    ) -> dict[str, Any]:
        """Partial peaks, and whether logarithms are taken."""
        return {"peaks": softmax.PEAKS, "logarithms": any(s["mode"] for s in mine)}


ENGINE = Softmax()
