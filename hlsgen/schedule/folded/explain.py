"""What the engines of a folded design are, and which layers they serve."""

from __future__ import annotations

from hlsgen.graph import Graph
from hlsgen.model.estimate import Estimate
from hlsgen.ops import operator
from hlsgen.ops.sparse import imbalance, row_counts
from hlsgen.plan import ARRAYS, Plan
from hlsgen.rewrites.dense_as_convolution import reshaped


def engines_text(graph: Graph, plan: Plan, predicted: Estimate) -> str:
    """The engines of a folded or hybrid design, with what streams and what skips zeros."""
    e = plan.engines
    assert e is not None
    pairs = sum(bool(step.feeder) for step in plan.steps)
    packed = sum(step.compressed for step in plan.steps)
    parts = [f"{pairs} depthwise layers stream into the convolutions after them."] if pairs else []
    parts += (
        [f"The weights of {packed} convolution steps are compressed in memory."] if packed else []
    )
    parts += zeros_texts(plan, graph)
    array = ""
    if any(step.engine == "convolution" for step in plan.steps):
        array = f"; the convolution engine multiplies {e.inputs * e.width} inputs by {e.outputs * e.width} output channels a cycle"
    return " ".join(
        (*parts, f"{len(plan.steps)} steps share engines of {e.width} channels a vector{array}.")
    )


def engines_limit(plan: Plan, predicted: Estimate) -> str:
    """What keeps it from being faster."""
    t = predicted.timing
    return f"an image takes about {t.cycles:,.0f} cycles, and the longest step is {t.bottleneck}"


def zeros_texts(plan: Plan, graph: Graph) -> list[str]:
    """Which layers skip zeros, and how unevenly these lie."""
    found, e = [], plan.engines
    assert e is not None
    dense = {step.layer for step in plan.steps if step.engine == "sparse"}
    if dense:
        worst = max(imbalance(row_counts(graph.layer(name).weights["weight"])) for name in dense)
        verb = "layers skip" if len(dense) > 1 else "layer skips"
        found.append(
            f"{len(dense)} fully connected {verb} zeros (fullest row {worst:.2f} times the mean)."
        )
    layers = {
        name: len({step.layer for step in plan.steps if step.engine == name}) for name in ARRAYS
    }
    if layers["skipping"]:
        s = e.of("skipping")
        found.append(
            f"{layers['skipping']} of {sum(layers.values())} convolutions skip zeros, on an engine that takes {s.inputs} non-zero weights of "
            f"each of {s.width} lanes for {s.outputs * s.width} output channels a cycle (its fullest lists take "
            f"{skipped_words(plan, graph):.2f} times the words of the mean)."
        )
    return found


def skipped_words(plan: Plan, graph: Graph) -> float:
    """Words that the steps of the convolution engine that skips zeros take, over those of evenly
    dealt weights: the load imbalance."""
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
