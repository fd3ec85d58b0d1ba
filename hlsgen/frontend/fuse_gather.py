"""Joins data movements that follow each other: a channel shuffle is Reshape, Transpose, Reshape and
so one movement already; a Pad after a Slice, or phases side by side that are cropped, become one
too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.ops.gather_index import GatherAttributes


def fuse_gather(graph: Graph) -> Graph:
    """Return the graph in which no movement alone reads another's result (blends stay: they
    compute)."""
    layers: list[Layer] = []
    position: dict[str, int] = {}
    exported = {port.tensor for port in graph.outputs}
    for layer in graph.layers:
        place = position.get(layer.inputs[0]) if is_movement(layer) else None
        before = None if place is None else layers[place]
        if (
            before is not None
            and place is not None
            and is_movement(before)
            and len(graph.consumers[layer.inputs[0]]) == 1
            and layer.inputs[0] not in exported
            and (joined := join(before.attributes, layer.attributes)) is not None
        ):
            layers[place] = replace(
                before,
                attributes=joined,
                output=layer.output,
                nodes=(*before.nodes, *layer.nodes),
                name=layer.name,
            )
            position[layer.output] = place
            continue
        position[layer.output] = len(layers)
        layers.append(layer)
    return replace(graph, layers=tuple(layers))


def is_movement(layer: Layer) -> bool:
    """Whether a layer moves data."""
    return isinstance(layer.attributes, GatherAttributes)


def join(first: GatherAttributes, second: GatherAttributes) -> GatherAttributes | None:
    """One movement for two; None where both have constants that differ, or one blends."""
    if first.other is not None or second.other is not None:
        return None
    fills = [a.fill for a in (first, second) if (a.index < 0).any()]
    if len(set(fills)) > 1:
        return None
    index = np.append(first.index.ravel(), -1)[second.index]
    what = first.what if first.what == second.what else f"{first.what}, {second.what}"
    return GatherAttributes(first.source, index.astype(np.int32), what, fills[0] if fills else 0.0)
