"""The engine of local response normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hlsgen.engines.base import CHANNELS, CONSTANTS, Engine, Size, engine_vector
from hlsgen.graph import Graph
from hlsgen.kernel.count import MANY, fields
from hlsgen.kernel.nest import Loop
from hlsgen.kernel.step import Registers, StepKernel
from hlsgen.kernel.values import Vector
from hlsgen.ops import lrn
from hlsgen.plan import EngineSizes, Plan


class Normalisation(Engine):
    """A channel a cycle, over the channels of one pixel after another. `size`: channels that its
    window spans at most."""

    name = "normalisation"
    sizes = (Size("size"),)
    fields = (CHANNELS, *CONSTANTS)

    def needed(self, graph: Graph, width: int) -> dict[str, int]:
        """The widest window."""
        sizes = (layer.attributes.size for layer in graph.layers if self.serves(layer))
        return {"size": max(sizes, default=1)}

    def loops(self, own: EngineSizes) -> tuple[tuple[Loop, ...], ...]:
        """A channel after another of every pixel, and those after the last that its window sees."""
        rows, columns, count, after = fields("in_rows", "in_columns", "in_vectors", "kernel_y")
        turns = (count * own.width + after).named("turns")
        return ((Loop("n", MANY, count=rows * columns * turns),),)

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """Two shift registers as long as the window, those of a vector in and one out."""
        assert plan.engines is not None
        own, vector = plan.engines.of(self.name), engine_vector(graph, plan, self.name)
        single = Vector(vector.type, 1)
        window = [Registers(name, single, (own.size,)) for name in ("square", "late")]
        lanes = [Registers(name, vector, inside=True) for name in ("in", "out")]
        return (
            StepKernel(
                "normalisation_engine",
                "Local response normalisation engine: over the channels of one pixel after "
                "another, one channel a cycle.",
                self.start(plan),
                self.loops(own),
                self.ends(graph, plan),
                arrays=(*window, *lanes),
                units=lrn.units(own.size),
                choices=2 * own.size * single.bits,
                state=(
                    f"lanes{own.width} in, out;",
                    "int c = 0, lane = 0, sent = 0, t = 0; // channel, its lane; what leaves",
                ),
                template=self.name,
            ),
        )


ENGINE = Normalisation()
