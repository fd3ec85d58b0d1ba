"""Runs a graph in numpy: the reference that every design is checked against, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hlsgen.graph import Graph, Port
from hlsgen.host.layout import prepared
from hlsgen.ops import operator


def run_layers(
    graph: Graph, inputs: Mapping[str, np.ndarray], precision: str = "float32"
) -> dict[str, np.ndarray]:
    """All tensors of one image, canonical `(C, H, W)` float32, by tensor name.

    `inputs` maps ONNX input names to their values. Each layer is computed in float64 and rounded
    once, to numpy's type `precision`.
    """
    tensors = {
        port.tensor: port.view.invert(canonical_input(inputs[port.name], port, precision))[0]
        for port in graph.inputs
    }
    # Results beyond float32 are the network's own: infinities and NaN, as in a design.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        for layer in graph.layers:
            result = operator(layer.op).reference(layer, [tensors[name] for name in layer.inputs])
            if layer.activation is not None:
                result = layer.activation.reference(result)
            tensors[layer.output] = result.astype(precision).astype(np.float32, copy=False)
    return tensors


def canonical_input(value: np.ndarray, port: Port, precision: str) -> np.ndarray:
    """A network input as the host hands it on, an ONNX value in float32 of a `precision`."""
    whole = np.asarray(value).reshape(port.image_shape)
    if whole.dtype.kind == "f":
        whole = whole.astype(precision)
    return prepared(whole, port.preparation).reshape(port.view.value_shape)


def run_network(
    graph: Graph, inputs: Mapping[str, np.ndarray], precision: str = "float32"
) -> dict[str, np.ndarray]:
    """The network's outputs as ONNX values, by output name (see `run_layers`)."""
    tensors = run_layers(graph, inputs, precision)
    return {port.name: port.view.apply(tensors[port.tensor][None]) for port in graph.outputs}
