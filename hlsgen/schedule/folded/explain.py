"""What the engines of a folded design are, and which layers they serve."""

from __future__ import annotations

from hlsgen.engines import engine, engines
from hlsgen.graph import Graph
from hlsgen.model.estimate import Estimate
from hlsgen.plan import Plan
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.words import counted


def engines_text(graph: Graph, plan: Plan, predicted: Estimate) -> str:
    """The engines of a folded or hybrid design, with what streams and what skips zeros."""
    e, shaped = plan.engines, reshaped(graph, plan)
    assert e is not None
    parts = [text for known in engines().values() for text in known.sentences(shaped, plan)]
    rates = (engine(name).rate(e.of(name)) for name in e.sizes)
    figures = "".join(f"; {rate}" for rate in rates if rate)
    steps = counted(len(plan.steps), "step", "share")
    share = f"{steps} engines of {e.width} channels a vector{figures}."
    return " ".join((*parts, share))


def engines_limit(plan: Plan, predicted: Estimate) -> str:
    """What keeps it from being faster."""
    t = predicted.timing
    return f"an image takes about {t.cycles:,.0f} cycles, and the longest step is {t.bottleneck}"
