"""Unfolds the columns of a first convolution's window into channels, so that engine lanes are not
idle.

A network input has 1 or 3 channels, an engine up to 16 lanes. The host packs, at every output
column, the pixels that the window sees side by side: KW columns of C channels become KW * C
channels, and a KH x KW convolution with horizontal stride becomes a KH x 1 convolution of that
tensor. A 7x7 stem of ResNet then takes 7 * ceil(21 / 16) = 14 steps of the engine in place of 49.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hlsgen.errors import PlanError
from hlsgen.graph import Columns, Graph, Layer, Tensor
from hlsgen.ops.arrays import vectors
from hlsgen.ops.conv import ConvAttributes
from hlsgen.rewrites.prefix import BETWEEN


def can_unfold(graph: Graph, layer: Layer) -> bool:
    """Whether a layer is a dense convolution that alone reads a network input."""
    source = layer.inputs[0]
    return (
        isinstance(layer.attributes, ConvAttributes)
        and layer.attributes.groups == 1
        and layer.attributes.window.kernel[1] > 1
        and sum(port.tensor == source and port.name != BETWEEN for port in graph.inputs) == 1
        and len(graph.consumers[source]) == 1
        and all(port.tensor != source for port in graph.outputs)
    )


def worth_unfolding(graph: Graph, width: int) -> tuple[str, ...]:
    """The layers that need fewer engine steps at `width` lanes when unfolded."""
    names = []
    for layer in graph.layers:
        if can_unfold(graph, layer):
            channels, columns = (
                graph.tensors[layer.inputs[0]].channels,
                layer.attributes.window.kernel[1],
            )
            if vectors(channels * columns, width) < columns * vectors(channels, width):
                names.append(layer.name)
    return tuple(names)


def unfold(graph: Graph, names: Sequence[str]) -> Graph:
    """The graph with the named convolutions unfolded. Raises PlanError for layers where that is
    impossible."""
    for name in names:
        layer = next((layer for layer in graph.layers if layer.name == name), None)
        if layer is None or not can_unfold(graph, layer):
            raise PlanError(
                "it does not alone read a network input, or is no dense convolution",
                where=f"plan, im2col {name}",
            )
        graph = unfold_layer(graph, layer)
    return graph


def unfold_layer(graph: Graph, layer: Layer) -> Graph:
    """Replace one convolution, its input tensor and the input port."""
    window, weight = layer.attributes.window, layer.weights["weight"]
    source, result = graph.tensors[layer.inputs[0]], graph.output_tensor(layer)
    columns = Columns(
        window.kernel[1], window.stride[1], window.dilation[1], window.pads[1], result.width
    )
    tensor = Tensor(
        f"{source.name}_columns", source.channels * columns.kernel, source.height, columns.count
    )
    upright = replace(
        window,
        kernel=(window.kernel[0], 1),
        stride=(window.stride[0], 1),
        dilation=(window.dilation[0], 1),
        pads=(window.pads[0], 0, window.pads[2], 0),
    )
    changed = replace(
        layer,
        attributes=replace(layer.attributes, window=upright),
        inputs=(tensor.name,),
        # Channel kx * C + c of the unfolded tensor.
        weights={**layer.weights, "weight": unfolded_filters(weight)},
    )
    tensors = {
        (tensor.name if name == source.name else name): value
        for name, value in graph.tensors.items()
    }
    tensors[tensor.name] = tensor
    ports = tuple(
        replace(p, tensor=tensor.name, columns=columns) if p.tensor == source.name else p
        for p in graph.inputs
    )
    layers = tuple(changed if item.name == layer.name else item for item in graph.layers)
    return replace(graph, tensors=tensors, layers=layers, inputs=ports)


def unfolded_filters(weight: np.ndarray) -> np.ndarray:
    """Filters (O, C, KH, KW) as (O, KW * C, KH, 1)."""
    outputs, channels, height, width = weight.shape
    return np.ascontiguousarray(
        weight.transpose(0, 3, 1, 2).reshape(outputs, width * channels, height, 1)
    )
