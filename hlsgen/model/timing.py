"""The timing model: cycles of every layer, memory traffic, host overheads; throughput and latency
of a plan.

Cycles are the trip counts of the generated loops, which run at II 1 unless an accumulator or global
memory holds them up. Where a design waits for memory, time is bytes / sustained bandwidth
(`Board.sustained_bandwidth`).
"""

from __future__ import annotations

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.model.styles import MODELS
from hlsgen.model.times import Timing
from hlsgen.plan import Plan
from hlsgen.rewrites.weight_storage import with_storage


def design_timing(graph: Graph, plan: Plan, board: Board, clock: float) -> Timing:
    """Timing of a plan at `clock` MHz."""
    stored = with_storage(graph, plan.weights)
    return MODELS[plan.style].timing(stored, plan, board, clock)
