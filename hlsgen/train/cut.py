"""Cuts a network into stages: the pipeline placement vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise

from hlsgen.errors import PlanError, UnsupportedError
from hlsgen.graph import Graph, Layer
from hlsgen.ops.softmax import SoftmaxAttributes


@dataclass(frozen=True)
class Part:
    """One stage: its layers in order, and the tensors that enter and leave it, those that only pass
    through among them.

    The first stage takes the network's own input, whatever tensors are made of it.
    """

    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    first: bool


def trained_layers(graph: Graph) -> tuple[tuple[Layer, ...], str]:
    """The layers up to the scores of the classes, and their tensor: a final Softmax is a part of
    the loss.

    Raises UnsupportedError for networks with several inputs or outputs, or without scores.
    """
    names = {port.name for port in graph.inputs}
    if len(names) != 1 or len(graph.outputs) != 1:
        raise UnsupportedError(
            f"it has {len(names)} inputs and {len(graph.outputs)} outputs",
            where="model",
            remedy="train a classifier with one each",
        )
    layers, scores = graph.layers, graph.outputs[0].tensor
    last = graph.producers.get(scores)
    if last is not None and isinstance(last.attributes, SoftmaxAttributes):
        layers, scores = tuple(layer for layer in layers if layer is not last), last.inputs[0]
    if graph.tensors[scores].pixels != 1 or graph.tensors[scores].channels < 2:
        raise UnsupportedError(
            f"its output has shape {list(graph.tensors[scores].shape)}, no score a class",
            where="model",
            remedy="train a classifier",
        )
    return layers, scores


def split(graph: Graph, cuts: Sequence[str]) -> tuple[Part, ...]:
    """The stages between cuts, each after the layer or ONNX node of that name. Raises PlanError for
    cuts that do not fit."""
    layers, scores = trained_layers(graph)
    places = [place_of(layers, name) for name in cuts]
    if any(second <= first for first, second in pairwise(places)):
        raise PlanError(
            "its layers do not come one after another in the network",
            where=f"--cut {','.join(cuts)}",
            remedy="name them in order",
        )
    bounds = [0, *(place + 1 for place in places), len(layers)]
    if places and places[-1] == len(layers) - 1:
        raise PlanError(
            "nothing is left for the last stage",
            where=f"--cut {cuts[-1]}",
            remedy="name an earlier layer",
        )
    return tuple(
        Part(
            layers[a:b],
            crossing(graph, layers, scores, a),
            crossing(graph, layers, scores, b),
            a == 0,
        )
        for a, b in pairwise(bounds)
    )


def place_of(layers: Sequence[Layer], name: str) -> int:
    """The position of a layer, named as hlsgen or as the ONNX file names it. Raises PlanError."""
    for place, layer in enumerate(layers):
        if name == layer.name or any(label.startswith(f"node {name} (") for label in layer.nodes):
            return place
    close = get_close_matches(name, [layer.name for layer in layers], 5, 0.3)
    remedy = (
        f"perhaps {', '.join(close)}"
        if close
        else f"its layers: {', '.join(layer.name for layer in layers)}"
    )
    raise PlanError("the network has no such layer", where=f"--cut {name}", remedy=remedy)


def crossing(graph: Graph, layers: Sequence[Layer], scores: str, place: int) -> tuple[str, ...]:
    """The tensors that are made before a place and used after it, in order."""
    made = [
        *dict.fromkeys(port.tensor for port in graph.inputs),
        *(layer.output for layer in layers[:place]),
    ]
    used = {name for layer in layers[place:] for name in layer.inputs} | {scores}
    return tuple(name for name in made if name in used)
