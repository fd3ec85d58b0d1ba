"""The engine of fully connected layers that skips zero weights (`hlsgen.ops.sparse`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hlsgen.engines.dense import FullyConnected
from hlsgen.graph import Graph
from hlsgen.kernel.count import Count, fields
from hlsgen.kernel.nest import Loop
from hlsgen.ops.sparse import entries_a_word, imbalance, packed, row_counts, step_words
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan
from hlsgen.words import counted


class Sparse(FullyConnected):
    """A lane for each of V outputs; a cycle gives every lane its next non-zero weights."""

    name = "sparse"
    skips_zeros = True

    def words(self, own: EngineSizes) -> Count:
        """As many for every output vector as the fullest row of the step takes."""
        results, words = fields("results", "weight_words")
        return results * words

    def at_once(self, own: EngineSizes) -> Loop:
        """Entries of a word."""
        return Loop("k", entries_a_word(own.burst), unrolled=True)

    def copies(self, own: EngineSizes) -> int:
        """Every multiplier has a copy, whole vectors wide as they come in."""
        return self.macs(own)

    def title(self, own: EngineSizes) -> str:
        """What it does."""
        return (
            f"Zero-skipping fully connected engine: {own.width} outputs at once, a lane each; a "
            f"turn gives every lane its next {entries_a_word(own.burst)} non-zero\nweights, each "
            "with the place of the input that it multiplies. Every lane reads a copy of the "
            "inputs, at a place of its own."
        )

    def cycles(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> float:
        """With the words of its step, which its record has from where they lie."""
        words = self.group_words(graph, step, engines, fields)
        return super().cycles(graph, step, engines, fields | {"weight_words": words})

    def group_words(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> int:
        """As many as the fullest row of the step takes."""
        weight = graph.layer(step.layer).weights["weight"]
        return step_words(weight, step, engines.width, engines.burst)

    def weights(
        self, graph: Graph, step: StepPlan, engines: Engines
    ) -> tuple[np.ndarray, dict[str, int]]:
        """Those that are not zero, each lane's own, with the places of their inputs."""
        rows, _ = super().weights(graph, step, engines)
        words = self.group_words(graph, step, engines, {})
        return packed(rows, engines.width, engines.burst, words), {}

    def sentences(self, graph: Graph, plan: Plan) -> list[str]:
        """Which layers skip zeros, and how unevenly these lie."""
        mine = {step.layer for step in self.steps(plan)}
        if not mine:
            return []
        worst = max(imbalance(row_counts(graph.layer(name).weights["weight"])) for name in mine)
        layers = counted(len(mine), "fully connected layer", "skip")
        return [f"{layers} zeros (fullest row {worst:.2f} times the mean)."]


ENGINE = Sparse()
