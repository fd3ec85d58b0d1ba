"""Timing of hybrid designs whose prefix is a pipeline: prefix and engines work at the same time,
the prefix on the images of the next launch."""

from __future__ import annotations

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.model.folded_timing import LAUNCHES, folded_run, folded_timing, link_seconds
from hlsgen.model.pipelined_timing import (
    image_bytes,
    kernel_times,
    pipelined_latency,
    port_cycles,
    readers,
    streamed_bytes,
)
from hlsgen.model.times import Timing
from hlsgen.plan import Plan
from hlsgen.rewrites.prefix import halves, has_prefix

# Kernels of the prefix that the host launches: reader and writer, beside those that read weights
# that stream.
PREFIX_LAUNCHES = 2
# Kernels of the engines that read memory at the same time as those of the prefix.
READERS = 2


def hybrid_timing(graph: Graph, plan: Plan, board: Board, clock: float) -> Timing:
    """Timing at `clock` MHz; that of a folded design where there is no prefix."""
    timing = prefix_timing if has_prefix(plan) else folded_timing
    return timing(graph, plan, board, clock)


def prefix_timing(graph: Graph, plan: Plan, board: Board, clock: float) -> Timing:
    """Prefix, engines or link, whichever takes longest for a launch, set the rate; a launch's
    images pass through all three.

    The prefix takes its share of the memory bandwidth from the engines: its traffic over the time
    that a launch takes where the two do not share the memory.
    """
    (prefix, ahead), (rest, after) = halves(graph, plan)
    hertz = clock * 1e6
    layers = kernel_times(prefix, ahead, board)
    times = {item.name: item.cycles for item in layers}
    slowest = max((*times.values(), *port_cycles(prefix, ahead).values()))
    fill = pipelined_latency(prefix, ahead, times)
    launches = PREFIX_LAUNCHES + sum(kernel.row_tiles > 0 for kernel in ahead.kernels)
    stream = (fill + (plan.images - 1) * slowest) / hertz + launches * board.launch_us * 1e-6
    moved = image_bytes(prefix, ahead) + streamed_bytes(prefix, ahead)
    mine = readers(prefix, ahead)
    memory = plan.images * moved / (board.sustained_bandwidth(mine + READERS) * 1e9)
    stream = max(stream, memory)
    alone = folded_run(rest, after, board, clock)
    taken = plan.images * moved / (max(alone.cycles / hertz, stream) + memory)
    run = folded_run(rest, after, board, clock, taken=taken, readers=mine)
    steps = run.cycles / hertz + LAUNCHES * board.launch_us * 1e-6
    link = link_seconds(graph, plan, board)
    seconds = {"prefix": stream, "rest": steps, "host link": link}
    longest = max(seconds, key=lambda name: seconds[name])
    first = max(layers, key=lambda item: item.cycles)
    names = {"prefix": f"{first.name} (prefix)", "rest": run.longest, "host link": "host link"}
    return Timing(
        sum(seconds.values()),
        plan.images / seconds[longest],
        names[longest],
        (*layers, *run.layers),
        moved + run.bytes / plan.images,
        seconds[longest] * hertz / plan.images,
    )
