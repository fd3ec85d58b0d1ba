"""The engine of depthwise convolutions with small filters."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from hlsgen.activation import KINDS
from hlsgen.engines.base import WORD, Feeder, engine_vector, kept_weights, roles, stored_word
from hlsgen.engines.window import WindowEngine
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.count import MANY, Count, counters, fields
from hlsgen.kernel.nest import Combine, Index, Loop, Weights
from hlsgen.kernel.record import Field
from hlsgen.kernel.step import READER, End, Feeding, Pointer, Registers, Sets, StepKernel
from hlsgen.kernel.weight_order import walked
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan
from hlsgen.words import counted


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
    weighted = True
    reader = "filter_reader"
    parameters = "filter"
    decodes = True

    def words(self, own: EngineSizes) -> int:
        """Weight words of a plane: its taps and a bias."""
        return ceil((own.extent**2 + 1) / own.burst)

    def loops(self, own: EngineSizes) -> tuple[tuple[Loop, ...], ...]:
        """The first weights, then plane after plane."""
        planes, turns = fields("planes", "plane_turns")
        return ((Loop("n", MANY, count=self.words(own) + planes * turns),),)

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """All taps of a window, and two sets of weights. A layer that feeds a convolution gets its
        bias and activation here."""
        assert plan.engines is not None
        own, types = plan.engines.of(self.name), roles(graph, plan, self.name)
        vector, weight = (kind(graph, plan, self.name) for kind in (engine_vector, kept_weights))
        extent, words, feeding = own.extent, self.words(own), self.feeding(graph, plan)
        planes, turns = fields("planes", "plane_turns")
        used = extent**2 + bool(feeding)
        kept = tuple(
            Registers(name, weight, (words * own.burst,), words * own.burst - used)
            for name in ("weights", "next_weights")
        )
        ends = self.ends(graph, plan)
        if feeding:
            others = tuple(End(name, vector.bits, writes=True) for _, name in feeding.arrays)
            ends = (*ends[:-1], *others, *ends[-1:] * bool(feeding.beside))
        return (
            StepKernel(
                "depthwise_engine",
                f"Depthwise engine: {own.width} channels of one pixel a cycle, all "
                f"{extent}x{extent} taps at once. Smaller filters sit at the bottom\nright among "
                "zeros. The next plane's weights arrive while this plane passes by.",
                self.start(plan),
                self.loops(own),
                ends,
                (self.scanning(own, types, Combine("multiply"), self.row(plan, records)),),
                sets=Sets("depthwise_weights", words, own.burst, planes, turns),
                feeding=feeding,
                arrays=kept,
            ),
        )

    def feeding(self, graph: Graph, plan: Plan) -> Feeding | None:
        """The arrays that it feeds; None where it feeds none."""
        fed = {step.engine: f"{self.name}_to_{step.engine}" for step in plan.steps if step.feeder}
        layers = (graph.layer(step.feeder) for step in plan.steps if step.feeder)
        used = {layer.activation.kind for layer in layers if layer.activation}
        beside = f"{self.name}_out" * bool(self.steps(plan))
        return (
            Feeding(tuple(fed.items()), tuple(sorted(used, key=KINDS.index)), beside)
            if fed
            else None
        )

    def readers(self, graph: Graph, plan: Plan) -> list[StepKernel]:
        """The kernel that sends it its filters."""
        word = stored_word(graph, plan)
        groups, words, planes = fields("in_groups", "filter_words", "planes")
        (at,) = counters("at")
        return [
            StepKernel(
                self.reader,
                "Sends the depthwise engine its filters: plane after plane, for every tile again. "
                "A kernel of its own, so that they never wait behind\nthe weights of the "
                "convolution that the engine feeds.",
                READER,
                ((Loop("turn", MANY, count=planes * words),),),
                (End("filter_steps", WORD), End(f"{self.name}_weights", word.bits, writes=True)),
                pointers=(Pointer("weights", word),),
                counts={"last": (at + groups * words - 1).named("last")},
                logic=256,
                depth=3,
                template=self.reader,
            )
        ]

    def derived(self, fields: dict[str, Any], step: StepPlan, engines: Engines) -> dict[str, Any]:
        """While a plane passes by, the next one's weights arrive."""
        return {"plane_turns": max(fields["plane"], self.words(engines.of(self.name)))}

    def weight_stream(self, plan: Plan) -> Count:
        """Plane after plane."""
        planes, words = fields("planes", "filter_words")
        return planes * words

    def feeding_weights(self, layer: Layer, engines: Engines) -> np.ndarray:
        """The words of a layer that feeds a convolution: with the bias, since no epilogue adds
        it."""
        return self.planes(layer, engines.of(self.name), layer.weights["bias"])

    def weights(
        self, graph: Graph, step: StepPlan, engines: Engines
    ) -> tuple[np.ndarray, dict[str, int]]:
        """Plane by plane."""
        return self.planes(graph.layer(step.layer), engines.of(self.name)), {}

    def planes(self, layer: Layer, own: EngineSizes, bias: np.ndarray | None = None) -> np.ndarray:
        """The words of a layer's planes, tap by tap, then a bias: the filter is bottom right in the
        engine's window."""
        filters, window, v = layer.weights["weight"][:, 0], layer.attributes.window, own.width
        kind = filters.dtype if bias is None else np.result_type(filters, bias)
        taps, count = np.zeros((len(filters), own.extent**2 + 1), kind), own.extent
        top, left = count - window.extent[0], count - window.extent[1]
        square = taps[:, :-1].reshape(-1, count, count)
        square[:, top :: window.dilation[0], left :: window.dilation[1]] = filters
        taps[:, :-1] = square.reshape(len(filters), -1)
        if bias is not None:
            taps[:, -1] = bias
        loops = Loop("plane", ceil(len(filters) / v)), Loop("tap", self.words(own) * own.burst)
        weights = Weights(
            taps[None, :, None], filter=Index((("plane", v),)), tap=Index((("tap", 1),))
        )
        return walked(loops, v, weights).reshape(loops[0].bound, -1, v)

    def group_words(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> int:
        """Of a plane."""
        return self.words(engines.of(self.name))

    def macs(self, own: EngineSizes) -> int:
        """All taps of a vector."""
        return own.width * own.extent**2

    def sentences(self, graph: Graph, plan: Plan) -> list[str]:
        """What streams into convolutions."""
        pairs = sum(bool(step.feeder) for step in plan.steps)
        return (
            [f"{counted(pairs, 'depthwise layer', 'stream')} into a convolution of its own."]
            if pairs
            else []
        )


ENGINE = Depthwise()
