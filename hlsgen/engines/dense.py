"""The engine of fully connected layers that multiplies by all weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from hlsgen.engines.base import Engine, Size, engine_vector
from hlsgen.engines.sums import summing
from hlsgen.graph import Graph
from hlsgen.kernel.count import MANY, Count, fields
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Combine, Index, Loop, Nest, Weights
from hlsgen.kernel.phases import Buffer
from hlsgen.kernel.step import StepKernel
from hlsgen.kernel.weight_order import walked
from hlsgen.ops.arrays import vectors
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan


class FullyConnected(Engine):
    """The input vector stays on chip, `vectors` of V lanes at most; weights pass by as fast as they
    come from memory."""

    sizes = (Size("vectors"),)
    weighted = True
    # What counts the words of weights in the text.
    counter = "n"

    def needed(self, graph: Graph, width: int) -> dict[str, int]:
        """The largest input."""
        sources = (graph.tensors[x.inputs[0]] for x in graph.layers if self.serves(x))
        sizes = (source.pixels * vectors(source.channels, width) for source in sources)
        return {"vectors": max(sizes, default=1)}

    @property
    def loaded_vectors(self) -> Count:
        """Of the input of a step."""
        rows, columns, count = fields("in_rows", "in_columns", "in_vectors")
        return (rows * columns * count).named("count")

    @abstractmethod
    def words(self, own: EngineSizes) -> Count:
        """Weight words of a step."""

    def loops(self, own: EngineSizes) -> tuple[tuple[Loop, ...], ...]:
        """The input comes in; then a word of weights an iteration."""
        loading = Loop("n", MANY, count=self.loaded_vectors)
        return ((loading,), (Loop(self.counter, MANY, count=self.words(own)),))

    @abstractmethod
    def at_once(self, own: EngineSizes) -> Loop:
        """Products of a word that are added up, of V outputs each."""

    @abstractmethod
    def title(self, own: EngineSizes) -> str:
        """What it does."""

    def copies(self, own: EngineSizes) -> int:
        """Of the inputs: values that are read at places of their own."""
        return 1

    def named_counts(self, own: EngineSizes) -> dict[str, Count]:
        """What the template asks for beside the loops' bounds."""
        return {}

    def inputs(self, own: EngineSizes, bits: int) -> Memory:
        """The input, in vectors of so many bits."""
        return Memory("inputs", own.vectors, bits, copies=self.copies(own))

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """Lanes of inputs are chosen, those of each copy."""
        assert plan.engines is not None
        own, vector = plan.engines.of(self.name), engine_vector(graph, plan, self.name)
        inputs = self.inputs(own, vector.bits)
        return (
            StepKernel(
                f"{self.name}_engine",
                self.title(own),
                self.start(plan),
                self.loops(own),
                self.ends(graph, plan),
                (self.adding(graph, plan),),
                counts=self.named_counts(own),
                arrays=(Buffer(inputs, vector, "the input vector"),),
                choices=inputs.copies * inputs.parts * vector.bits,
                template=self.name,
            ),
        )

    def adding(self, graph: Graph, plan: Plan) -> Nest:
        """The products of a word, added up."""
        assert plan.engines is not None
        products = self.at_once(plan.engines.of(self.name))
        return summing(graph, plan, self.name, Combine("multiply", lane="i"), products)

    def macs(self, own: EngineSizes) -> int:
        """All products."""
        return own.width * self.at_once(own).bound


class Dense(FullyConnected):
    """`burst` weight vectors a cycle, output vector by output vector: for a part of an input
    vector, or for several."""

    name = "dense"
    counter = "word"
    decodes = True

    def side_by_side(self, own: EngineSizes) -> int:
        """Input vectors of a turn."""
        return max(own.burst // own.width, 1)

    def inputs(self, own: EngineSizes, bits: int) -> Memory:
        """As many vectors a word as a turn takes; they come in one by one."""
        count = self.side_by_side(own)
        return Memory("inputs", ceil(own.vectors / count), bits, count, granule=1)

    def turns(self, own: EngineSizes) -> Count:
        """Of an output vector."""
        count = self.side_by_side(own)
        if count == 1:
            return (self.loaded_vectors * (own.width // own.burst)).named("turns")
        return ((self.loaded_vectors + (count - 1)) >> count.bit_length() - 1).named("turns")

    def words(self, own: EngineSizes) -> Count:
        """As many for every output vector."""
        (results,) = fields("results")
        return results * self.turns(own)

    def named_counts(self, own: EngineSizes) -> dict[str, Count]:
        """Of an output vector."""
        return {"turns": self.turns(own)}

    def at_once(self, own: EngineSizes) -> Loop:
        """`burst` input lanes."""
        return Loop("i", own.burst, unrolled=True)

    def title(self, own: EngineSizes) -> str:
        """What it does."""
        return (
            f"Fully connected engine: {own.burst} weight vectors a cycle, as fast as they come "
            "from memory, output vector by output\nvector. The input vector stays on chip."
        )

    def weights(
        self, graph: Graph, step: StepPlan, engines: Engines
    ) -> tuple[np.ndarray, dict[str, int]]:
        """Output vector by output vector, input lane by input lane, in whole words."""
        rows, _ = super().weights(graph, step, engines)
        v, burst, (outputs, inputs) = engines.width, engines.burst, rows.shape
        lanes = ceil(inputs / burst) * burst
        loops = Loop("o", step.groups * step.output_vectors), Loop("i", lanes)
        values = rows.reshape(1, outputs, inputs, 1)
        weights = Weights(values, filter=Index((("o", v),)), input=Index((("i", 1),)))
        return walked(loops, v, weights).reshape(step.groups, -1, v), {}

    def group_words(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> int:
        """All input lanes of every output vector."""
        words: int = ceil(fields["tile_loads"] * engines.width / engines.burst)
        return step.output_vectors * words


ENGINE = Dense()
