"""Runs a graph in numpy: the reference that every design is checked against, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hlsgen.graph import Graph, Layer, Port
from hlsgen.host.layout import prepared
from hlsgen.ops import operator
from hlsgen.types import DataType


def run_layers(
    graph: Graph, inputs: Mapping[str, np.ndarray], precision: str = "float32"
) -> dict[str, np.ndarray]:
    """All tensors of one image, canonical `(C, H, W)` of their types, by tensor name.

    `inputs` maps ONNX input names to their values. Each layer of float32 is computed in float64 and
    rounded once, to numpy's type `precision`.
    """
    tensors = {
        port.tensor: port.view.invert(
            canonical_input(inputs[port.name], port, precision, graph.tensors[port.tensor].type)
        )[0]
        for port in graph.inputs
    }
    # Results beyond float32 are the network's own: infinities and NaN, as in a design.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        for layer in graph.layers:
            given = [tensors[name] for name in layer.inputs]
            kind = graph.output_tensor(layer).type
            tensors[layer.output] = run_layer(layer, given, kind, precision)
    return tensors


def run_layer(
    layer: Layer, inputs: Sequence[np.ndarray], kind: DataType, precision: str = "float32"
) -> np.ndarray:
    """The result of a layer, of a type."""
    result = operator(layer.op).reference(layer, inputs)
    if layer.activation is not None:
        result = layer.activation.reference(result)
    if kind.integer:
        return result.astype(kind.array)
    return result.astype(precision).astype(kind.array, copy=False)


def canonical_input(value: np.ndarray, port: Port, precision: str, kind: DataType) -> np.ndarray:
    """A network input as the host hands it on, an ONNX value of the type of its tensor, in float32
    of a `precision`."""
    whole = np.asarray(value).reshape(port.image_shape)
    if whole.dtype.kind == "f":
        whole = whole.astype(precision)
    return prepared(whole, port.preparation, kind.array).reshape(port.view.value_shape)


def run_network(
    graph: Graph, inputs: Mapping[str, np.ndarray], precision: str = "float32"
) -> dict[str, np.ndarray]:
    """The network's outputs as ONNX values, by output name (see `run_layers`)."""
    tensors = run_layers(graph, inputs, precision)
    return {port.name: port.view.apply(tensors[port.tensor][None]) for port in graph.outputs}
