"""The engine of fully connected layers that skips zero weights (`hlsgen.ops.sparse`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from hlsgen.engines.base import Products, same
from hlsgen.engines.dense import FullyConnected
from hlsgen.graph import Graph
from hlsgen.kernel.memory import Memory
from hlsgen.ops.sparse import entries_a_word, imbalance, row_counts, step_words
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan


class Sparse(FullyConnected):
    """A lane for each of V outputs; a cycle gives every lane its next non-zero weights."""

    name = "sparse"
    products: ClassVar[Mapping[str, Products]] = {"sparse_engine": same(3)}
    skips_zeros = True

    def inputs(self, own: EngineSizes, bits: int) -> Memory:
        """Every multiplier has a copy, whole vectors wide as they come in."""
        return replace(super().inputs(own, bits), copies=self.macs(own))

    def macs(self, own: EngineSizes) -> int:
        """Entries of a word."""
        return own.width * entries_a_word(own.burst)

    def group_words(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> int:
        """As many as the fullest row of the step takes."""
        weight = graph.layer(step.layer).weights["weight"]
        return step_words(weight, step, engines.width, engines.burst)

    def sentences(self, graph: Graph, plan: Plan) -> list[str]:
        """Which layers skip zeros, and how unevenly these lie."""
        mine = {step.layer for step in self.steps(plan)}
        if not mine:
            return []
        worst = max(imbalance(row_counts(graph.layer(name).weights["weight"])) for name in mine)
        verb = "layers skip" if len(mine) > 1 else "layer skips"
        return [
            f"{len(mine)} fully connected {verb} zeros (fullest row {worst:.2f} times the mean)."
        ]


ENGINE = Sparse()
