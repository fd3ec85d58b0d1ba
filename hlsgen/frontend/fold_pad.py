"""Absorbs Pad into the window operators that read it: Pad(zeros) -> Conv, Pad(zeros) ->
AveragePool, Pad(-inf) -> MaxPool."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hlsgen.graph import Graph, Layer, Tensor
from hlsgen.ops import operator
from hlsgen.ops.gather_index import GatherAttributes
from hlsgen.ops.pad import FLOAT_MIN, PadAttributes


def fold_pad(graph: Graph) -> Graph:
    """Add the pads of every Pad layer to its consumers; where that would change the result it
    becomes data movement."""
    for pad in [layer for layer in graph.layers if isinstance(layer.attributes, PadAttributes)]:
        consumers = graph.consumers[pad.output]
        exported = any(port.tensor == pad.output for port in graph.outputs)
        if consumers and not exported and all(can_absorb(pad, consumer) for consumer in consumers):
            absorbed = {consumer.name: _absorb(pad, consumer) for consumer in consumers}
            layers = tuple(
                absorbed.get(layer.name, layer) for layer in graph.layers if layer.name != pad.name
            )
        else:
            moved = as_movement(pad, graph.tensors[pad.inputs[0]])
            layers = tuple(moved if layer.name == pad.name else layer for layer in graph.layers)
        graph = replace(graph, layers=layers)
    return graph


def can_absorb(pad: Layer, consumer: Layer) -> bool:
    """Whether a window operator can take a border as its own: the border must hold what its own
    pads hold."""
    return operator(consumer.op).absorbs(consumer, pad.attributes.fill)


def _absorb(pad: Layer, consumer: Layer) -> Layer:
    attributes = operator(consumer.op).bordered(consumer, pad.attributes.pads)
    nodes = (*pad.nodes, *consumer.nodes)
    return replace(consumer, attributes=attributes, inputs=pad.inputs, nodes=nodes)


def as_movement(pad: Layer, source: Tensor) -> Layer:
    """The border as a layer of its own."""
    top, left, bottom, right = pad.attributes.pads
    index = np.arange(source.size).reshape(source.shape)
    index = np.pad(index, ((0, 0), (top, bottom), (left, right)), constant_values=-1)
    # Kernels know no infinities: relaxed floating point assumes that there are none.
    fill = min(max(pad.attributes.fill, FLOAT_MIN), -FLOAT_MIN)
    return replace(
        pad,
        op="gather",
        attributes=GatherAttributes(source.shape, index.astype(np.int32), "padding", fill),
    )
