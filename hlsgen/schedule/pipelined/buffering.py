"""FIFOs that kernels need round them whose weights stream from memory, as the search reckons with
them before it knows any depth.

Such a kernel takes in a row tile of the image at once, works on it for long, and gives a row tile
of results at once. Its neighbours, where they work evenly, go on only if FIFOs hold a row tile
meanwhile; a neighbour that works in row tiles too waits with it. Where branches join, what came the
short way waits for the row tile as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from hlsgen.graph import Graph, Layer
from hlsgen.ops import operator


@dataclass(frozen=True)
class Buffering:
    """`waiting`: for each layer the bits that wait at joins while it holds an image. `sides`: for
    each layer bits of its input and of its output, of an image. `links`: pairs of layers that may
    both work in row tiles, with nothing between them but layers that pass vectors on; "" stands for
    one that never does."""

    waiting: dict[str, int]
    sides: dict[str, tuple[int, int]]
    links: tuple[tuple[str, str], ...]


def buffering(graph: Graph) -> Buffering:
    """What the layers of a network would need."""
    size = {name: tensor.size * tensor.type.bits for name, tensor in graph.tensors.items()}
    sides = {layer.name: (size[layer.inputs[0]], size[layer.output]) for layer in graph.layers}
    return Buffering(waiting(graph, size), sides, tuple(links(graph)))


def waiting(graph: Graph, size: dict[str, int]) -> dict[str, int]:
    """Bits of the tensors that wait for each layer: at a join, an input waits for all layers that
    lead to another input and not to it."""
    behind: dict[str, frozenset[str]] = {port.tensor: frozenset() for port in graph.inputs}
    found = dict.fromkeys((layer.name for layer in graph.layers), 0)
    for layer in graph.layers:
        behind[layer.output] = frozenset({layer.name}).union(
            *(behind[name] for name in layer.inputs)
        )
        for name in set(layer.inputs):
            for other in (
                frozenset().union(*(behind[other] for other in layer.inputs)) - behind[name]
            ):
                found[other] += size[name]
    return found


def links(graph: Graph) -> list[tuple[str, str]]:
    """A pair for every channel into a layer that may work in row tiles, and for every channel from
    one to a layer that never does."""
    depth: dict[str, int] = {port.tensor: 0 for port in graph.inputs}
    source = dict.fromkeys(
        (port.tensor for port in graph.inputs), ""
    )  # the last layer before a tensor that may work in row tiles
    found = []
    for layer in graph.layers:
        longest = max(layer.inputs, key=lambda name: depth[name])
        depth[layer.output] = depth[longest] + 1
        if passes(layer, graph):
            source[layer.output] = source[longest]
            continue
        able = operator(layer.op).works_in_row_tiles(layer)
        found += [(source[longest], layer.name if able else "")] * bool(able or source[longest])
        source[layer.output] = layer.name if able else ""
    return found


def passes(layer: Layer, graph: Graph) -> bool:
    """Whether a layer goes along with any rate: it multiplies nothing, so that its vectors take a
    turn each."""
    return (
        not operator(layer.op).works_in_row_tiles(layer)
        and not operator(layer.op).work(layer, graph).macs
    )
