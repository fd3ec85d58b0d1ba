"""The structure of a hybrid design: the kernels of its prefix, and the engines."""

from __future__ import annotations

from hlsgen.graph import Graph
from hlsgen.kernel.hardware import Structure
from hlsgen.model.folded_structure import folded_structure
from hlsgen.model.pipelined_structure import pipelined_structure
from hlsgen.plan import Plan
from hlsgen.rewrites.prefix import halves, has_prefix


def engines_structure(graph: Graph, plan: Plan) -> Structure:
    """The engines of a folded design."""
    return folded_structure(graph, plan)


def hybrid_structure(graph: Graph, plan: Plan) -> Structure:
    """Both parts; engines alone where there is no prefix."""
    if not has_prefix(plan):
        return engines_structure(graph, plan)
    (first, ahead), (last, after) = halves(graph, plan)
    prefix, rest = pipelined_structure(first, ahead), engines_structure(last, after)
    return Structure(prefix.kernels + rest.kernels, prefix.fifos + rest.fifos)
