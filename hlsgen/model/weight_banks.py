"""Which layers' weights stream from which bank of the memory, and how fast."""

from __future__ import annotations

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.kernel.weight_banks import WORD_BITS, Bank, Stream
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan, Plan

# Banks of which Intel's host library has a flag for buffers.
NAMED_BANKS = 7


def stream_of(graph: Graph, kernel: KernelPlan) -> Stream:
    """What a kernel takes from memory."""
    layer = graph.layer(kernel.layer)
    values = operator(layer.op).streamed_values(layer, graph, kernel)
    return Stream(
        kernel.layer,
        kernel.output_width * layer.weight_type.bits,
        values // kernel.row_tiles // kernel.output_width,
        kernel.row_tiles,
    )


def weight_banks(graph: Graph, plan: Plan) -> tuple[Bank, ...]:
    """The banks with a reader each, none where every layer has a reader of its own. Layers with
    many bytes come first, each to the bank that has the fewest yet."""
    streams = [stream_of(graph, kernel) for kernel in plan.kernels if kernel.row_tiles]
    count = min(plan.weight_readers, len(streams))
    loads: list[list[int]] = [[] for _ in range(count)]

    def blocks(index: int) -> int:
        return streams[index].blocks * streams[index].row_tiles

    for index in sorted(range(len(streams)), key=lambda i: -blocks(i)) if count else ():
        min(loads, key=lambda load: sum(map(blocks, load))).append(index)
    return tuple(
        Bank(number, tuple(streams[i] for i in sorted(load)))
        for number, load in enumerate(loads, start=1)
    )


def most_readers(board: Board) -> int:
    """The most readers of weights: one a bank that a host can name, but for the bank with inputs
    and results, if there is another."""
    return max(min(board.memory_banks, NAMED_BANKS) - 1, 1)


def apart(banks: tuple[Bank, ...], board: Board) -> bool:
    """Whether each reader of weights has a bank to itself, beside the one of inputs and results."""
    return 0 < len(banks) < board.memory_banks


def bank_bandwidth(board: Board, ports: int, readers: int, clock: float) -> float:
    """Bytes a second that each of `readers` reading kernels gets at `clock` MHz, a word a cycle at
    most: those of its bank, or its share of a memory that `ports` others read too."""
    if readers < board.memory_banks:
        share = bank_share(board)
    else:
        share = board.sustained_bandwidth(ports + readers) / readers
    return min(share * 1e9, clock * 1e6 * WORD_BITS / 8)


def bank_share(board: Board) -> float:
    """GB/s of one bank of a memory that is not interleaved."""
    return board.bandwidth / board.memory_banks * board.bank_efficiency
