"""Fully connected layers as convolutions whose window is the whole input: the convolution engine
then takes their weights once for all images of a launch, and the design needs no engine for
them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hlsgen.errors import PlanError
from hlsgen.graph import Graph, Layer, remembered
from hlsgen.ops import operator
from hlsgen.ops.dense import Dense, DenseAttributes
from hlsgen.ops.window import Window
from hlsgen.plan import Plan
from hlsgen.rewrites.im2col import unfold
from hlsgen.rewrites.weight_storage import with_storage


def reshaped(graph: Graph, plan: Plan) -> Graph:
    """The graph as a plan computes it: weights as they are stored, stems unfolded, fully connected
    layers as convolutions. Raises PlanError."""
    return reshaped_as(with_storage(graph, plan.weights), plan.im2col, plan.dense_as_convolution)


@remembered
def reshaped_as(
    graph: Graph, im2col: tuple[str, ...], dense_as_convolution: tuple[str, ...]
) -> Graph:
    """The graph with some convolutions unfolded and some fully connected layers as convolutions.
    Raises PlanError."""
    return as_convolutions(unfold(graph, im2col), dense_as_convolution)


def convolvable(graph: Graph) -> tuple[str, ...]:
    """The fully connected layers."""
    return tuple(
        layer.name for layer in graph.layers if isinstance(layer.attributes, DenseAttributes)
    )


def as_convolutions(graph: Graph, names: Sequence[str]) -> Graph:
    """The graph with the named fully connected layers as convolutions. Raises PlanError for any
    other layer."""
    known = convolvable(graph)
    for name in names:
        if name not in known:
            raise PlanError(
                "it is no fully connected layer", where=f"plan, dense_as_convolution {name}"
            )
    if not names:
        return graph
    layers = tuple(
        as_convolution(graph, layer) if layer.name in names else layer for layer in graph.layers
    )
    return replace(graph, layers=layers)


def as_convolution(graph: Graph, layer: Layer) -> Layer:
    """One fully connected layer (outputs, C, H, W) as a convolution with an H x W window."""
    source = graph.tensors[layer.inputs[0]]
    window = Window((source.height, source.width))
    op = operator(layer.op)
    assert isinstance(op, Dense)
    return replace(layer, op=op.makes[0], attributes=op.as_convolution(layer.attributes, window))
