"""The structure of a layered design: a kernel a layer through global memory."""

from __future__ import annotations

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Arithmetic, Body, Kernel, Lsu, Structure
from hlsgen.ops import operator
from hlsgen.plan import Plan


def layered_structure(graph: Graph, plan: Plan) -> Structure:
    """A kernel a layer."""
    return Structure(tuple(layered_kernel(layer, graph, plan) for layer in graph.layers))


def layered_kernel(layer: Layer, graph: Graph, plan: Plan) -> Kernel:
    """The kernel of one layer through global memory."""
    kernel, op = plan.kernel(layer.name), operator(layer.op)
    types, arrays = op.roles(layer, graph), op.layered_arrays(layer)
    outputs, inputs = kernel.output_width, kernel.input_width
    taps = op.layered_taps(layer, kernel)
    loads = [
        Lsu("input" if i == 0 else f"input_{i + 1}", inputs * types.operand.bits)
        for i in range(len(layer.inputs))
        for _ in range(taps)
    ]
    if "weight" in layer.weights:
        count, neighbours = op.layered_weight_loads(layer, kernel)
        loads += [Lsu("weight", neighbours * 8 * arrays["weight"].itemsize)] * count
    loads += [Lsu(name, 8 * array.itemsize) for name, array in arrays.items() if name != "weight"]
    if not plan.enabled("cached_writes"):
        stores = op.layered_scratch_stores(layer, graph, kernel)
        loads += [Lsu("scratch", outputs * types.accumulator.bits, store=True)] * stores
    bits = types.result.bits
    loads.append(Lsu("output", bits, store=True))
    extra = 0
    if not (plan.enabled("fuse") or op.conversion(layer, graph, 1)):
        extra = bool(layer.activation) + ("bias" in layer.weights)
    loads += [Lsu("output", bits), Lsu("output", bits, store=True)] * extra
    arithmetic = op.pipelined_arithmetic(layer, graph, kernel)
    if layer.activation is not None:
        arithmetic += layer.activation.units(1)
    biased = int("bias" in layer.weights)
    whole = types.accumulator.integer
    arithmetic += Arithmetic(integer_adds=biased) if whole else Arithmetic(adds=biased)
    return Kernel(
        layer.name, Body(arithmetic), lsus=tuple(loads), loops=4 + 2 * extra, integer_bits=1024
    )
