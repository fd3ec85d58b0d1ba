"""Timing of base and layered designs: kernels through global memory, one after another."""

from __future__ import annotations

from hlsgen.boards import Board
from hlsgen.graph import Graph, Layer
from hlsgen.model.times import LayerTime, Timing
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.types import FLOAT32


def layered_timing(graph: Graph, plan: Plan, board: Board, clock: float) -> Timing:
    """Kernels run in turn (no two on one image at once); each is a loop nest that its accumulator
    or memory holds up."""
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
    """One kernel: iterations of its innermost loop times its initiation interval, or its memory
    traffic."""
    device, kernel, op = board.device, plan.kernel(layer.name), operator(layer.op)
    work, result = op.work(layer, graph), graph.output_tensor(layer)
    units = kernel.input_width * kernel.output_width
    if kernel.unroll_window and hasattr(layer.attributes, "window"):
        units *= layer.attributes.window.taps
    iterations = (work.macs or work.operations or result.size) / (units if work.macs else 1)
    if op.accumulates and not plan.enabled("cached_writes"):
        interval = (
            device.load_latency + device.add_latency
        )  # each sum waits for the one before to be in memory
    else:
        interval = device.add_latency if op.accumulates else 1
    passes = (
        0 if plan.enabled("fuse") else ("bias" in layer.weights) + (layer.activation is not None)
    )
    compute = (
        iterations * interval
        + result.pixels * device.add_latency
        + (1 + passes) * device.load_latency
        + passes * result.size
    )
    # Without reuse on chip every operand comes from memory; scattered words waste the rest of a
    # 64-byte burst.
    operands = 2 * iterations * units if work.macs else iterations
    moved = (operands + (1 + 2 * passes) * result.size) * FLOAT32.bytes
    memory = moved / bandwidth * clock * 1e6
    ideal = work.macs / units if work.macs else 0.0
    return LayerTime(
        layer.name, max(compute, memory), ideal, moved, "memory" if memory > compute else "compute"
    )
