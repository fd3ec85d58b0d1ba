"""The time of one step of a folded design. Searches ask for it again and again, so it is remembered
by all that it depends on."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from math import ceil
from typing import Any

from hlsgen.boards import Board
from hlsgen.descriptors import filter_words, own_fields, step_counts
from hlsgen.graph import Graph, remembered
from hlsgen.kernel.hardware import KERNEL_LATENCY
from hlsgen.kernel.memory import MEMORY_DISTANCE
from hlsgen.model.kinds import layer_kinds
from hlsgen.ops import operator
from hlsgen.ops.compress import BLOCK, block_rows
from hlsgen.plan import ARRAYS, Engines, StepPlan
from hlsgen.types import FLOAT32

# Cycles from the token of the step before to the first input vector in an engine, beside the
# memory's latency, and from the last result to the token that starts the next step.
STEP_LATENCY = 150
# A step's record goes ahead of its data, all but the last word, which waits for the step before;
# from the reader it goes to the engine, and through the kernels of a convolution, each with the
# latency of a kernel.
RECORD_HOPS = {"convolution": 3, "skipping": 2}


@dataclass(frozen=True)
class StepTime:
    """Cycles of a step: before the first result can leave (`start`), of the busiest stream
    (`body`), after it (`tail`)."""

    start: float
    body: float
    tail: float
    bytes: float
    busiest: str

    @property
    def cycles(self) -> float:
        """All of them, without waiting for memory."""
        return self.start + self.body + self.tail


class Times:
    """Times of steps on engines of some sizes, each worked out once: equal layers share them."""

    def __init__(self, sizes: tuple[int, ...], latency: int):
        """`sizes`: as `read_sizes` gives them; `latency`: cycles of the memory."""
        self.engines, self.latency = engines_of(sizes), latency
        self.known: dict[Hashable, StepTime] = {}

    def of(self, graph: Graph, step: StepPlan, key: Hashable) -> StepTime:
        """The time of a step, `key` being its `step_key`."""
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = timed(graph, step, self.engines, self.latency)
        return found


def step_time(graph: Graph, step: StepPlan, engines: Engines, board: Board) -> StepTime:
    """One step's time."""
    return times_on(graph, engines, board).of(graph, step, step_key(graph, step))


def times_on(graph: Graph, engines: Engines, board: Board) -> Times:
    """The times of steps on engines: those that differ in what no step's time depends on share
    them."""
    return known_times(graph, read_sizes(engines), board.device.load_latency)


@remembered
def known_times(graph: Graph, sizes: tuple[int, ...], latency: int) -> Times:
    """The times that were worked out for steps of this graph."""
    return Times(sizes, latency)


def step_key(graph: Graph, step: StepPlan) -> Hashable:
    """All that a step's time depends on but the engines' sizes: what it does, not what its layer
    and tensors are called."""
    kinds = layer_kinds(graph)
    return (
        kinds[step.layer], kinds[step.feeder] if step.feeder else None, graph.tensors[step.source].shape if step.source else None,
        step.engine, step.tile_height, step.tile_width, step.tile_images, step.vectors_at_once, step.first_vector, step.vector_count,
        bool(step.residual), step.compressed, step.images, bool(step.first_image),
    )  # fmt: skip


def read_sizes(e: Engines) -> tuple[int, ...]:
    """The engines' sizes that a step's time depends on. How large tiles and groups of outputs are,
    the step says itself."""
    return e.width, e.burst, e.inputs, e.skip_inputs, e.depthwise_extent, e.pool_extent


def engines_of(sizes: tuple[int, ...]) -> Engines:
    """Engines with the sizes that are read and no others: what is remembered cannot depend on more
    than its key."""
    width, burst, inputs, skip_inputs, depthwise_extent, pool_extent = sizes
    return Engines(
        width,
        0,
        burst,
        0,
        0,
        depthwise_extent=depthwise_extent,
        pool_extent=pool_extent,
        inputs=inputs,
        skip_inputs=skip_inputs,
    )


