"""Gives the scale and shift of a picture of bytes to the host, which converts the bytes anyway."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hlsgen.frontend.fold_scale import is_scale
from hlsgen.graph import Graph, Layer, Port
from hlsgen.host.manifest import Preparation


def fold_preparation(graph: Graph) -> Graph:
    """Return the graph in which no integer input is only read to be scaled, unless that is all that
    the network does."""
    for port in graph.inputs:
        preparation = preparation_of(port, graph)
        if preparation is None:
            continue
        (layer,) = graph.consumers[port.tensor]
        ready = replace(port, tensor=layer.output, preparation=preparation)
        graph = replace(
            graph,
            inputs=tuple(ready if p is port else p for p in graph.inputs),
            layers=tuple(other for other in graph.layers if other is not layer),
            tensors={n: t for n, t in graph.tensors.items() if n != port.tensor},
        )
    return graph


def preparation_of(port: Port, graph: Graph) -> Preparation | None:
    """What the host can do to an input in place of its only reader."""
    readers = graph.consumers[port.tensor]
    if np.dtype(port.dtype).kind not in "iu" or len(readers) != 1 or not is_scale(readers[0]):
        return None
    (layer,) = readers
    exported = {output.tensor for output in graph.outputs}
    if layer.activation is not None or exported & {port.tensor, layer.output}:
        return None
    return along_an_axis(port, layer)


def along_an_axis(port: Port, layer: Layer) -> Preparation | None:
    """The layer's numbers by the axis of the ONNX value that they follow; None where they follow
    none."""
    channel = np.arange(len(layer.weights["scale"]))
    numbers = np.broadcast_to(channel[:, None, None], port.view.shape[1:])[None]
    channels = port.view.apply(numbers).reshape(port.image_shape)
    for axis, size in enumerate(port.image_shape):
        along = np.moveaxis(channels, axis, 0).reshape(size, -1)
        if (along == along[:, :1]).all():
            picked = along[:, 0]
            scale, shift = (layer.weights[name][picked] for name in ("scale", "bias"))
            return Preparation(axis, tuple(map(float, scale)), tuple(map(float, shift)))
    return None
