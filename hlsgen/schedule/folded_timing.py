"""Timing of folded designs, step by step: the trip counts are those of the generated step table."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from hlsgen.boards import Board
from hlsgen.descriptors import filter_words, record_fields, step_fields
from hlsgen.graph import Graph, Layer
from hlsgen.ops import operator
from hlsgen.ops.compress import BLOCK, block_rows
from hlsgen.ops.sparse import entries_a_word, row_counts
from hlsgen.placement import Placement, place_tensors
from hlsgen.plan import ARRAYS, Engines, Plan, StepPlan
from hlsgen.schedule.convolve import reshaped
from hlsgen.schedule.times import BYTES, LayerTime, Timing

# Cycles from the token of the step before to the first input vector in an engine, beside the memory's latency, and from the
# last result to the token that starts the next step.
STEP_LATENCY = 150
# A step's record is at the readers before its turn comes; from there it travels word by word to the engine, and through the
# kernels of a convolution.
RECORD_HOPS = {"convolution": 3, "skipping": 2}
# Kernels that the host launches for an image: step reader, readers and writer.
LAUNCHES = 5


@dataclass(frozen=True)
class StepTime:
    """Cycles of a step: before the first result can leave (`start`), of the busiest stream (`body`), after it (`tail`)."""

    start: float
    body: float
    tail: float
    bytes: float
    busiest: str

    @property
    def cycles(self) -> float:
        """All of them, without waiting for memory."""
        return self.start + self.body + self.tail


def step_time(graph: Graph, step: StepPlan, engines: Engines, placement: Placement, board: Board) -> StepTime:
    """One step's time."""
    f = step_fields(graph, step, engines, placement)
    tiles = f["tiles"]
    weights = weight_words(graph, step, engines, f) if step.engine else 0
    streams = {
        "input stream": float(f["loads"]),
        "output stream": float(f["results"]),
        "weight stream": tiles * step.groups * (weights + step.vectors_at_once),
        "compute": engine_turns(graph, step, engines, f),
        "depthwise": float(filter_words(engines) + f["planes"] * f["plane_turns"]) if step.feeder else 0.0,
    }
    hops = RECORD_HOPS.get(step.engine, 1)
    start = float(board.device.load_latency + STEP_LATENCY + hops * len(record_fields(graph, (step,))))
    tail = 0.0
    if step.engine in ARRAYS:
        group = float(f["pixels"] * step.vectors_at_once)
        # The first tile comes in: vector by vector, or as fast as the depthwise engine goes through its planes.
        start += (f["in_groups"] * f["plane_turns"] if step.feeder else f["tile_loads"]) + f["tap_words"]
        tail = 2 * group - f["pixels"]
        tile = float(0 if step.feeder else f["tile_loads"])
        streams["compute"] = tiles * max(step.groups * max(f["taps"] * f["phase_turns"], group), tile)
    busiest = max(streams, key=lambda name: streams[name])
    vector = engines.width * BYTES["float32"]
    moved = (f["loads"] + f["results"] * (2 if step.residual else 1)) * vector
    if step.engine == "gather":
        moved += f["results"] * vector  # it loads what it sends
    stored = weights
    if step.compressed:
        rows, blocks = compressed_rows(graph, step, engines), ceil(weights / BLOCK)
        stored = blocks * rows
        # A block's words go out while the next one's come in.
        streams["weight stream"] = (
            tiles * step.groups * (blocks * float(max(BLOCK, rows)) + step.vectors_at_once) + BLOCK
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


@dataclass(frozen=True)
class FoldedRun:
    """All steps of a launch: times of the layers (an image), bytes and cycles of all images."""

    layers: tuple[LayerTime, ...]
    bytes: float
    cycles: float

    @property
    def longest(self) -> str:
        """The layer that takes longest, and what limits it."""
        slowest = max(self.layers, key=lambda item: item.cycles)
        return f"{slowest.name} ({slowest.bound})"


def folded_timing(graph: Graph, plan: Plan, board: Board, clock: float) -> Timing:
    """Steps run one after another; each takes its cycles or its memory traffic, whichever is longer. Layers' figures are for one image,
    the latency is that of all images of a launch."""
    found, link = folded_run(graph, plan, board, clock), link_seconds(graph, plan, board)
    run = found.cycles / (clock * 1e6) + LAUNCHES * board.launch_us * 1e-6
    bottleneck = found.longest if run >= link else "host link"
    cycles, moved = found.cycles / plan.images, found.bytes / plan.images
    return Timing(run + link, plan.images / max(run, link), bottleneck, found.layers, moved, cycles)


def link_seconds(graph: Graph, plan: Plan, board: Board) -> float:
    """Seconds in which a launch's inputs and outputs pass the link to the host."""
    sizes = sum(graph.tensors[p.tensor].size for p in (*graph.inputs, *graph.outputs))
    return plan.images * sizes * BYTES[plan.dtype] / (board.pcie_bandwidth * 1e9)


def folded_run(graph: Graph, plan: Plan, board: Board, clock: float, taken: float = 0.0, readers: int = 0) -> FoldedRun:
    """All steps of a launch, where other kernels (`readers` of them reading) take `taken` bytes a second of the memory's bandwidth."""
    engines, shaped = plan.engines, reshaped(graph, plan)
    assert engines is not None
    placement = place_tensors(shaped, engines.width)
    readers += 3 if any(s.residual for s in plan.steps) else 2
    bandwidth = board.sustained_bandwidth(readers) * 1e9 - taken
    layers, moved, cycles = [], 0.0, 0.0
    for step in plan.steps:
        time = step_time(shaped, step, engines, placement, board)
        memory = time.bytes / bandwidth * clock * 1e6
        spent = time.start + max(time.body, memory) + time.tail
        layer = shaped.layer(step.layer)
        share = (
            step.vector_count
            * engines.width
            / max(shaped.output_tensor(layer).channels, step.vector_count * engines.width)
        )
        macs = operator(layer.op).work(layer, graph=shaped).macs * share * step.images
        if step.engine == "skipping":  # zeros are no work
            macs = round(macs * density(layer))
        ideal = macs / engine_macs(step.engine, engines) if step.engine else 0.0
        bound = "external memory" if memory > time.body else time.busiest
        if step.first_image == 0:
            layers.append(
                LayerTime(step.layer, spent / step.images, ideal / step.images, time.bytes / step.images, bound)
            )
        moved, cycles = moved + time.bytes, cycles + spent
    return FoldedRun(tuple(layers), moved, cycles)


def density(layer: Layer) -> float:
    """Share of a layer's weights that are not zero."""
    weight = layer.weights["weight"]
    return float(row_counts(weight).sum() / weight.size)


def engine_macs(engine: str, e: Engines) -> int:
    """Multiply-accumulates a cycle of an engine."""
    table = {
        "convolution": e.width * e.width * e.inputs * e.outputs,
        "skipping": e.width * e.width * e.skip_inputs * e.skip_outputs,
        "depthwise": e.width * e.depthwise_extent**2,
        "dense": e.width * e.burst,
        "sparse": e.width * entries_a_word(e.burst),
    }
    return table.get(engine, e.width)
