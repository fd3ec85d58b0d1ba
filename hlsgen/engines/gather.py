"""The engine of data movement."""

from __future__ import annotations

from typing import Any

from hlsgen.engines.base import STEPS, WORD, Call, Engine
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import Arithmetic, Body, Kernel, Lsu
from hlsgen.kernel.record import Field
from hlsgen.ops import operator
from hlsgen.placement import place_tensors
from hlsgen.plan import EngineSizes, Plan

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

    def kernels(self, graph: Graph, plan: Plan, bits: int) -> list[Kernel]:
        """A load unit for whole vectors, one for every lane otherwise, and those of the tables."""
        e = plan.engines
        assert e is not None
        placement, v = place_tensors(graph, e.width), e.width
        kinds: set[tuple[bool, bool]] = set()
        for layer in graph.layers:
            op = operator(layer.op)
            if op.folded_engine(layer) == self.name:
                source = graph.tensors[layer.inputs[0]]
                stride = placement.locations[source.name].stride
                tables = op.folded_tables(layer, source, stride, e)
                kinds.add((bool(tables["whole"]), "blend_weights" in tables))
        whole, single = any(w for w, _ in kinds), any(not w for w, _ in kinds)
        blend = any(b for _, b in kinds)
        lsus: list[Lsu] = []
        for _ in range(1 + blend):
            lsus += [Lsu("tables", WORD)] * (2 + whole) + [Lsu("features", v * bits)] * whole
            lsus += [Lsu("tables", WORD), Lsu("values", bits)] * (v * single)
        lsus += [Lsu("tables", WORD)] * blend
        body, ends = Body(Arithmetic(adds=v * blend, multiply_adds=v * blend)), v * bits + WORD
        return [Kernel("gather_engine", body, False, tuple(lsus), ends, 2, 2, 1024, 2 + blend)]

    def context(
        self, mine: list[dict[str, Any]], fed: list[dict[str, Any]], own: EngineSizes
    ) -> dict[str, Any]:
        """What it must be able to do."""
        moves = {
            "whole": any(s["whole"] for s in mine),
            "single": any(not s["whole"] for s in mine),
            "blend": any(s["blend"] for s in mine),
        }
        return {"moves": moves}

    def calls(self, graph: Graph, plan: Plan, bits: int) -> list[Call]:
        """Feature maps as vectors and as single values, and the tables."""
        return [Call("gather_engine", ("features", "features", "tables", STEPS))]

    def loaded(self, fields: dict[str, Any]) -> int:
        """What it sends."""
        return int(fields["results"])


ENGINE = Gather()
