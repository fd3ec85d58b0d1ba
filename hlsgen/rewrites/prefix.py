"""Cuts a network in two: a prefix of first layers, and the rest. A hybrid design may run its prefix
as a pipeline of its own, a launch ahead of the engines that compute the rest."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from math import ceil

from hlsgen.errors import Infeasible, PlanError
from hlsgen.graph import Graph, Layer, Port, View, remembered
from hlsgen.plan import Plan

# Ports of a network have the model's names; the one between its parts has none.
BETWEEN = ""


def is_prefix(graph: Graph, count: int) -> bool:
    """Whether one tensor, and nothing else, leads from the first `count` layers (in topological
    order) to the others; it is no output."""
    return count in prefixes(graph)


@remembered
def prefixes(graph: Graph) -> tuple[int, ...]:
    """How many layers each possible prefix has, the shortest first."""
    end = len(graph.layers)
    made = {port.tensor: 0 for port in graph.inputs}
    made |= {layer.output: count for count, layer in enumerate(graph.layers, start=1)}
    needed = {
        name: count for count, layer in enumerate(graph.layers) for name in layer.inputs
    }  # by the layers after so many
    needed |= {port.tensor: end for port in graph.outputs}
    crossing = [0] * (
        end + 1
    )  # tensors made among the first layers that the others need, as differences
    for name, last in needed.items():
        if made[name] <= last:
            crossing[made[name]] += 1
            if last < end:
                crossing[last + 1] -= 1
    ends = {port.tensor for port in graph.outputs}
    return tuple(
        count
        for count, across in zip(range(1, end), tuple(accumulate(crossing))[1:], strict=False)
        if across == 1
        and needed.get(tensor := graph.layers[count - 1].output, 0) >= count
        and tensor not in ends
    )


@remembered
def split_after(graph: Graph, count: int) -> tuple[Graph, Graph]:
    """The prefix made of the first `count` layers, and the rest, joined by a port without a
    name."""
    tensor = graph.layers[count - 1].output
    between = (Port(BETWEEN, tensor, View((1, *graph.tensors[tensor].shape))),)
    prefix = part(graph, graph.layers[:count], graph.inputs, between)
    return prefix, part(graph, graph.layers[count:], between, graph.outputs)


def part(
    graph: Graph, layers: tuple[Layer, ...], inputs: tuple[Port, ...], outputs: tuple[Port, ...]
) -> Graph:
    """A graph of some of the layers, with the tensors that they use."""
    used = {name for layer in layers for name in (*layer.inputs, layer.output)}
    used |= {port.tensor for port in (*inputs, *outputs)}
    tensors = {name: tensor for name, tensor in graph.tensors.items() if name in used}
    return replace(graph, tensors=tensors, layers=layers, inputs=inputs, outputs=outputs)


def has_prefix(plan: Plan) -> bool:
    """Whether a plan is that of a hybrid design with a prefix."""
    return bool(plan.kernels) and plan.engines is not None


def halves(graph: Graph, plan: Plan) -> tuple[tuple[Graph, Plan], tuple[Graph, Plan]]:
    """Prefix and rest of a hybrid design, each with its part of the plan. Raises PlanError where
    the plan's kernels are those of no prefix."""
    names, count = [kernel.layer for kernel in plan.kernels], len(plan.kernels)
    if names != [layer.name for layer in graph.layers[:count]] or not is_prefix(graph, count):
        raise PlanError(
            "they are not those of first layers of the network with one tensor alone leading "
            "to the others",
            where="plan, kernels of a hybrid design",
            remedy="save a new plan with build",
        )
    prefix, rest = split_after(graph, count)
    ahead = replace(
        plan, style="pipelined", engines=None, steps=(), im2col=(), dense_as_convolution=()
    )
    return (prefix, ahead), (rest, replace(plan, kernels=(), edges=()))


def check_between(rest: Graph, plan: Plan) -> None:
    """Raise Infeasible where vectors of the prefix's result are not those that the engines read, or
    the prefix cannot run ahead."""
    where = "plan, prefix of a hybrid design"
    if plan.disabled:
        raise Infeasible("needs all optimisations", where=where, remedy="build without --disable")
    assert plan.engines is not None
    channels, lanes = rest.tensors[rest.inputs[0].tensor].channels, plan.engines.width
    width = next(edge.width for edge in plan.edges if not edge.consumer)
    if lanes % width or ceil(channels / width) * width != ceil(channels / lanes) * lanes:
        raise Infeasible(
            f"{channels} channels in vectors of {width} are not laid out as in vectors of {lanes}",
            where=where,
        )
