"""Recognises functions that exporters write in parts, by their values: GELU as Div, Erf, Add, Mul,
Mul, Mish as Softplus, Tanh, Mul, and however else they may be put together."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np

from hlsgen.activation import Activation
from hlsgen.graph import Graph, Layer
from hlsgen.ops import operator

KNOWN = (
    Activation("gelu"),
    Activation("gelu_tanh"),
    Activation("mish"),
    Activation("silu"),
    Activation("hard_swish", alpha=1 / 6, low=0.5),
    Activation("softplus"),
    Activation("softsign"),
    Activation("sigmoid"),
)
# Where functions are compared, and by how much constants in float32 may set them apart.
NEAR = np.concatenate([np.linspace(-40, 40, 1601), np.geomspace(1e-3, 1, 50)])
# Further out parts may overflow, but what is finite must be the same: a bound may lie anywhere.
FAR = np.geomspace(40, np.finfo(np.float32).max, 200)
POINTS = np.concatenate([NEAR, FAR, -FAR])
TOLERANCE = 1e-6
# Layers of a function in parts.
LARGEST = 12


def fuse_function(graph: Graph) -> Graph:
    """Return the graph in which layers that are together a known function of one tensor are one
    layer."""
    places = {layer.name: place for place, layer in enumerate(graph.layers)}
    exported = {port.tensor for port in graph.outputs}
    gone: set[str] = set()
    changed: dict[str, Layer] = {}
    for layer in reversed(graph.layers):
        if layer.name in gone or not element_wise(layer) or not layer.inputs:
            continue
        for source, parts in cones(graph, layer, exported):
            parts.sort(key=lambda part: places[part.name])
            function = recognised(source, parts) if len(parts) > 1 else None
            if function is not None:
                gone |= {part.name for part in parts} - {layer.name}
                nodes = tuple(node for part in parts for node in part.nodes)
                changed[layer.name] = Layer(
                    layer.name, "activation", None, (source,), layer.output,
                    activation=function, nodes=nodes,
                )  # fmt: skip
                break
    kept = (changed.get(layer.name, layer) for layer in graph.layers if layer.name not in gone)
    return replace(graph, layers=tuple(kept))


def element_wise(layer: Layer) -> bool:
    """Whether every value of a layer's result is the same function of the values at its place."""
    if not operator(layer.op).value_by_value(layer):
        return False
    return all(np.all(array == array.flat[0]) for array in layer.weights.values())


def cones(
    graph: Graph, last: Layer, exported: Collection[str]
) -> Iterator[tuple[str, list[Layer]]]:
    """The layers that lead from one tensor to a layer's result and to nothing else, with that
    tensor; the smallest first. `exported`: tensors that are outputs."""
    inside, open_tensors = {last.name: last}, list(dict.fromkeys(last.inputs))
    while True:
        if len(open_tensors) == 1:
            yield open_tensors[0], list(inside.values())
        grown = False
        for name in open_tensors:
            producer = graph.producers.get(name)
            readers = {reader.name for reader in graph.consumers[name]}
            if (
                producer is not None
                and element_wise(producer)
                and readers <= inside.keys()
                and name not in exported
                and len(inside) < LARGEST
            ):
                inside[producer.name] = producer
                rest = [other for other in open_tensors if other != name]
                open_tensors = list(dict.fromkeys([*rest, *producer.inputs]))
                grown = True
                break
        if not grown:
            return


def recognised(source: str, parts: list[Layer]) -> Activation | None:
    """The function that layers compute of a tensor; None where it is none that is known."""
    values = {source: POINTS[None, None]}
    with np.errstate(all="ignore"):
        for part in parts:
            own = {name: array.ravel()[:1] for name, array in part.weights.items()}
            one = replace(part, weights=own)
            found = operator(part.op).reference(one, [values[name] for name in part.inputs])
            function = part.activation
            values[part.output] = found if function is None else function.reference(found)
        result = values[parts[-1].output]
        room = TOLERANCE * (1 + np.abs(POINTS))
        overflows = ~np.isfinite(result) & (np.abs(POINTS) > NEAR.max())
        for known in KNOWN:
            if np.all((np.abs(known.reference(POINTS) - result) <= room) | overflows):
                return known
    return None
