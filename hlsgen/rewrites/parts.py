"""Cuts a network into parts for several boards: consecutive layers, one part a board, joined by
ports without a name, as many as tensors lead across a cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hlsgen.graph import Graph, Port, View, remembered
from hlsgen.rewrites.prefix import BETWEEN, part


@remembered
def crossing(graph: Graph, count: int) -> tuple[str, ...]:
    """The tensors that later layers read of the first `count` ones, in the order in which they are
    made. (Inputs of the network come from the host wherever they are read.)"""
    later = {name for layer in graph.layers[count:] for name in layer.inputs}
    return tuple(layer.output for layer in graph.layers[:count] if layer.output in later)


def parts(graph: Graph, ends: Sequence[int]) -> tuple[Graph, ...]:
    """The graphs of the layers up to each of `ends`, the numbers of layers in topological order
    that lie before each cut, and last that of all layers. Each has the name of the network with
    its own number, from 1 on."""
    starts = (0, *ends[:-1])
    found = []
    for number, (first, end) in enumerate(zip(starts, ends, strict=True), 1):
        layers = graph.layers[first:end]
        read = {name for layer in layers for name in layer.inputs}
        made = {layer.output for layer in layers}
        if number == 1:  # an input that is an output, too
            made |= {port.tensor for port in graph.inputs}
        outputs = [port for port in graph.outputs if port.tensor in made]
        read |= {port.tensor for port in outputs}
        inputs = [port for port in graph.inputs if port.tensor in read]
        between = [joint(graph, name) for name in crossing(graph, first)]
        leaving = [joint(graph, name) for name in crossing(graph, end)]
        cut = part(graph, layers, (*inputs, *between), (*outputs, *leaving))
        found.append(named(cut, f"{graph.name}_{number}"))
    return tuple(found)


def joint(graph: Graph, tensor: str) -> Port:
    """The port of a tensor that leads from a board to the next."""
    return Port(BETWEEN, tensor, View((1, *graph.tensors[tensor].shape)))


def named(graph: Graph, name: str) -> Graph:
    """A part under a name of its own; the model is that of the whole, which lies beside it."""
    return replace(graph, name=name, model=None, host_parts=None)
