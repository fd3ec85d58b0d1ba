"""The structure of a layered design: a kernel a layer through global memory."""

from __future__ import annotations

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Arithmetic, Body, Kernel, Lsu, Structure
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.types import FLOAT32


def layered_structure(graph: Graph, plan: Plan) -> Structure:
    """A kernel a layer."""
    return Structure(tuple(layered_kernel(layer, graph, plan) for layer in graph.layers))


def layered_kernel(layer: Layer, graph: Graph, plan: Plan) -> Kernel:
    """The kernel of one layer through global memory."""
    bits, kernel, op = FLOAT32.bits, plan.kernel(layer.name), operator(layer.op)
    outputs, inputs = kernel.output_width, kernel.input_width
    taps = op.layered_taps(layer, kernel)
    loads = [
        Lsu("input" if i == 0 else f"input_{i + 1}", inputs * bits)
        for i in range(len(layer.inputs))
        for _ in range(taps)
    ]
    if "weight" in layer.weights:
        count, neighbours = op.layered_weight_loads(layer, kernel)
        loads += [Lsu("weight", neighbours * bits)] * count
    loads += [Lsu(name, bits) for name in op.layered_arrays(layer) if name != "weight"]
    if not plan.enabled("cached_writes"):
        stores = op.layered_scratch_stores(layer, graph, kernel)
        loads += [Lsu("scratch", outputs * bits, store=True)] * stores
    loads.append(Lsu("output", bits, store=True))
    extra = 0 if plan.enabled("fuse") else bool(layer.activation) + ("bias" in layer.weights)
    loads += [Lsu("output", bits), Lsu("output", bits, store=True)] * extra
    arithmetic = op.pipelined_arithmetic(layer, graph, kernel)
    if layer.activation is not None:
        arithmetic += layer.activation.units(1)
    arithmetic += Arithmetic(adds=int("bias" in layer.weights))
    return Kernel(
        layer.name, Body(arithmetic), lsus=tuple(loads), loops=4 + 2 * extra, integer_bits=1024
    )