def timed(graph: Graph, step: StepPlan, engines: Engines, latency: int) -> StepTime:
    """The time of a step on a memory of so many cycles of latency."""
    f = step_counts(graph, step, engines, own_fields(graph, step, engines))
    tiles = f["tiles"]
    weights = weight_words(graph, step, engines, f) if step.engine else 0
    streams = {
        "input stream": float(f["loads"]),
        "output stream": float(f["results"]),
        "weight stream": tiles * step.groups * (weights + step.vectors_at_once),
        "compute": engine_turns(graph, step, engines, f),
        "depthwise": float(filter_words(engines) + f["planes"] * f["plane_turns"])
        if step.feeder
        else 0.0,
    }
    hops = RECORD_HOPS.get(step.engine, 1)
    start = float(latency + STEP_LATENCY + hops * KERNEL_LATENCY)
    tail = 0.0
    if step.engine in ARRAYS:
        group = float(f["group_turns"])
        # The first tile comes in: vector by vector, or as fast as the depthwise engine goes through
        # its planes.
        fed = f["in_groups"] * f["plane_turns"] + MEMORY_DISTANCE
        start += (fed if step.feeder else f["first_turns"]) + f["tap_words"]
        tail = 2 * group - f["pixels"] - MEMORY_DISTANCE
        tile = MEMORY_DISTANCE + float(
            f["send_turns"] if step.feeder else max(f["tile_loads"], f["send_turns"])
        )
        streams["compute"] = tiles * max(
            step.groups * max(f["taps"] * f["phase_turns"], group), tile
        )
    busiest = max(streams, key=lambda name: streams[name])
    vector = engines.width * FLOAT32.bytes
    moved = (f["loads"] + f["results"] * (2 if step.residual else 1)) * vector
    if step.engine == "gather":
        moved += f["results"] * vector  # it loads what it sends
    stored = weights
    if step.compressed:
        rows, blocks = compressed_rows(graph, step, engines), ceil(weights / BLOCK)
        stored = blocks * rows
        # A block's words go out while those of the block after the next come in.
        streams["weight stream"] = (
            tiles * step.groups * (blocks * float(max(BLOCK, rows)) + step.vectors_at_once)
            + 2 * BLOCK
        )
        busiest = max(streams, key=lambda name: streams[name])
    moved += tiles * step.groups * (stored * engines.burst + step.vectors_at_once) * vector
    if step.feeder:
        moved += f["planes"] * filter_words(engines) * engines.burst * vector
    return StepTime(start, streams[busiest], tail, moved, busiest)


def compressed_rows(graph: Graph, step: StepPlan, engines: Engines) -> int:
    """Words that a block of a compressed step takes in memory."""
    layer = graph.layer(step.layer)
    return block_rows(operator(layer.op).folded_weights(layer, graph, step, engines), engines.burst)


def weight_words(graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]) -> int:
    """Words of `burst` weight vectors of one group of outputs."""
    if step.engine in ARRAYS:
        return fields["taps"] * fields["tap_words"]
    if step.engine == "depthwise":
        return filter_words(engines)
    if step.engine == "sparse":
        layer = graph.layer(step.layer)
        return operator(layer.op).sparse_words(layer, step, engines)  # type: ignore[attr-defined]
    if step.engine == "dense":
        return step.vectors_at_once * ceil(fields["tile_loads"] * engines.width / engines.burst)
    return 0


def engine_turns(graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]) -> float:
    """Turns of the engine's own loop (the convolution's are counted in `step_time`)."""
    if step.engine == "depthwise":
        return filter_words(engines) + fields["planes"] * fields["plane_turns"]
    if step.engine in ("", *ARRAYS):
        return 0.0
    layer = graph.layer(step.layer)
    return step.images * operator(layer.op).folded_cycles(layer, graph, step, engines)
