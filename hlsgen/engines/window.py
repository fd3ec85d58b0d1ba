"""What the engines with a streaming window have in common: sizes, line buffer."""

from __future__ import annotations

from hlsgen.engines.base import Engine, Size
from hlsgen.graph import Graph
from hlsgen.kernel.memory import Memory
from hlsgen.ops.conv_steps import scan_columns
from hlsgen.plan import EngineSizes


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

    def line_memory(self, own: EngineSizes, bits: int) -> tuple[Memory, ...]:
        """The upper rows of the window, side by side."""
        if own.extent == 1:
            return ()
        return (Memory("line", own.line, own.width * bits, own.extent - 1),)
