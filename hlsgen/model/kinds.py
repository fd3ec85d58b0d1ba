"""Which layers of a network are equal but for their names: the search plans and times one of each
kind."""

from __future__ import annotations

from collections.abc import Hashable

from hlsgen.graph import Graph, Layer, remembered
from hlsgen.ops import operator
from hlsgen.ops.sparse import row_counts


@remembered
def layer_kinds(graph: Graph) -> dict[str, int]:
    """A number for every layer, the same for those whose steps take the same time."""
    numbers: dict[Hashable, int] = {}
    return {
        layer.name: numbers.setdefault(layer_facts(graph, layer), len(numbers))
        for layer in graph.layers
    }


def layer_facts(graph: Graph, layer: Layer) -> Hashable:
    """What a layer's steps take their time from: operator, attributes, shapes, and which weights
    are zero (a layer's own affair)."""
    shapes = tuple(
        (tensor.shape, tensor.type)
        for tensor in (*graph.input_tensors(layer), graph.output_tensor(layer))
    )
    weights = tuple(weight.shape for weight in layer.weights.values())
    filters = [
        weight for weight in layer.weights.values() if weight.ndim > 1
    ]  # zeros of a bias are never skipped
    full = all(row_counts(weight).sum() == weight.size for weight in filters)
    return (
        layer.op,
        operator(layer.op).structure(layer),
        shapes,
        weights,
        "" if full else layer.name,
    )
