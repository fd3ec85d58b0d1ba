"""One paragraph on a folded design: what it is, what it costs, what it reaches, what limits it."""

from __future__ import annotations

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.ops import operator
from hlsgen.ops.sparse import imbalance, row_counts
from hlsgen.plan import Plan
from hlsgen.schedule.convolve import reshaped
from hlsgen.schedule.estimate import Estimate
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.times import rate


def reason(plan: Plan, predicted: Estimate, graph: Graph, board: Board, goal: Goal, tried: int) -> str:
    """One paragraph: the engines, what they cost, what they reach, what limits them."""
    e, r, t = plan.engines, predicted.resources, predicted.timing
    assert e is not None
    count = sum(bool(step.feeder) for step in plan.steps)
    skipping = {step.layer for step in plan.steps if step.engine == "sparse"}
    packed = sum(step.compressed for step in plan.steps)
    zeros = f"The weights of {packed} convolution steps are compressed in memory. " if packed else ""
    if skipping:
        worst = max(imbalance(row_counts(graph.layer(name).weights["weight"])) for name in skipping)
        zeros += (
            f"{len(skipping)} fully connected layer{'s skip' if len(skipping) > 1 else ' skips'} zeros (fullest row {worst:.2f} times "
            "the mean). "
        )
    what = f"a launch of {plan.images} images" if plan.images > 1 else "an image"
    if e.skipping:
        zeros += f"The convolution engine skips zeros (its fullest lists take {skipped_words(plan, graph):.2f} times the words of the mean). "
    pairs = f"{count} depthwise layers stream into the convolutions after them. " if count else ""
    shares = ", ".join(f"{share:.0%} of the {name}" for name, share in r.shares(board).items())
    fit = (
        "" if r.fits(board, goal.caps) else " With the optimisations that were switched off it does not fit the board."
    )
    return (
        f"{pairs}{zeros}{len(plan.steps)} steps share engines of {e.width} channels a vector; the convolution engine multiplies "
        f"{e.inputs * e.width} inputs by {e.outputs * e.width} output channels a cycle. Predicted: {rate(t.throughput)} images a second "
        f"({r.fmax:.0f} MHz, band {r.fmax_low:.0f} to {r.fmax_high:.0f}), {t.latency * 1e3:.3g} ms {what}, with {shares}. An image "
        f"takes about {t.cycles:,.0f} cycles, {predicted.throughput / predicted.roofline_fps:.0%} of the roofline; the "
        f"longest step is {t.bottleneck}. The best of {tried} engine shapes, all others being bounded.{fit}"
    )


def skipped_words(plan: Plan, graph: Graph) -> float:
    """Words that the steps of a convolution engine that skips zeros take, over those of evenly dealt weights: the load imbalance."""
    taken = ideal = 0.0
    shaped, e = reshaped(graph, plan), plan.engines
    assert e is not None
    for step in plan.steps:
        if step.engine == "convolution":
            layer = shaped.layer(step.layer)
            op = operator(layer.op)
            lists = op.step_lists(layer, step, e)  # type: ignore[attr-defined]
            pixels = shaped.output_tensor(layer).pixels * step.groups
            taken += pixels * op.folded_fields(layer, shaped, step, e)["taps"] * e.inputs
            ideal += pixels * float(lists.mean())
    return taken / max(ideal, 1e-9)
