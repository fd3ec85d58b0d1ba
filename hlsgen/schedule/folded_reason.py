"""One paragraph on a folded design: what it is, what it costs, what it reaches, what limits it."""

from __future__ import annotations

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.ops import operator
from hlsgen.ops.sparse import imbalance, row_counts
from hlsgen.plan import ARRAYS, Plan
from hlsgen.schedule.convolve import reshaped
from hlsgen.schedule.estimate import Estimate
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.times import rate


def reason(plan: Plan, predicted: Estimate, graph: Graph, board: Board, goal: Goal) -> str:
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
    layers = {name: len({step.layer for step in plan.steps if step.engine == name}) for name in ARRAYS}
    if layers["skipping"]:
        s = e.of("skipping")
        zeros += (
            f"{layers['skipping']} of {sum(layers.values())} convolutions skip zeros, on an engine that takes {s.inputs} non-zero weights of each of "
            f"{s.width} lanes for {s.outputs * s.width} output channels a cycle (its fullest lists take {skipped_words(plan, graph):.2f} times the "
            "words of the mean). "
        )
    array = ""
    if layers["convolution"]:
        array = f"; the convolution engine multiplies {e.inputs * e.width} inputs by {e.outputs * e.width} output channels a cycle"
    pairs = f"{count} depthwise layers stream into the convolutions after them. " if count else ""
    shares = ", ".join(f"{share:.0%} of the {name}" for name, share in r.shares(board).items())
    fit = (
        "" if r.fits(board, goal.caps) else " With the optimisations that were switched off it does not fit the board."
    )
    return (
        f"{pairs}{zeros}{len(plan.steps)} steps share engines of {e.width} channels a vector{array}. Predicted: {rate(t.throughput)} images a second "
        f"({r.fmax:.0f} MHz, band {r.fmax_low:.0f} to {r.fmax_high:.0f}), {t.latency * 1e3:.3g} ms {what}, with {shares}. An image "
        f"takes about {t.cycles:,.0f} cycles, {predicted.throughput / predicted.roofline_fps:.0%} of the roofline; the "
        f"longest step is {t.bottleneck}.{fit}"
    )


def skipped_words(plan: Plan, graph: Graph) -> float:
    """Words that the steps of the convolution engine that skips zeros take, over those of evenly dealt weights: the load imbalance."""
    taken = ideal = 0.0
    shaped, e = reshaped(graph, plan), plan.engines
    assert e is not None
    for step in plan.steps:
        if step.engine == "skipping":
            layer = shaped.layer(step.layer)
            op = operator(layer.op)
            lists = op.step_lists(layer, step, e)  # type: ignore[attr-defined]
            pixels = shaped.output_tensor(layer).pixels * step.groups
            taken += pixels * op.folded_fields(layer, shaped, step, e)["taps"] * e.skip_inputs
            ideal += pixels * float(lists.mean())
    return taken / max(ideal, 1e-9)
