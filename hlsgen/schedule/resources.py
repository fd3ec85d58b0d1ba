"""A first resource check: DSPs and memory blocks from the structure in the plan.

DSPs follow the unroll factors; memory blocks follow depth and width of each on-chip array (the M20K rule of Intel's
guide: the fewest blocks over the block's depth x width modes). Logic and clock are not modelled here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from hlsgen.boards import Board
from hlsgen.errors import PlanError
from hlsgen.graph import Graph
from hlsgen.ops import operator
from hlsgen.ops.base import vectors
from hlsgen.plan import Engines, Plan

# Memory blocks of one burst-coalesced load-store unit (measured on Stratix 10 and Arria 10: 15 to 17).
BLOCKS_PER_LSU = 16
# Largest share of the device's DSPs and memory blocks that a plan may use, so that routing has room.
CEILING = 0.85
BITS = {"float32": 32}


@dataclass(frozen=True)
class Usage:
    """DSPs, and memory blocks that hold weights, buffers and FIFOs."""

    dsps: int
    blocks: int

    def fits(self, board: Board) -> bool:
        """Whether the board has room for it under `CEILING`."""
        return self.dsps <= CEILING * board.available_dsps and self.blocks <= CEILING * board.available_blocks

    def check(self, board: Board, style: str) -> None:
        """Raise PlanError that says what is short."""
        limits = (("DSPs", self.dsps, board.available_dsps), ("memory blocks", self.blocks, board.available_blocks))
        for what, used, available in limits:
            if used > CEILING * available:
                raise PlanError(
                    f"needs {used} {what}; {int(CEILING * available)} of {available} may be used",
                    where=f"{style} design on {board.name}",
                    remedy="use --style folded, or a larger board",
                )


def memory_blocks(depth: int, bits: int, board: Board) -> int:
    """Blocks for a simple dual port memory of `depth` words of `bits`: the cheapest of the block's modes."""
    if depth <= 0 or bits <= 0:
        return 0
    if depth <= 32 and bits * depth <= board.block_bits:
        return 0  # registers or MLABs
    modes = ((512, 40), (1024, 20), (2048, 10), (4096, 5), (8192, 2), (16384, 1))
    scale = board.block_bits / 20480  # an M10K has half the depth of an M20K at each width
    return min(ceil(bits / width) * ceil(depth / (rows * scale)) for rows, width in modes)


def pipelined_usage(graph: Graph, plan: Plan, board: Board) -> Usage:
    """Sum over kernels (arithmetic, weights, line buffers) and channels."""
    bits = BITS[plan.dtype]
    macs = blocks = 0
    for kernel in plan.kernels:
        layer = graph.layer(kernel.layer)
        op = operator(layer.op)
        macs += op.pipelined_macs(layer, kernel)
        weights = sum(w.size for w in layer.weights.values())
        lanes = max(op.pipelined_macs(layer, kernel), 1)
        blocks += memory_blocks(ceil(weights / lanes), lanes * bits, board) if weights else 0
        window = getattr(layer.attributes, "window", None)
        if window is not None:
            source = graph.tensors[layer.inputs[0]]
            row = source.width * vectors(source.channels, kernel.input_width)
            blocks += (window.extent[0] - 1) * memory_blocks(row, kernel.input_width * bits, board)
    blocks += sum(memory_blocks(edge.depth, edge.width * bits, board) for edge in plan.edges)
    blocks += BLOCKS_PER_LSU * (1 + len(graph.inputs) + len(graph.outputs))
    return Usage(ceil(macs * board.multiply_add_dsps), blocks)


def folded_usage(graph: Graph, engines: Engines, used: set[str], board: Board, dtype: str) -> Usage:
    """Sum over the engines that the network uses (`used` holds their names) and the readers and writers round them."""
    v, word = engines.width, engines.width * BITS[dtype]
    macs = {
        "convolution": v * v * engines.outputs,
        "depthwise": v * engines.depthwise_extent**2,
        "pooling": v * engines.pool_extent**2,
        "dense": v * engines.burst,
        "global_pooling": 2 * v,
        "softmax": 12 + v,
        "normalisation": 20 + engines.normalisation_size,
    }
    memories = {
        # Tile and accumulators exist twice, so that loading and draining overlap with computing.
        "convolution": [(engines.tile_vectors, word, 2), (engines.tile_pixels, word, 2 * engines.outputs)],
        "depthwise": [(engines.depthwise_line, word, engines.depthwise_extent - 1)],
        "pooling": [(engines.pool_line, word, engines.pool_extent - 1)],
        "dense": [(engines.dense_vectors, word, 1)],
        "softmax": [(engines.pixel_vectors, word, 1)],
        "normalisation": [(engines.pixel_vectors, word, 1)],
    }
    total = 3 * v + sum(macs.get(name, 0) for name in used)  # the epilogue scales, shifts and adds
    blocks = 5 * BLOCKS_PER_LSU
    for name in used:
        blocks += sum(memory_blocks(depth, bits, board) * copies for depth, bits, copies in memories.get(name, []))
    return Usage(ceil(total * board.multiply_add_dsps), blocks)
