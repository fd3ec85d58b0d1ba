"""What the engines with a streaming window have in common: sizes, line buffer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hlsgen.engines.base import Engine, Size
from hlsgen.graph import Graph
from hlsgen.kernel.count import MANY, fields
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Array, Combine, Index, Loop, Nest, Raster, SlidingWindow, Source
from hlsgen.kernel.step import StepGuard
from hlsgen.kernel.values import Roles, Vector
from hlsgen.ops.conv_steps import scan_columns
from hlsgen.plan import EngineSizes, Plan


class WindowEngine(Engine):
    """One plane of vectors after another, in raster order. `extent`: rows and columns of the
    largest window; `line`: columns of the longest row."""

    sizes = (Size("extent", timed=True), Size("line"))
    takes_images = True

    def needed(self, graph: Graph, width: int) -> dict[str, int]:
        """The largest window of its layers, and the longest row that they scan."""
        mine = [layer for layer in graph.layers if self.serves(layer)]
        extent = max((max(layer.attributes.window.extent) for layer in mine), default=1)
        line = 1
        for layer in mine:
            source = graph.tensors[layer.inputs[0]]
            line = max(line, layer.attributes.window.scan_size(source.height, source.width)[1])
        return {"extent": extent, "line": scan_columns(line, extent)}

    def refusal(self, own: EngineSizes) -> str | None:
        """A word of the line buffer rests for a row."""
        least = scan_columns(1, own.extent)
        if own.line < least:
            return f"line must be at least {least}, so long is the shortest row"
        return None

    def scanning(
        self, own: EngineSizes, types: Roles, combine: Combine, row: int, **more: Any
    ) -> Nest:
        """The window of a plane of vectors; the shortest `row` has so many columns."""
        extent, vector = own.extent, Vector(types.operand, own.width, name="vec")
        line = Memory("line", own.line, vector.bits, extent - 1)
        taps = tuple(Loop(name, extent, unrolled=True) for name in "rc")
        rows, columns, *first, down, across, end = fields(
            "in_rows", "in_columns", "extent_y", "extent_x", "stride_y", "stride_x", "emit_end"
        )
        y, x = Loop("y", MANY, arrives=True, count=rows), Loop("x", own.line, True, count=columns)
        due = (
            StepGuard("y", 0, MANY, first_value=first[0] - 1, step=down),
            StepGuard("x", 0, MANY, first_value=first[1] - 1, step=across, end=end),
        )
        above = Array(line, vector, Index((("x", 1),))) if extent > 1 else None
        place = Index((("r", 1),)), Index((("c", 1),))
        return Nest(
            what="",
            lanes=own.width,
            sources=(Source(vector, MANY, 1),),
            loops=taps,
            combine=combine,
            raster=Raster((y, x), due),
            window=SlidingWindow(extent, extent, row, place, above, None),
            types=types,
            **more,
        )

    def row(self, plan: Plan, records: Sequence[dict[str, Any]]) -> int:
        """Columns of the shortest row that its steps scan; the fewest that can be, where these are
        not given."""
        assert plan.engines is not None
        own = plan.engines.of(self.name)
        return min((s["in_columns"] for s in records), default=scan_columns(1, own.extent))
