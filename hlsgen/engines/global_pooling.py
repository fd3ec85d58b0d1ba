"""The engine of global average pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hlsgen.engines.base import CONSTANTS, Engine, Products, same
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY, Arithmetic, Body, Kernel
from hlsgen.plan import Plan


class GlobalPooling(Engine):
    """A plane of vectors after another, a vector a cycle."""

    name = "global_pooling"
    fields = CONSTANTS
    products: ClassVar[Mapping[str, Products]] = {"global_pooling_engine": same(1)}
    takes_images = True

    def kernels(self, graph: Graph, plan: Plan, bits: int) -> list[Kernel]:
        """Partial sums take turns in a shift register."""
        assert plan.engines is not None
        v, kept = plan.engines.width, ACCUMULATION_LATENCY * plan.engines.width * bits
        body = Body(Arithmetic(adds=ACCUMULATION_LATENCY * v, multiplies=v), (), kept)
        return [self.one_kernel(body, plan, bits)]


ENGINE = GlobalPooling()
