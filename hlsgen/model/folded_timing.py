"""Timing of folded designs, step by step: the trip counts are those of the generated step table."""

from __future__ import annotations

from dataclasses import dataclass

from hlsgen.boards import Board
from hlsgen.engines import engine
from hlsgen.graph import Graph, remembered
from hlsgen.model.step_time import step_time
from hlsgen.model.times import LayerTime, Timing
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.rewrites.dense_as_convolution import reshaped

# Kernels that the host launches for an image: step reader, readers and writer.
LAUNCHES = 5


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
    """Steps run one after another; each takes its cycles or its memory traffic, whichever is
    longer. Layers' figures are for one image, the latency is that of all images of a launch."""
    found, link = folded_run(graph, plan, board, clock), link_seconds(graph, plan, board)
    run = found.cycles / (clock * 1e6) + LAUNCHES * board.launch_us * 1e-6
    bottleneck = found.longest if run >= link else "host link"
    cycles, moved = found.cycles / plan.images, found.bytes / plan.images
    return Timing(run + link, plan.images / max(run, link), bottleneck, found.layers, moved, cycles)


def link_seconds(graph: Graph, plan: Plan, board: Board) -> float:
    """Seconds in which a launch's inputs and outputs pass the link to the host."""
    tensors = (graph.tensors[p.tensor] for p in (*graph.inputs, *graph.outputs))
    moved = sum(tensor.size * tensor.type.bytes for tensor in tensors)
    return plan.images * moved / (board.pcie_bandwidth * 1e9)


def folded_run(
    graph: Graph, plan: Plan, board: Board, clock: float, taken: float = 0.0, readers: int = 0
) -> FoldedRun:
    """All steps of a launch, where other kernels (`readers` of them reading) take `taken` bytes a
    second of the memory's bandwidth."""
    engines, shaped = plan.engines, reshaped(graph, plan)
    assert engines is not None
    macs_of = layer_macs(shaped)
    readers += 3 if any(s.residual for s in plan.steps) else 2
    bandwidth = board.sustained_bandwidth(readers) * 1e9 - taken
    layers, moved, cycles = [], 0.0, 0.0
    for step in plan.steps:
        time = step_time(shaped, step, engines, board)
        memory = time.bytes / bandwidth * clock * 1e6
        spent = time.start + max(time.body, memory) + time.tail
        ideal = 0.0
        if step.engine:
            known = engine(step.engine)
            macs = known.work(shaped, step, engines, macs_of[step.layer]) * step.images
            ideal = macs / known.macs(engines.of(step.engine))
        bound = "external memory" if memory > time.body else time.busiest
        if step.first_image == 0:
            layers.append(
                LayerTime(
                    step.layer,
                    spent / step.images,
                    ideal / step.images,
                    time.bytes / step.images,
                    bound,
                )
            )
        moved, cycles = moved + time.bytes, cycles + spent
    return FoldedRun(tuple(layers), moved, cycles)


@remembered
def layer_macs(graph: Graph) -> dict[str, int]:
    """Multiply-accumulates of every layer."""
    return {layer.name: operator(layer.op).work(layer, graph).macs for layer in graph.layers}
