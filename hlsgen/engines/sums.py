"""What the engines have in common that add up a value a cycle and channel."""

from __future__ import annotations

from hlsgen.engines.base import engine_vector, roles
from hlsgen.kernel.count import MANY
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY
from hlsgen.kernel.nest import Combine, Loop, Nest, Source
from hlsgen.plan import Plan


def summing(plan: Plan, combine: Combine, *unrolled: Loop) -> Nest:
    """Partial sums of vectors take turns in a shift register, so that II is 1."""
    vector = engine_vector(plan)
    return Nest(
        what="",
        lanes=vector.lanes,
        sources=(Source(vector, MANY, 1),),
        loops=(Loop("turn", MANY, reduces=True), *unrolled),
        combine=combine,
        partial_sums=ACCUMULATION_LATENCY,
        types=roles(plan),
    )
