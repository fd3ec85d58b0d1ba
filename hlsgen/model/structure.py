"""The structure of a planned design: kernels with their units, memories, load-store units and
channels.

It is derived from the plan alone, as the code generator's text is; `tests/test_structure.py` counts
both and compares.
"""

from __future__ import annotations

from hlsgen.graph import Graph
from hlsgen.kernel.hardware import Structure
from hlsgen.model.styles import MODELS
from hlsgen.plan import Plan


def structure(graph: Graph, plan: Plan) -> Structure:
    """What the design of a plan consists of."""
    return MODELS[plan.style].structure(graph, plan)
