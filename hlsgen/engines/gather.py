"""The engine of data movement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hlsgen.engines.base import WORD, Engine, engine_vector
from hlsgen.graph import Graph
from hlsgen.kernel.count import MANY, Count, counters, fields
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.nest import Loop
from hlsgen.kernel.record import Field
from hlsgen.kernel.step import INT, READER, End, Pointer, StepKernel
from hlsgen.kernel.values import Vector
from hlsgen.ops import operator
from hlsgen.placement import place_tensors
from hlsgen.plan import Engines, EngineSizes, Plan

NAME = "gather"


def field(number: int, name: str, meaning: str) -> Field:
    """A field of networks that move data."""
    return Field(number, name, "int", f"gather: {meaning}", when=NAME)


class Gather(Engine):
    """Fetches every value from where tables say: it reads feature maps and tables by itself."""

    name = NAME
    fields = (
        field(890, "rows", "first entry of the table of rows"),
        field(900, "columns", "first entry of the table of columns"),
        field(910, "channel_table", "first entry of the table of channels"),
        field(
            920, "channels_step", "entries of a pixel's own table of channels; 0: one table for all"
        ),
        field(930, "blend", "0 one value, 1 two blended by row, 2 by column"),
        field(940, "other_rows", "as rows, for the second value"),
        field(950, "other_columns", "as columns, for the second value"),
        field(960, "other_channel_table", "as channel_table, for the second value"),
        field(970, "other_channels_step", "as channels_step, for the second value"),
        field(980, "blend_weights", "first entry of the weights of the second value"),
        field(990, "whole", "1: whole vectors move"),
    )
    fed = False
    launched = True

    def loops(self, own: EngineSizes) -> tuple[tuple[Loop, ...], ...]:
        """A vector an iteration."""
        (results,) = fields("results")
        return ((Loop("turn", MANY, count=results),),)

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """A load unit for whole vectors, one for every lane otherwise, and those of the tables;
        twice where two values are blended."""
        assert plan.engines is not None
        own, vector = self.own(plan.engines), engine_vector(graph, plan, self.name)
        moved = self.moved(graph, plan.engines)
        whole, single = any(w for w, _ in moved), any(not w for w, _ in moved)
        blend, v = any(b for _, b in moved), own.width
        values = 1 + blend
        tables = values * (2 + whole + v * single) + blend
        lanes = v * single * values
        const, volatile = "const ", "const volatile "
        return (
            StepKernel(
                "gather_engine",
                "Gather engine: fetches every value from where the step's tables say, the sum of a "
                "row's, a column's and a channel's entry;\na negative sum is the constant of the "
                f"step.{' Where whole vectors move, one entry serves a vector.' * whole}\nIt reads "
                "memory by itself (features and values are one buffer, as vectors and as single "
                "values): the feature reader sends it nothing\nbut the step, when its time has "
                "come.",
                READER,
                self.loops(own),
                (End("gather_step", WORD), End("gather_out", vector.bits, writes=True)),
                pointers=(
                    Pointer("features", vector, values * whole, qualifier=volatile),
                    Pointer("values", Vector(vector.type, 1), lanes, 0, volatile, "features"),
                    Pointer("tables", Vector(INT, 1), tables, qualifier=const),
                ),
                counts={prefix: table(prefix, v) for prefix in ("", "other_")[:values]},
                units=Arithmetic(adds=v * blend, multiply_adds=v * blend),
                logic=1024,
                template=self.name,
            ),
        )

    def moved(self, graph: Graph, engines: Engines) -> set[tuple[bool, bool]]:
        """Whether its layers move whole vectors, and whether they blend two values."""
        placement, found = place_tensors(graph, engines.width), set()
        for layer in graph.layers:
            op = operator(layer.op)
            if op.folded_engine(layer) == self.name:
                source = graph.tensors[layer.inputs[0]]
                stride = placement.locations[source.name].stride
                tables = op.folded_tables(layer, source, stride, engines)
                found.add((bool(tables["whole"]), "blend_weights" in tables))
        return found

    def loaded(self, fields: dict[str, Any]) -> int:
        """What it sends."""
        return int(fields["results"])


def table(prefix: str, width: int) -> Count:
    """Where the entries of a vector's channels begin."""
    first, step, row = fields(f"{prefix}channel_table", f"{prefix}channels_step", "out_width")
    y, x, v = counters("y", "x", "v")
    return first + (y * row + x) * step + v * width


ENGINE = Gather()
