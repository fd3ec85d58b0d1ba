"""Timing of pipelined designs, kernel by kernel: the slowest sets the rate."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import numpy as np

from hlsgen.boards import Board
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY, KERNEL_LATENCY
from hlsgen.kernel.naming import LINK_IN, LINK_OUT
from hlsgen.model.links import host_inputs, host_outputs, packing, word_seconds
from hlsgen.model.times import LayerTime, Timing
from hlsgen.model.weight_banks import apart, bank_bandwidth, bank_share, weight_banks
from hlsgen.ops import operator
from hlsgen.ops.arrays import vectors
from hlsgen.plan import KernelPlan, Plan


def initiation_interval(
    layer: Layer, graph: Graph, kernel: KernelPlan, plan: Plan, board: Board
) -> int:
    """Cycles between two iterations of a kernel."""
    op = operator(layer.op)
    steps, outputs = op.reduction(layer, graph, kernel)
    if steps == 1:
        return 1
    scratch = not plan.enabled("cached_writes") and op.accumulates
    if not (scratch or op.sums_rest(layer, graph)):
        return 1
    if scratch:
        return board.device.load_latency + board.device.add_latency
    distance = kernel.partial_sums * outputs
    return (
        ceil(ACCUMULATION_LATENCY / distance)
        if distance < ACCUMULATION_LATENCY and steps > kernel.partial_sums
        else 1
    )


def pipelined_cycles(
    layer: Layer, graph: Graph, kernel: KernelPlan, plan: Plan, board: Board
) -> int:
    """Cycles an image of a layer's kernel."""
    iterations = operator(layer.op).pipelined_cycles(layer, graph, kernel)
    cycles = iterations * initiation_interval(layer, graph, kernel, plan, board)
    if not plan.enabled("fuse"):
        result = graph.output_tensor(layer)
        loops = 1 + ("bias" in layer.weights) + (layer.activation is not None)
        cycles += (
            result.pixels * loops * (vectors(result.channels, kernel.output_width) + KERNEL_LATENCY)
        )
    return cycles


def pipelined_timing(graph: Graph, plan: Plan, board: Board, clock: float) -> Timing:
    """The slowest kernel, reader or link sets the rate; an image's latency is the longest way
    through."""
    layers = kernel_times(graph, plan, board)
    times = {item.name: item.cycles for item in layers}
    bytes_moved = image_bytes(graph, plan)
    streamed = streamed_bytes(graph, plan)
    limits = {
        name: cycles / plan.copies / (clock * 1e6)
        for name, cycles in (times | port_cycles(graph, plan)).items()
    }
    limits |= link_seconds(graph, plan, board)
    limits["external memory"] = memory_seconds(graph, plan, board, clock, bytes_moved, streamed)
    limits["host link"] = bytes_moved / (board.pcie_bandwidth * 1e9)
    slowest = max(limits, key=lambda name: limits[name])
    fill = pipelined_latency(graph, plan, times) / (clock * 1e6)
    latency = fill + bytes_moved / (board.pcie_bandwidth * 1e9) + board.launch_us * 1e-6
    return Timing(
        latency,
        1 / limits[slowest],
        slowest,
        layers,
        bytes_moved + streamed,
        max(times.values()) / plan.copies,
    )


def memory_seconds(
    graph: Graph, plan: Plan, board: Board, clock: float, moved: float, streamed: float
) -> float:
    """Seconds that memory takes for an image: `moved` bytes of inputs and results, `streamed` ones
    of weights. Banks with a reader each work side by side, inputs and results in one of their own;
    a single bank serves all in turn."""
    banks = weight_banks(graph, plan) if plan.weight_readers else ()
    if not banks:
        return (moved + streamed) / (board.sustained_bandwidth(readers(graph, plan)) * 1e9)
    ports = len(host_inputs(graph, plan))
    each = bank_bandwidth(board, ports, len(banks), clock)
    slowest = max(bank.bytes for bank in banks) / each
    if apart(banks, board):
        return max(slowest, moved / (bank_share(board) * 1e9))
    together = moved + sum(bank.bytes for bank in banks)
    return max(slowest, together / (board.sustained_bandwidth(ports + len(banks)) * 1e9))


def link_seconds(graph: Graph, plan: Plan, board: Board) -> dict[str, float]:
    """Seconds that the words of an image take on the wire of each link."""
    return {
        f"{name} link": packing(graph, plan, link).words * word_seconds(board)
        for name, link in (("arriving", plan.arriving), ("leaving", plan.leaving))
        if link
    }


def readers(graph: Graph, plan: Plan) -> int:
    """Kernels that read external memory all the time: those of inputs and of weights that
    stream."""
    return len(host_inputs(graph, plan)) + sum(kernel.row_tiles > 0 for kernel in plan.kernels)


