"""Why multipliers idle, and kernels wait."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from hlsgen.graph import Graph, Layer
from hlsgen.plan import KernelPlan

# A layer that keeps its multipliers, or else its kernel, busy for less than this share of the time
# gets an explanation.
LOW_UTILISATION = 0.5
# Shares of this size are worth a word.
NOTABLE = 0.05
REASONS = {
    "external memory": "waits for external memory",
    "weight stream": "weights arrive more slowly than they are used",
    "output stream": "results leave at one vector a cycle",
    "input stream": "inputs arrive at one vector a cycle",
    "compute": "its channels or pixels do not fill the unrolled lanes, or the step is short",
    "memory": "every operand comes from external memory",
    "additions": "each addition waits for the one before it",
}


def step_reason(item: Mapping[str, Any]) -> str:
    """Of a layer that is computed alone; empty where its multipliers work, or where it has none."""
    if not item["ideal_cycles"] or item["utilisation"] >= LOW_UTILISATION:
        return ""
    bound: str = item["bound"]
    return REASONS.get(bound, bound)


def kernel_reason(
    item: Mapping[str, Any],
    layer: Layer,
    graph: Graph,
    kernel: KernelPlan,
    pace: str,
    waits: Mapping[str, Any] | None,
) -> str:
    """Of a layer's kernel in a pipeline whose slowest part is `pace`: how much of the time it waits
    and for what (`waits`, where that was simulated), and why its multipliers do not work in all
    other cycles. Empty where they work for most of the time."""
    load, utilisation = item["load"], item["utilisation"]
    busy = load * (utilisation if item["ideal_cycles"] else 1)
    if busy >= LOW_UTILISATION:
        return ""
    parts = [waiting(load, pace, waits)]
    if item["ideal_cycles"] and utilisation < 1 - NOTABLE:
        parts.append(unfilled(utilisation, layer, graph, kernel))
    return "; ".join(part for part in parts if part)


def waiting(load: float, pace: str, waits: Mapping[str, Any] | None) -> str:
    """That a kernel waits because others are slower."""
    if load > 1 - NOTABLE:
        return ""
    text = f"waits {1 - load:.0%} of the time, {pace} sets the pace"
    found = (
        [
            f"{share:.0%} for {what}"
            for what, share in (("input", waits["input"]), ("room", waits["room"]))
            if share >= NOTABLE
        ]
        if waits
        else []
    )
    return f"{text} ({', '.join(found)})" if found else text


def unfilled(utilisation: float, layer: Layer, graph: Graph, kernel: KernelPlan) -> str:
    """Why a kernel's multipliers work in a share of its cycles only: channels that do not fill its
    vectors, and iterations in which nothing is multiplied."""
    inputs = filled(graph.tensors[layer.inputs[0]].channels, kernel.input_width)
    lanes = inputs * filled(graph.output_tensor(layer).channels, kernel.output_width)
    rest = min(utilisation / lanes, 1.0)
    parts = []
    if lanes < 1 - NOTABLE:
        parts.append(f"channels fill {lanes:.0%} of its lanes")
    if rest < 1 - NOTABLE:
        parts.append(f"{1 - rest:.0%} of its iterations multiply nothing")
    return f"its multipliers work {utilisation:.0%} of its cycles: {', '.join(parts)}"


def filled(channels: int, width: int) -> float:
    """The share of the lanes that hold channels; lanes that never do are not built."""
    return channels / (ceil(channels / width) * min(channels, width))
