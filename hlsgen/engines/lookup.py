"""The engine of functions of one integer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hlsgen.engines.base import Engine, engine_vector
from hlsgen.graph import Graph
from hlsgen.kernel.count import MANY, fields
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Loop
from hlsgen.kernel.phases import Buffer
from hlsgen.kernel.step import StepKernel
from hlsgen.kernel.values import Vector
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan

ENTRIES = 256


class Lookup(Engine):
    """Every lane looks its value up in a table of the step, which comes in first."""

    name = "lookup"
    weighted = True
    takes_apart = True

    def loops(self, own: EngineSizes) -> tuple[tuple[Loop, ...], ...]:
        """The entries, then a vector an iteration."""
        words, results = fields("weight_words", "results")
        return ((Loop("n", MANY, count=words),), (Loop("turn", MANY, count=results),))

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """A bank for each value of a word, and a copy of all for each lane."""
        assert plan.engines is not None
        own, vector = self.own(plan.engines), engine_vector(graph, plan, self.name)
        word, lane = own.width * own.burst, Vector(vector.type, 1)
        memory = Memory(
            "table", max(ENTRIES // word, 1), lane.bits, min(word, ENTRIES), copies=own.width
        )
        return (
            StepKernel(
                "lookup_engine",
                "Lookup engine: functions of one integer, a table with a result for each of its "
                f"{ENTRIES} values.",
                self.start(plan),
                self.loops(own),
                self.ends(graph, plan),
                arrays=(Buffer(memory, lane, "a word of entries after another"),),
                choices=memory.parts * vector.bits,
                logic=256,
                template=self.name,
            ),
        )

    def group_words(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> int:
        """Whole words of entries."""
        return -(-ENTRIES // (engines.width * engines.burst))

    def cycles(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> float:
        """With the words of its step, which its record has from where they lie."""
        words = self.group_words(graph, step, engines, fields)
        return super().cycles(graph, step, engines, fields | {"weight_words": words})


ENGINE = Lookup()