def kernel_times(graph: Graph, plan: Plan, board: Board) -> tuple[LayerTime, ...]:
    """Cycles an image of every layer's kernel."""
    layers = []
    for layer in graph.layers:
        kernel = plan.kernel(layer.name)
        cycles = pipelined_cycles(layer, graph, kernel, plan, board)
        macs = operator(layer.op).work(layer, graph).macs
        if kernel.skips_zeros:  # zeros are no work
            macs = round(
                macs * np.count_nonzero(layer.weights["weight"]) / layer.weights["weight"].size
            )
        found = operator(layer.op).pipelined_arithmetic(layer, graph, kernel)
        units = found.multiply_adds + found.narrow_products
        moved = layer_bytes(layer, graph, kernel, plan)
        layers.append(
            LayerTime(layer.name, cycles, macs / units if units else 0.0, moved, "compute")
        )
    return tuple(layers)


def port_cycles(graph: Graph, plan: Plan) -> dict[str, float]:
    """Cycles an image of the kernels that read inputs and write outputs, a vector a cycle."""
    widths = {edge.tensor: edge.width for edge in plan.edges}
    found: dict[str, float] = {}
    for name, link in ((LINK_IN, plan.arriving), (LINK_OUT, plan.leaving)):
        if link:
            found[name] = packing(graph, plan, link).turns
    for kind, ports in (
        ("network input", host_inputs(graph, plan)),
        ("network output", host_outputs(graph, plan)),
    ):
        for port in ports:
            tensor = graph.tensors[port.tensor]
            cycles = tensor.pixels * vectors(tensor.channels, widths[port.tensor])
            found[kind] = max(found.get(kind, 0.0), cycles)
    return found


def image_bytes(graph: Graph, plan: Plan) -> float:
    """Bytes of inputs and outputs as they cross memory and link, padded to whole vectors."""
    widths = {edge.tensor: edge.width for edge in plan.edges}
    total = 0
    for port in (*host_inputs(graph, plan), *host_outputs(graph, plan)):
        tensor, width = graph.tensors[port.tensor], widths[port.tensor]
        total += tensor.pixels * vectors(tensor.channels, width) * width * tensor.type.bytes
    return total


def streamed_bytes(graph: Graph, plan: Plan) -> float:
    """Bytes of weights that stream from memory for an image."""
    return sum(
        layer_bytes(graph.layer(kernel.layer), graph, kernel, plan) for kernel in plan.kernels
    )


def layer_bytes(layer: Layer, graph: Graph, kernel: KernelPlan, plan: Plan) -> float:
    """Those of one layer; copies share what is read for them all."""
    return (
        operator(layer.op).streamed_values(layer, graph, kernel)
        * layer.weight_type.bytes
        / plan.copies
    )


def pipelined_latency(graph: Graph, plan: Plan, cycles: Mapping[str, float]) -> float:
    """Cycles from the first value of an image to its last result.

    Each layer's first output waits for the share of its input that `needed_pixels` says; its last
    follows its input's last by the work that is left then. Layers in between run as fast as their
    own cycles and their inputs allow.
    """
    widths = {edge.tensor: edge.width for edge in plan.edges}
    span: dict[str, tuple[float, float]] = {}
    for port in graph.inputs:
        tensor = graph.tensors[port.tensor]
        span[port.tensor] = (1, tensor.pixels * vectors(tensor.channels, widths[port.tensor]))
    for layer in graph.layers:
        kernel = plan.kernel(layer.name)
        lead, rest = shares(layer, graph, kernel)
        depth = operator(layer.op).pipeline_depth(layer, graph, kernel)
        first_in, last_in = (max(span[name][i] for name in layer.inputs) for i in (0, 1))
        own = cycles[layer.name]
        last = max(first_in + own, last_in + rest * own) + depth
        first = (
            last
            if graph.output_tensor(layer).pixels == 1
            else first_in + lead * max(last_in - first_in, own) + depth
        )
        span[layer.output] = (min(first, last), last)
    return max(span[port.tensor][1] for port in graph.outputs)


def shares(layer: Layer, graph: Graph, kernel: KernelPlan) -> tuple[float, float]:
    """The share of the input before the first output, and the share of the work after the last
    input value."""
    pixels = graph.tensors[layer.inputs[0]].pixels
    needed = operator(layer.op).needed_pixels(layer, graph, kernel)
    if needed is None or len(needed) == 1:
        return 1 / pixels, 1 / pixels
    return lead(layer, graph, kernel), float(np.mean(needed >= pixels))


def lead(layer: Layer, graph: Graph, kernel: KernelPlan) -> float:
    """The share of the input before the first output."""
    needed = operator(layer.op).needed_pixels(layer, graph, kernel)
    first = 1 if needed is None or len(needed) == 1 else float(needed[0])
    return first / graph.tensors[layer.inputs[0]].pixels
