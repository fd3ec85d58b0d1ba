"""Recognises x * sigmoid(x) as SiLU and x * hard_sigmoid(x) as HardSwish, which exporters write as
two nodes."""

from __future__ import annotations

from dataclasses import replace

from hlsgen.graph import Graph, Layer
from hlsgen.ops import operator
from hlsgen.ops.activation import Activate
from hlsgen.ops.binary import BinaryAttributes

GATES = {"sigmoid": "silu", "hard_sigmoid": "hard_swish"}


def fuse_gate(graph: Graph) -> Graph:
    """Return the graph with every such pair as one activation layer."""
    exported = {port.tensor for port in graph.outputs}
    changed: dict[str, Layer] = {}
    gone: set[str] = set()
    for layer in graph.layers:
        gate = gate_of(layer, graph)
        if (
            gate is None
            or gate.activation is None
            or gate.output in exported
            or len(graph.consumers[gate.output]) != 1
        ):
            continue
        activation = replace(gate.activation, kind=GATES[gate.activation.kind])
        nodes = (*gate.nodes, *layer.nodes)
        changed[layer.name] = replace(
            layer,
            op="activation",
            attributes=None,
            inputs=gate.inputs,
            activation=activation,
            nodes=nodes,
        )
        gone.add(gate.name)
    layers = tuple(
        changed.get(layer.name, layer) for layer in graph.layers if layer.name not in gone
    )
    return replace(graph, layers=layers)


def gate_of(layer: Layer, graph: Graph) -> Layer | None:
    """The activation layer whose result is multiplied with its own input."""
    a = layer.attributes
    if not isinstance(a, BinaryAttributes) or a.function != "mul" or a.broadcast:
        return None
    for value, product in (layer.inputs, layer.inputs[::-1]):
        gate = graph.producers.get(product)
        if (
            gate is None
            or not isinstance(operator(gate.op), Activate)
            or gate.inputs != (value,)
            or gate.activation is None
        ):
            continue
        if gate.activation.kind in GATES:
            return gate
    return None
