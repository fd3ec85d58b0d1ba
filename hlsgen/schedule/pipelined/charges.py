"""What options, channels and the rest of a pipelined design cost, in the units of the solver."""

from __future__ import annotations

import numpy as np

from hlsgen.boards import Board
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Fifo, Lsu
from hlsgen.kernel.weight_banks import Bank, bank_fifo, bank_kernels, stream_fifos, stream_kernel
from hlsgen.model.pipelined_structure import (
    WEIGHT_FIFO,
    collected,
    input_bits,
    pipelined_kernels,
    streamed,
    transfer,
)
from hlsgen.model.resources import costs, fifo_cost, kernel_cost
from hlsgen.model.weight_banks import stream_of
from hlsgen.plan import KernelPlan, Plan
from hlsgen.rewrites.weight_storage import piece_type
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.fifo import depth

# Resources in the solver are whole numbers: ALMs, and hundredths of memory blocks and DSPs.
SCALE = np.array([1, 100, 100])


def option_cost(
    layer: Layer, graph: Graph, board: Board, plan: Plan, kernel: KernelPlan
) -> np.ndarray:
    """(ALUT, FF, RAM, DSP, MLAB) of one kernel, with its share of the weight loader."""
    kernels = pipelined_kernels(layer, graph, plan, kernel, len(graph.consumers[layer.output]))
    cost = sum((kernel_cost(k, board) for k in kernels), np.zeros(5))
    if kernel.vectors_per_cycle > 1:
        cost = cost + fifo_cost(collected(kernel, input_bits(layer, graph)), board.device)
    if kernel.row_tiles:
        cost = cost + streaming_cost(layer, graph, board, plan, kernel)
    if layer.weights:
        cost = cost + fifo_cost(
            Fifo("weights", piece_type(graph, plan.weights).bits, WEIGHT_FIFO), board.device
        )
    return cost


def streaming_cost(
    layer: Layer, graph: Graph, board: Board, plan: Plan, kernel: KernelPlan
) -> np.ndarray:
    """What brings a layer's weights from memory: a reader of its own, or its part of a bank's."""
    device = board.device
    if plan.weight_readers:
        stream = stream_of(graph, kernel)
        cost: np.ndarray = bank_cost(Bank(1, (stream,)), board) - bank_cost(Bank(1, ()), board)
        cost += kernel_cost(stream_kernel(stream), board)
        for fifo in stream_fifos(stream):
            cost += fifo_cost(fifo, device)
        return cost
    reader = (Lsu("filters", kernel.output_width * layer.weight_type.bits),)
    cost = np.array(costs(device.family)["interconnect_per_lsu"])
    cost += fifo_cost(streamed(kernel, layer.weight_type.bits), device)
    cost += kernel_cost(transfer("filters", reader, reader[0].bits, 1), board)
    return cost


def bank_cost(bank: Bank, board: Board) -> np.ndarray:
    """A bank's reader and the kernel that gives turns; linear in the layers that it serves."""
    cost = np.array(fifo_cost(bank_fifo(bank), board.device))
    for kernel in bank_kernels(bank):
        cost += kernel_cost(kernel, board)
    return cost


def channel_cost(
    graph: Graph,
    board: Board,
    plan: Plan,
    classes: dict[str, str],
    name: str,
    width: int,
    times: dict[str, np.ndarray],
) -> np.ndarray:
    """Cost of all channels of a class's tensors at a width, and of the kernels between them and
    memory."""
    total = np.zeros(5)
    for tensor in (t for t, owner in classes.items() if owner == name):
        readers = [
            (layer.name, i)
            for layer in graph.layers
            for i, name in enumerate(layer.inputs)
            if name == tensor
        ]
        readers += [("", 0)] * sum(port.tensor == tensor for port in graph.outputs)
        bits = width * graph.tensors[tensor].type.bits
        kernels = [
            transfer("reader", (Lsu("image_data", bits),), bits * len(readers), len(readers))
            for port in graph.inputs
            if port.tensor == tensor
        ]
        kernels += [
            transfer("writer", (Lsu("image_data", bits, store=True),), bits, 1)
            for port in graph.outputs
            if port.tensor == tensor
        ]
        total = total + sum((kernel_cost(kernel, board) for kernel in kernels), np.zeros(5))
        for reader, position in readers:
            fifo = Fifo(tensor, bits, depth(tensor, reader, position, width, graph, times))
            total = total + fifo_cost(fifo, board.device)
    return total


def fixed_cost(graph: Graph, board: Board, plan: Plan) -> np.ndarray:
    """The weight loader and the interconnect, of all copies."""
    table, piece = costs(board.device.family), piece_type(graph, plan.weights).bits
    count = plan.copies * sum(bool(layer.weights) for layer in graph.layers)
    units = plan.copies * (len(graph.inputs) + len(graph.outputs)) + (count > 0)
    total: np.ndarray = table["interconnect"] + units * table["interconnect_per_lsu"]
    if count:
        loader = transfer("weight_loader", (Lsu("weights", piece),), piece * count, count)
        total = total + kernel_cost(loader, board)
    for number in range(plan.weight_readers):
        total = total + bank_cost(Bank(number, ()), board) + table["interconnect_per_lsu"]
    return total


def fit_matrix(goal: Goal) -> np.ndarray:
    """From (ALUT, FF, RAM, DSP, MLAB) to (ALM at the upper quartile, blocks, DSPs)."""
    return np.array([goal.calibration.upper_alm, (0, 0, 1, 0, 0), (0, 0, 0, 1, 0)])


def scaled(cost: np.ndarray) -> tuple[int, ...]:
    """The cost in the solver's units."""
    return tuple(whole(cost).tolist())


def whole(costs: np.ndarray) -> np.ndarray:
    """Rounded up to the solver's whole numbers; what exceeds any device by far is as good as
    infinite."""
    units: np.ndarray = np.minimum(np.ceil(costs * SCALE - 1e-9), 1 << 40)
    return units.astype(np.int64)
