"""What the kernels of a pipelined design are, and which of them is the slowest."""

from __future__ import annotations

from hlsgen.graph import Graph
from hlsgen.model.estimate import Estimate
from hlsgen.ops.skip import imbalance
from hlsgen.plan import Plan
from hlsgen.words import does


def pipeline_text(graph: Graph, plan: Plan, predicted: Estimate) -> str:
    """The kernels of a pipelined design."""
    copies = f"{plan.copies} copies work on different images. " if plan.copies > 1 else ""
    sparse = [kernel for kernel in plan.kernels if kernel.nonzeros_per_lane]
    worst = max((imbalance(graph.layer(kernel.layer), kernel) for kernel in sparse), default=0.0)
    zeros = (
        f" {len(sparse)} of them {does(len(sparse), 'skip')} zero weights (longest list up to "
        f"{worst:.2f} times the mean)."
    )
    chosen = [kernel for kernel in plan.kernels if kernel.nonzeros_per_vector]
    patterns = sorted({(kernel.nonzeros_per_vector, kernel.input_width) for kernel in chosen})
    chooses = (
        f" {len(chosen)} of them {does(len(chosen), 'multiply')} by the weights of an input vector "
        f"that are not zero, at most {', '.join(f'{n} of {width}' for n, width in patterns)}."
    )
    streams, moved = (
        sum(kernel.row_tiles > 0 for kernel in plan.kernels),
        predicted.timing.bytes / 1e6,
    )
    memory = (
        f" {streams} of them {does(streams, 'read')} weights from memory anew for every image "
        f"({moved:.3g} MB){through(plan)}."
    )
    return (
        f"{copies}{resident(len(plan.kernels))}{zeros if sparse else ''}"
        f"{chooses if chosen else ''}{memory if streams else ''}"
    )


def through(plan: Plan) -> str:
    """How many kernels bring these weights, where they are fewer than the layers."""
    if not plan.weight_readers:
        return ""
    if plan.weight_readers == 1:
        return ", through one reader that serves them in turn"
    return f", through {plan.weight_readers} readers that serve them in turn"


def resident(kernels: int) -> str:
    """That all kernels are on the device at once."""
    if kernels == 1:
        return "Its one kernel stays on the device."
    return f"All {kernels} kernels are resident and stream into each other."


def pipeline_limit(plan: Plan, predicted: Estimate) -> str:
    """What keeps it from being faster."""
    slowest = max(item.cycles for item in predicted.timing.layers)
    return (
        f"the bottleneck is {predicted.timing.bottleneck}: "
        f"{slowest:,.0f} cycles an image in the slowest kernel"
    )
