"""What the engines have in common that add up a value a cycle and channel."""

from __future__ import annotations

from hlsgen.engines.base import engine_vector, roles
from hlsgen.graph import Graph
from hlsgen.kernel.count import MANY
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY
from hlsgen.kernel.nest import Combine, Loop, Nest, Source
from hlsgen.plan import Plan


def summing(graph: Graph, plan: Plan, engine: str, combine: Combine, *unrolled: Loop) -> Nest:
    """Partial sums of vectors take turns in a shift register, so that II is 1; integers, which are
    added in a cycle, need none."""
    vector, types = engine_vector(graph, plan, engine), roles(graph, plan, engine)
    return Nest(
        what="",
        lanes=vector.lanes,
        sources=(Source(vector, MANY, 1),),
        loops=(Loop("turn", MANY, reduces=True), *unrolled),
        combine=combine,
        partial_sums=1 if types.accumulator.integer else ACCUMULATION_LATENCY,
        types=types,
    )
