"""Timing of base and layered designs: kernels through global memory, one after another."""

from __future__ import annotations

from hlsgen.boards import Board, Device
from hlsgen.graph import Graph, Layer, Tensor
from hlsgen.kernel.plain import PlainNest
from hlsgen.kernel.values import Roles
from hlsgen.model.plain_loops import nest_cycles, waits_for_sums
from hlsgen.model.times import LayerTime, Timing
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan, Plan


def layered_timing(graph: Graph, plan: Plan, board: Board, clock: float) -> Timing:
    """Kernels run in turn (no two on one image at once)."""
    bandwidth = board.sustained_bandwidth(2) * 1e9
    layers = [layer_time(layer, graph, plan, board, clock, bandwidth) for layer in graph.layers]
    cycles, moved = sum(t.cycles for t in layers), sum(t.bytes for t in layers)
    launches = len(layers) * board.launch_us * 1e-6
    slowest = max(layers, key=lambda t: t.cycles)
    latency = cycles / (clock * 1e6) + launches
    return Timing(
        latency, 1 / latency, f"{slowest.name} ({slowest.bound})", tuple(layers), moved, cycles
    )


def layer_time(
    layer: Layer, graph: Graph, plan: Plan, board: Board, clock: float, bandwidth: float
) -> LayerTime:
    """One kernel: its loop nests one after another, or its memory traffic."""
    device, kernel, op = board.device, plan.kernel(layer.name), operator(layer.op)
    work, result = op.work(layer, graph), graph.output_tensor(layer)
    units = kernel.input_width * kernel.output_width * op.layered_taps(layer, kernel)
    nests = op.layered_nests(layer, graph, kernel)
    passes = [] if op.conversion(layer, graph, 1) else passes_of(layer, result, plan)
    interval = addition_interval(op.roles(layer, graph), kernel, plan, device)
    compute = sum(nest_cycles(nest, interval) for nest in (*nests, *passes))
    compute += (len(nests) + len(passes)) * device.load_latency
    # Without reuse on chip every operand comes from memory: a weight for each product, an input
    # for all products of a lane.
    values = units + units // kernel.output_width if work.macs else 1
    operands = values * sum(nest.iterations for nest in nests)
    types = op.roles(layer, graph)
    moved = operands * types.operand.bytes
    moved += (1 + 2 * len(passes)) * result.size * types.result.bytes
    memory = moved / bandwidth * clock * 1e6
    ideal = work.macs / units if work.macs else 0.0
    bound = "additions" if any(waits_for_sums(nest) for nest in nests) else "compute"
    return LayerTime(
        layer.name, max(compute, memory), ideal, moved, "memory" if memory > compute else bound
    )


def addition_interval(types: Roles, kernel: KernelPlan, plan: Plan, device: Device) -> int:
    """Cycles from an addition to the next that needs its sum. What is unrolled adds up one after
    another, unless the flags let the compiler make a tree; integers take a cycle in any case, for
    their additions are joined without being asked."""
    if types.accumulator.integer:
        return 1
    return device.add_latency * (1 if plan.enabled("relaxed_fp") else kernel.input_width)


def passes_of(layer: Layer, result: Tensor, plan: Plan) -> list[PlainNest]:
    """The loops of bias and activation, where these have loops of their own."""
    if plan.enabled("fuse"):
        return []
    bias = [PlainNest(result.size, runs=result.pixels)] if "bias" in layer.weights else []
    return bias + ([PlainNest(result.size)] if layer.activation is not None else [])
