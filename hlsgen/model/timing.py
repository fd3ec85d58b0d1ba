"""The timing model: cycles of every layer, memory traffic, host overheads; throughput and latency
of a plan.

Cycles are the trip counts of the generated loops, which run at II 1 unless an accumulator or global
memory holds them up. Where a design waits for memory, time is bytes / sustained bandwidth
(`Board.sustained_bandwidth`).
"""

from __future__ import annotations

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import Structure
from hlsgen.model.folded_timing import folded_timing
from hlsgen.model.layered_timing import layered_timing
from hlsgen.model.pipelined_timing import pipelined_timing
from hlsgen.model.prefix_timing import prefix_timing
from hlsgen.model.times import Timing
from hlsgen.plan import Plan
from hlsgen.rewrites.prefix import has_prefix


def design_timing(
    graph: Graph, plan: Plan, design: Structure, board: Board, clock: float
) -> Timing:
    """Timing of a plan at `clock` MHz."""
    if plan.style == "pipelined":
        return pipelined_timing(graph, plan, board, clock)
    if has_prefix(plan):
        return prefix_timing(graph, plan, board, clock)
    if plan.style in ("folded", "hybrid"):
        return folded_timing(graph, plan, board, clock)
    return layered_timing(graph, plan, design, board, clock)
