"""The engine of max and average pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hlsgen.activation import c_float
from hlsgen.engines.base import MODE, Products, same
from hlsgen.engines.window import WindowEngine
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import Arithmetic, Body, Kernel
from hlsgen.kernel.record import Field
from hlsgen.ops import operator
from hlsgen.ops.pool import Pool
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan


class Pooling(WindowEngine):
    """A window of V channels a cycle, its sum or its largest value."""

    name = "pooling"
    fields = (
        Field(810, "mask_y", "int", "bit i: row i of the engine's window counts"),
        Field(820, "mask_x", "int", "bit i: column i of the engine's window counts"),
        MODE,
        Field(840, "count_top", "int", "average pooling: first scan row that counts"),
        Field(850, "count_left", "int", "average pooling: first scan column that counts"),
        Field(860, "count_bottom", "int", "average pooling: scan row after the last that counts"),
        Field(870, "count_right", "int", "average pooling: scan column after the last that counts"),
    )
    products: ClassVar[Mapping[str, Products]] = {"pooling_engine": same(1)}

    def kernels(self, graph: Graph, plan: Plan, bits: int) -> list[Kernel]:
        """Rows above the plane read as zero. An average multiplies the rows by the columns that
        count."""
        assert plan.engines is not None
        own = plan.engines.of(self.name)
        v, vector, taps = own.width, own.width * bits, own.extent**2
        kinds = {
            op.averages
            for op in map(operator, {x.op for x in graph.layers})
            if isinstance(op, Pool)
        }
        average = Arithmetic(adds=(taps - 1) * v, multiplies=v) if True in kinds else Arithmetic()
        largest = Arithmetic(compares=taps * v) if False in kinds else Arithmetic()
        muxes = (own.extent - 1) * vector
        body = Body(average + largest, self.line_memory(own, bits), taps * vector, muxes)
        return [self.one_kernel(body, plan, bits, products=int(True in kinds))]

    def derived(self, fields: dict[str, Any], step: StepPlan, engines: Engines) -> dict[str, Any]:
        """Where the window lies in the engine's: bottom right."""
        extent, found = engines.of(self.name).extent, {}
        for axis in "yx":
            first, dilation = extent - fields[f"extent_{axis}"], fields[f"dilation_{axis}"]
            taps = range(fields[f"kernel_{axis}"])
            found[f"mask_{axis}"] = sum(1 << (first + i * dilation) for i in taps)
        return found

    def context(
        self, mine: list[dict[str, Any]], fed: list[dict[str, Any]], own: EngineSizes
    ) -> dict[str, Any]:
        """Columns of the shortest row, what windows are reduced to, and one over every count of
        values."""
        modes = {s["mode"] for s in mine}
        return {
            "row": min(s["in_columns"] for s in mine),
            "maximum": 0 in modes,
            "averaging": 1 in modes,
            "reciprocals": [c_float(1 / max(n, 1)) for n in range(own.extent**2 + 1)],
        }


ENGINE = Pooling()
