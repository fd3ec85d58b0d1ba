"""Folds a per-channel scale and shift into the Conv, dense or scale layer before it.

Conv(x) * s + b -> Conv'(x), where the result of Conv has no other reader and no activation. A
BatchNormalization after a ReLU, or before a padded convolution, stays a layer: folding forward over
zero pads would change the borders.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.ops import operator
from hlsgen.ops.scale import Scale, varies


def fold_scale(graph: Graph) -> Graph:
    """Return the graph with every foldable scale layer absorbed."""
    layers: list[Layer] = []
    position: dict[str, int] = {}
    exported = {port.tensor for port in graph.outputs}
    for layer in graph.layers:
        place = position.get(layer.inputs[0]) if is_scale(layer) else None
        before = None if place is None else layers[place]
        if (
            before is not None
            and place is not None
            and operator(before.op).scaled_weight
            and before.activation is None
            and len(graph.consumers[layer.inputs[0]]) == 1
            and layer.inputs[0] not in exported
        ):
            layers[place] = _fold(before, layer)
            position[layer.output] = place
            continue
        position[layer.output] = len(layers)
        layers.append(layer)
    return replace(graph, layers=tuple(layers))


def is_scale(layer: Layer) -> bool:
    """Whether a layer is a scale and a shift a channel, and nothing else."""
    return isinstance(operator(layer.op), Scale) and not varies(layer)


def _fold(layer: Layer, scale: Layer) -> Layer:
    """The layer with weights and bias scaled in float64 and rounded once."""
    factor = scale.weights["scale"].astype(np.float64)
    name = operator(layer.op).scaled_weight
    weight = layer.weights[name]
    bias, shift = layer.weights["bias"].astype(np.float64), scale.weights["bias"]
    bias = bias * spread(factor, bias.ndim) + spread(shift, bias.ndim)
    weights = {
        **layer.weights,
        name: (weight * spread(factor, weight.ndim)).astype(np.float32),
        "bias": bias.astype(np.float32),
    }
    return replace(
        layer,
        weights=weights,
        output=scale.output,
        activation=scale.activation,
        nodes=(*layer.nodes, *scale.nodes),
    )


def spread(values: np.ndarray, rank: int) -> np.ndarray:
    """A number a channel, beside an array of that rank."""
    return values.reshape(-1, *(1,) * (rank - 1))
