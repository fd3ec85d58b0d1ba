"""Joins functions of one value between integers into one table: dequantize, any number of functions
in float32, quantize. Of a value there are 256, so what the functions give is known beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.ops import operator
from hlsgen.ops.activation import Activate
from hlsgen.ops.dequantize import Dequantize
from hlsgen.ops.lookup import LookupAttributes, index_values
from hlsgen.ops.quantize import Quantize
from hlsgen.reference import run_layer
from hlsgen.types import FLOAT32


def fuse_lookup(graph: Graph) -> Graph:
    """Return the graph with every such chain as one layer, or none where it changes nothing."""
    changed: dict[str, Layer] = {}
    same: dict[str, str] = {}
    exported = {port.tensor for port in graph.outputs}
    for layer in graph.layers:
        chain = chain_to(layer, graph)
        if not chain:
            continue
        table, source = tabulated(chain), chain[0].inputs[0]
        every = index_values(graph.tensors[source].type)
        unchanged = table.dtype == every.dtype and np.array_equal(table, every)
        if unchanged and layer.output not in exported:
            same[layer.output] = same.get(source, source)
            continue
        attributes = LookupAttributes(
            graph.tensors[source].type, graph.tensors[layer.output].type, tuple(table.tolist())
        )
        nodes = tuple(node for part in chain for node in part.nodes)
        changed[layer.name] = replace(
            layer, op="lookup", attributes=attributes, inputs=(source,), nodes=nodes
        )
    layers = [changed.get(x.name, x) for x in graph.layers if x.output not in same]
    renamed = (replace(x, inputs=tuple(same.get(name, name) for name in x.inputs)) for x in layers)
    return replace(graph, layers=tuple(renamed))


def chain_to(layer: Layer, graph: Graph) -> list[Layer]:
    """The layers from an integer to the integer that `layer` gives; empty where there are others
    between than functions of one value."""
    if not isinstance(operator(layer.op), Quantize):
        return []
    chain = [layer]
    while not isinstance(operator(chain[0].op), Dequantize):
        before = graph.producers.get(chain[0].inputs[0])
        if before is None or not isinstance(operator(before.op), (Activate, Dequantize)):
            return []
        chain.insert(0, before)
    return chain


def tabulated(chain: list[Layer]) -> np.ndarray:
    """The result of each of the 256 values, by their bits."""
    values = index_values(chain[0].attributes.type)[:, None, None]
    for layer in chain:
        kind = layer.attributes.type if layer is chain[-1] else FLOAT32
        values = run_layer(layer, [values], kind)
    return values[:, 0, 0]
