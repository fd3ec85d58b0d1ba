"""The engine of depthwise convolutions with small filters."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, ClassVar

import numpy as np

from hlsgen.engines.base import Feeder, Products, same, weight_word
from hlsgen.engines.window import WindowEngine
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Arithmetic, Body, Kernel, Lsu
from hlsgen.kernel.record import Field
from hlsgen.ops.conv_steps import depthwise_words
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan


class Depthwise(WindowEngine, Feeder):
    """All taps of V channels of one pixel a cycle. Its results go to the epilogue, or straight into
    the tiles of an array."""

    name = "depthwise"
    fields = (
        Field(
            540, "plane_turns", "int", "depthwise: turns of a plane, no fewer than its weight words"
        ),
        Field(690, "filter_base", "int", "depthwise: first weight word"),
        Field(700, "filter_words", "int", "depthwise: weight words of a plane"),
    )
    products: ClassVar[Mapping[str, Products]] = {
        "depthwise_engine": same(1),
        "filter_reader": same(2),
    }
    weighted = True
    reader = "filter_reader"
    parameters = "filter"
    decodes = True

    def words(self, own: EngineSizes) -> int:
        """Weight words of a plane: its taps and a bias."""
        return ceil((own.extent**2 + 1) / own.burst)

    def kernels(self, graph: Graph, plan: Plan, bits: int) -> list[Kernel]:
        """All taps of a window and two sets of weights. Rows above the plane read as zero. A layer
        that feeds a convolution gets its bias and activation here."""
        assert plan.engines is not None
        own = plan.engines.of(self.name)
        v, vector, extent = own.width, own.width * bits, own.extent
        fed = [graph.layer(step.feeder) for step in plan.steps if step.feeder]
        arithmetic = Arithmetic(multiply_adds=v * extent**2, adds=v * bool(fed))
        kinds = {layer.activation.kind: layer.activation for layer in fed if layer.activation}
        for activation in kinds.values():
            arithmetic += activation.units(v)
        kept, muxes = 3 * (extent**2 + 1) * vector, (extent - 1) * vector
        body = Body(arithmetic, self.line_memory(own, bits), kept, muxes)
        return [self.one_kernel(body, plan, bits)]

    def readers(self, plan: Plan) -> list[Kernel]:
        """The kernel that sends it its filters."""
        word = weight_word(plan)
        lsus = (Lsu("weights", word),)
        return [Kernel(self.reader, Body(), False, lsus, word, 1, 3, 256)]

    def derived(self, fields: dict[str, Any], step: StepPlan, engines: Engines) -> dict[str, Any]:
        """While a plane passes by, the next one's weights arrive."""
        return {"plane_turns": max(fields["plane"], self.words(engines.of(self.name)))}

    def weight_stream(self, fields: dict[str, Any]) -> int:
        """Plane after plane."""
        return int(fields["planes"] * fields["filter_words"])

    def feeding_weights(self, layer: Layer, engines: Engines) -> np.ndarray:
        """The words of a layer that feeds a convolution: with the bias, since no epilogue adds
        it."""
        filters, bias = layer.weights["weight"][:, 0], layer.weights["bias"]
        return depthwise_words(filters, bias, layer.attributes.window, engines.of(self.name))

    def context(
        self, mine: list[dict[str, Any]], fed: list[dict[str, Any]], own: EngineSizes
    ) -> dict[str, Any]:
        """Words of a plane, columns of the shortest row, whether some results go to the
        epilogue."""
        row = min(s["in_columns"] for s in mine + fed)
        return {"words": self.words(own), "row": row, "to_epilogue": bool(mine)}

    def group_words(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> int:
        """Of a plane."""
        return self.words(engines.of(self.name))

    def cycles(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> float:
        """The first weights, then plane after plane."""
        return float(self.words(engines.of(self.name)) + fields["planes"] * fields["plane_turns"])

    def macs(self, own: EngineSizes) -> int:
        """All taps of a vector."""
        return own.width * own.extent**2

    def sentences(self, graph: Graph, plan: Plan) -> list[str]:
        """What streams into convolutions."""
        pairs = sum(bool(step.feeder) for step in plan.steps)
        return (
            [f"{pairs} depthwise layers stream into the convolutions after them."] if pairs else []
        )


ENGINE = Depthwise()
