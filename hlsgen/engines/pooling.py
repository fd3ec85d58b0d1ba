"""The engine of max and average pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hlsgen.engines.base import MODE, roles
from hlsgen.engines.window import WindowEngine
from hlsgen.graph import Graph
from hlsgen.kernel.count import MANY, fields, small_counters
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.nest import Combine, Epilogue, Loop, Nest
from hlsgen.kernel.record import Field
from hlsgen.kernel.step import Masks, StepKernel
from hlsgen.ops import operator
from hlsgen.ops.pool import Pool
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan


class Pooling(WindowEngine):
    """A window of V channels a cycle, its sum or its largest value."""

    name = "pooling"
    fields: tuple[Field, ...] = (
        Field(810, "mask_y", "int", "bit i: row i of the engine's window counts"),
        Field(820, "mask_x", "int", "bit i: column i of the engine's window counts"),
        MODE,
        Field(840, "count_top", "int", "average pooling: first scan row that counts"),
        Field(850, "count_left", "int", "average pooling: first scan column that counts"),
        Field(860, "count_bottom", "int", "average pooling: scan row after the last that counts"),
        Field(870, "count_right", "int", "average pooling: scan column after the last that counts"),
    )

    def loops(self, own: EngineSizes) -> tuple[tuple[Loop, ...], ...]:
        """Over the positions of all planes."""
        planes, plane = fields("planes", "plane")
        return ((Loop("n", MANY, count=planes * plane),),)

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """The largest value of a window, or its mean: the sum by 1 / n for every number n of values
        that it can hold; or both, if the network has both."""
        assert plan.engines is not None
        own, row = plan.engines.of(self.name), self.row(plan, records)
        types = roles(graph, plan, self.name)
        served = (operator(x.op) for x in graph.layers if self.serves(x))
        kinds = {op.averages for op in served if isinstance(op, Pool)}
        scales = tuple(1 / max(n, 1) for n in range(own.extent**2 + 1))
        nests = [self.scanning(own, types, Combine("maximum"), row)] * (False in kinds)
        if True in kinds:
            mean = Epilogue(scales=scales)
            nests.append(self.scanning(own, types, Combine("sum"), row, epilogue=mean))
        return (self.kernel(graph, plan, tuple(nests)),)

    def kernel(self, graph: Graph, plan: Plan, nests: tuple[Nest, ...]) -> StepKernel:
        """The kernel that computes `nests`."""
        assert plan.engines is not None
        averages = any(nest.epilogue.scales for nest in nests)
        masks = fields("mask_y", "mask_x")
        top, bottom, left, right = fields("count_top", "count_bottom", "count_left", "count_right")
        down, across = small_counters("rows", "columns")
        return StepKernel(
            f"{self.name}_engine",
            f"Pooling engine: {plan.engines.width} channels of one pixel a cycle; mask_y and "
            "mask_x say which rows and columns of the window count.",
            self.start(plan),
            self.loops(plan.engines.of(self.name)),
            self.ends(graph, plan),
            nests,
            masks=Masks((masks[0], masks[1]), ((top, bottom), (left, right))),
            counts={"counted": down * across} if averages else {},
            units=self.more_units(plan),
        )

    def more_units(self, plan: Plan) -> Arithmetic:
        """What a kernel takes beside its nests."""
        return Arithmetic()

    def derived(self, fields: dict[str, Any], step: StepPlan, engines: Engines) -> dict[str, Any]:
        """Where the window lies in the engine's: bottom right."""
        extent, found = engines.of(self.name).extent, {}
        for axis in "yx":
            first, dilation = extent - fields[f"extent_{axis}"], fields[f"dilation_{axis}"]
            taps = range(fields[f"kernel_{axis}"])
            found[f"mask_{axis}"] = sum(1 << (first + i * dilation) for i in taps)
        return found


ENGINE = Pooling()
