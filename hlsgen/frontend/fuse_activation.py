"""Fuses an activation into the layer whose result it alone reads."""

from __future__ import annotations

from dataclasses import replace

from hlsgen.graph import Graph, Layer
from hlsgen.ops import operator
from hlsgen.ops.activation import Activate


def fuse_activation(graph: Graph) -> Graph:
    """Conv(x) -> Relu becomes Conv with a relu epilogue, and so for every layer and activation."""
    layers: list[Layer] = []
    position: dict[str, int] = {}
    exported = {port.tensor for port in graph.outputs}
    for layer in graph.layers:
        place = position.get(layer.inputs[0]) if isinstance(operator(layer.op), Activate) else None
        if (
            place is not None
            and layers[place].activation is None
            and operator(layers[place].op).fuses_activation
            and len(graph.consumers[layer.inputs[0]]) == 1
            and layer.inputs[0] not in exported
        ):
            before = layers[place]
            layers[place] = replace(
                before,
                output=layer.output,
                activation=layer.activation,
                nodes=(*before.nodes, *layer.nodes),
            )
            position[layer.output] = place
            continue
        position[layer.output] = len(layers)
        layers.append(layer)
    return replace(graph, layers=tuple(layers))
