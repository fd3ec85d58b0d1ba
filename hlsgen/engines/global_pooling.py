"""The engine of global average pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hlsgen.engines.base import CONSTANTS, Engine
from hlsgen.engines.sums import summing
from hlsgen.graph import Graph
from hlsgen.kernel.count import MANY, fields
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.nest import Combine, Loop
from hlsgen.kernel.step import StepKernel
from hlsgen.plan import EngineSizes, Plan


class GlobalPooling(Engine):
    """A plane of vectors after another, a vector a cycle."""

    name = "global_pooling"
    fields = CONSTANTS
    takes_images = True

    def loops(self, own: EngineSizes) -> tuple[tuple[Loop, ...], ...]:
        """Over the positions of all planes."""
        planes, plane = fields("planes", "plane")
        return ((Loop("n", MANY, count=planes * plane),),)

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """The sum of a plane times a constant."""
        assert plan.engines is not None
        return (
            StepKernel(
                "global_pooling_engine",
                "Global average pooling engine: a plane of vectors after another.",
                self.start(plan),
                self.loops(self.own(plan.engines)),
                self.ends(graph, plan),
                (summing(graph, plan, self.name, Combine("sum")),),
                units=Arithmetic(multiplies=0 if graph.integers else plan.engines.width),
                template=self.name,
            ),
        )


ENGINE = GlobalPooling()
