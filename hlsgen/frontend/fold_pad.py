"""Absorbs Pad into the window operators that read it: Pad(zeros) -> Conv, Pad(zeros) -> AveragePool, Pad(-inf) -> MaxPool."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hlsgen.errors import UnsupportedError
from hlsgen.graph import Graph, Layer
from hlsgen.ops.pad import PadAttributes
from hlsgen.ops.pool import PoolAttributes


def fold_pad(graph: Graph) -> Graph:
    """Add the pads of every Pad layer to its consumers. Raises UnsupportedError where that would change the result."""
    for pad in [layer for layer in graph.layers if layer.op == "pad"]:
        consumers = graph.consumers[pad.output]
        if not consumers or any(port.tensor == pad.output for port in graph.outputs):
            raise _unfoldable(pad, "it does not lead into a convolution or pooling")
        absorbed = {consumer.name: _absorb(pad, consumer) for consumer in consumers}
        layers = tuple(absorbed.get(layer.name, layer) for layer in graph.layers if layer.name != pad.name)
        graph = replace(graph, layers=layers)
    return graph


def _absorb(pad: Layer, consumer: Layer) -> Layer:
    attributes: PadAttributes = pad.attributes
    fits = {
        "conv": attributes.fill == 0,
        "average_pool": attributes.fill == 0,
        "max_pool": attributes.fill == -np.inf,
    }.get(consumer.op, False)
    if not fits:
        raise _unfoldable(pad, f"padding with {attributes.fill} cannot become part of {consumer.name} ({consumer.op})")
    window = consumer.attributes.window
    if consumer.op == "average_pool" and any(window.pads) and consumer.attributes.counted_pads != window.pads:
        raise _unfoldable(pad, f"{consumer.name} has borders of its own that do not count")
    pads = tuple(a + b for a, b in zip(window.pads, attributes.pads, strict=True))
    changed = replace(consumer.attributes, window=replace(window, pads=pads))
    if isinstance(changed, PoolAttributes) and consumer.op == "average_pool":
        changed = replace(changed, counted_pads=pads)
    return replace(consumer, attributes=changed, inputs=pad.inputs, nodes=(*pad.nodes, *consumer.nodes))


def _unfoldable(pad: Layer, reason: str) -> UnsupportedError:
    return UnsupportedError(reason, where=pad.nodes[0], remedy="give the pads to the convolution or pooling instead")
