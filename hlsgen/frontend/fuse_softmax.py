"""A Softmax behind DequantizeLinear becomes one of integers, whose exponentials are a table."""

from __future__ import annotations

from dataclasses import replace

from hlsgen.graph import Graph, Layer
from hlsgen.ops import operator
from hlsgen.ops.dequantize import Dequantize
from hlsgen.ops.quantised_softmax import OPERATOR, QuantisedSoftmaxAttributes
from hlsgen.ops.softmax import SoftmaxAttributes


def fuse_softmax(graph: Graph) -> Graph:
    """Return the graph with every such layer; a DequantizeLinear that others read stays."""
    return replace(graph, layers=tuple(of_integers(layer, graph) for layer in graph.layers))


def of_integers(layer: Layer, graph: Graph) -> Layer:
    """The layer, on integers where it can be. A logarithm is no quotient, so it stays."""
    before = graph.producers.get(layer.inputs[0])
    if layer.attributes != SoftmaxAttributes() or before is None:
        return layer
    if not isinstance(operator(before.op), Dequantize):
        return layer
    channels = graph.output_tensor(layer).channels
    return replace(
        layer,
        op=OPERATOR.name,
        attributes=QuantisedSoftmaxAttributes(before.attributes, None, channels),
        inputs=before.inputs,
        nodes=(*before.nodes, *layer.nodes),
    )
