"""The links of a board's part of a network: what is packed, and how long words take."""

from __future__ import annotations

from math import ceil

from hlsgen.boards import Board, IoChannels
from hlsgen.errors import PlanError
from hlsgen.graph import Graph, Port
from hlsgen.kernel.packing import Packed, Packing
from hlsgen.ops.arrays import vectors
from hlsgen.plan import LinkPlan, Plan
from hlsgen.rewrites.prefix import BETWEEN

# Words that a kernel's end of a link holds at the least.
LEAST_DEPTH = 16


def packing(graph: Graph, plan: Plan, link: LinkPlan) -> Packing:
    """How the tensors of a link share its words, in the widths of the plan's channels."""
    widths = {edge.tensor: edge.width for edge in plan.edges}
    found = []
    for name in link.tensors:
        tensor, width = graph.tensors[name], widths[name]
        count = vectors(tensor.channels, width)
        bits = width * tensor.type.bits
        found.append(Packed(name, tensor.pixels * count, bits, count, link.word))
    return Packing(tuple(found))


def host_inputs(graph: Graph, plan: Plan) -> tuple[Port, ...]:
    """The inputs that the board reads from its own memory."""
    if plan.arriving is None:
        return graph.inputs
    return tuple(port for port in graph.inputs if port.name != BETWEEN)


def host_outputs(graph: Graph, plan: Plan) -> tuple[Port, ...]:
    """The outputs that the board writes to its own memory."""
    return tuple(port for port in graph.outputs if not leaves(port, plan))


def leaves(port: Port, plan: Plan) -> bool:
    """Whether an output goes to the next board. (A network's own output may be one of its tensors,
    too: it has a name.)"""
    return plan.leaving is not None and port.name == BETWEEN


def link_positions(graph: Graph, plan: Plan) -> dict[str, int]:
    """The number of the output that each leaving tensor is."""
    return {port.tensor: i for i, port in enumerate(graph.outputs) if leaves(port, plan)}


def io_channels(board: Board) -> IoChannels:
    """Those of a board with links. Raises PlanError."""
    if board.io_channels is None:
        raise PlanError("has no I/O channels", where=f"board {board.name}")
    return board.io_channels


def word_seconds(board: Board) -> float:
    """Seconds of a word on the wire: all channels of a link move at once."""
    channels = io_channels(board)
    return channels.bits / (channels.gbits * 1e9)


def round_trip_words(board: Board) -> int:
    """Words that are under way, one way and back: a FIFO that holds so many at the receiving end
    keeps the wire busy."""
    latency = io_channels(board).latency_ns * 1e-9
    return max(LEAST_DEPTH, ceil(2 * latency / word_seconds(board)))
