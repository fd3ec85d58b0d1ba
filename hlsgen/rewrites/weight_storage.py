"""Weights in a narrower type than they are multiplied in: half the memory blocks and half the
bytes, for a rounding that `validate` computes with too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hlsgen.errors import UsageError
from hlsgen.graph import Graph, Layer, remembered
from hlsgen.ops import operator
from hlsgen.types import FLOAT32, STORAGE_TYPES, UINT8, DataType, overflows, rounded, stream_type


@remembered
def with_storage(graph: Graph, weights: str) -> Graph:
    """The graph with its weights rounded to the storage type of that name, which its layers carry.
    Biases, scales and other values of which there is one a channel stay float32.

    Raises UsageError for weights that are beyond the type's largest number.
    """
    kind = STORAGE_TYPES[weights]
    layers = tuple(with_type(layer, kind) for layer in graph.layers)
    return graph if layers == graph.layers else replace(graph, layers=layers)


def with_type(layer: Layer, kind: DataType) -> Layer:
    """A layer with its weights in a storage type."""
    names = operator(layer.op).stored_weights
    if kind == FLOAT32 or not any(name in layer.weights for name in names):
        return layer
    found = {}
    for name in names:
        if overflows(layer.weights[name], kind):
            raise UsageError(
                f"has a weight beyond the largest number of {kind.name}",
                where=f"--weights {kind.name}: layer {layer.name}",
                remedy="choose bfloat16, which has float32's range, or float32",
            )
        found[name] = rounded(layer.weights[name], kind)
    return replace(layer, weights={**layer.weights, **found}, weight_type=kind)


def weight_type(graph: Graph) -> DataType:
    """The type in which a graph's weights lie in memory."""
    return next((layer.weight_type for layer in graph.layers if layer.narrow), FLOAT32)


def piece_type(graph: Graph, weights: str) -> DataType:
    """What the weight stream of a pipelined design is made of, by the name of the storage type:
    bytes where feature maps are integers."""
    return UINT8 if graph.integers else stream_type(weights)


def kept_types(graph: Graph, storage: str) -> tuple[str, ...]:
    """The types of the weights of a design: integers stay what they are, others lie in memory as
    the type `storage`. That alone where there are none."""
    arrays = (layer.weights["weight"] for layer in graph.layers if "weight" in layer.weights)
    names = {str(a.dtype) if np.issubdtype(a.dtype, np.integer) else storage for a in arrays}
    return tuple(sorted(names)) or (storage,)
