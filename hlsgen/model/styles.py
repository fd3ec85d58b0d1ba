"""The model of each style, by its name: of what its designs consist, and how long they take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import Structure
from hlsgen.model.folded_timing import folded_timing
from hlsgen.model.hybrid_structure import engines_structure, hybrid_structure
from hlsgen.model.hybrid_timing import hybrid_timing
from hlsgen.model.layered_structure import layered_structure
from hlsgen.model.layered_timing import layered_timing
from hlsgen.model.pipelined_structure import pipelined_structure
from hlsgen.model.pipelined_timing import pipelined_timing
from hlsgen.model.times import Timing
from hlsgen.plan import Plan


@dataclass(frozen=True)
class StyleModel:
    """`structure`: kernels with their units, memories, load-store units and channels, derived from
    the plan alone, as the code generator's text is. `timing`: of a plan at a clock in MHz."""

    structure: Callable[[Graph, Plan], Structure]
    timing: Callable[[Graph, Plan, Board, float], Timing]


LAYERED = StyleModel(layered_structure, layered_timing)
MODELS = {
    "base": LAYERED,
    "pipelined": StyleModel(pipelined_structure, pipelined_timing),
    "folded": StyleModel(engines_structure, folded_timing),
    "hybrid": StyleModel(hybrid_structure, hybrid_timing),
    "layered": LAYERED,
}
