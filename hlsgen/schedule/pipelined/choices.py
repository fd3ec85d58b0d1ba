"""What the search of pipelined designs varies, and the kernels that follow from a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan

WIDTHS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Choice:
    """What the search varies: the width of each class of tensors, the layers whose window is
    unrolled, turns a vector, non-zero weights a lane takes a turn, or takes of an input vector,
    input vectors a turn, row tiles of kernels whose weights stream from memory."""

    widths: dict[str, int]
    unrolled: frozenset[str]
    lane_folding: Mapping[str, int] = field(default_factory=dict)
    nonzeros_per_lane: Mapping[str, int] = field(default_factory=dict)
    nonzeros_per_vector: Mapping[str, int] = field(default_factory=dict)
    vectors_per_cycle: Mapping[str, int] = field(default_factory=dict)
    row_tiles: Mapping[str, int] = field(default_factory=dict)


def choice_of(widths: Mapping[str, int], kernels: Mapping[str, KernelPlan]) -> Choice:
    """The choice of so wide tensor classes and, by layer, these kernels."""
    return Choice(
        dict(widths),
        frozenset(layer for layer, kernel in kernels.items() if kernel.unroll_window),
        {layer: kernel.lane_folding for layer, kernel in kernels.items()},
        {layer: kernel.nonzeros_per_lane for layer, kernel in kernels.items()},
        {layer: kernel.nonzeros_per_vector for layer, kernel in kernels.items()},
        {layer: kernel.vectors_per_cycle for layer, kernel in kernels.items()},
        {layer: kernel.row_tiles for layer, kernel in kernels.items()},
    )


def tensor_classes(graph: Graph) -> dict[str, str]:
    """Tensors that must have the same vector width share a representative."""
    parent = {name: name for name in graph.tensors}

    def find(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for layer in graph.layers:
        # All inputs of one kernel have the same width; the output too where the kernel works lane
        # by lane.
        tied = (
            (*layer.inputs, layer.output) if operator(layer.op).same_width(layer) else layer.inputs
        )
        for name in tied[1:]:
            parent[find(name)] = find(tied[0])
    return {name: find(name) for name in graph.tensors}


def plan_kernels(graph: Graph, classes: dict[str, str], choice: Choice) -> tuple[KernelPlan, ...]:
    """The kernels under a choice, with as many partial sums as keep the accumulation at II 1."""
    kernels = []
    for layer in graph.layers:
        kernel = KernelPlan(
            layer.name,
            choice.widths[classes[layer.inputs[0]]],
            choice.widths[classes[layer.output]],
            layer.name in choice.unrolled,
            lane_folding=choice.lane_folding.get(layer.name, 1),
            nonzeros_per_lane=choice.nonzeros_per_lane.get(layer.name, 0),
            nonzeros_per_vector=choice.nonzeros_per_vector.get(layer.name, 0),
            vectors_per_cycle=choice.vectors_per_cycle.get(layer.name, 1),
            row_tiles=choice.row_tiles.get(layer.name, 0),
        )
        kernels.append(replace(kernel, partial_sums=partial_sums_of(layer, graph, kernel)))
    return tuple(kernels)


def partial_sums_of(layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
    """Those of a kernel; one where sums need no rest."""
    op = operator(layer.op)
    return partial_sums(*op.reduction(layer, graph, kernel)) if op.sums_rest(layer, graph) else 1


def partial_sums(steps: int, interleaved: int) -> int:
    """The least power of two of accumulators that keeps the distance between two uses of one at the
    adder's latency."""
    count = 1
    while count * interleaved < ACCUMULATION_LATENCY and count < steps:
        count *= 2
    return count
