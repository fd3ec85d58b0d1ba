"""The time of one step of a folded design. Searches ask for it again and again, so it is remembered
by all that it depends on."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from hlsgen.boards import Board
from hlsgen.descriptors import own_fields, step_counts, step_source
from hlsgen.engines import engine, engine_of, timed_sizes
from hlsgen.engines.base import memory_type
from hlsgen.graph import Graph, remembered
from hlsgen.kernel.hardware import KERNEL_LATENCY
from hlsgen.model.kinds import layer_kinds
from hlsgen.plan import Engines, StepPlan
from hlsgen.types import FLOAT32

# Cycles from the token of the step before to the first input vector in an engine, beside the
# memory's latency, and from the last result to the token that starts the next step.
STEP_LATENCY = 150
# Engine, size, value.
SizesRead = tuple[tuple[str, str, int], ...]


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

    def __init__(self, width: int, burst: int, sizes: SizesRead, latency: int):
        """`sizes`: as `sizes_read` gives them; `latency`: cycles of the memory."""
        self.engines, self.latency = engines_of(width, burst, sizes), latency
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
    return known_times(
        graph, engines.width, engines.burst, sizes_read(engines), board.device.load_latency
    )


@remembered
def known_times(graph: Graph, width: int, burst: int, sizes: SizesRead, latency: int) -> Times:
    """The times that were worked out for steps of this graph."""
    return Times(width, burst, sizes, latency)


def step_key(graph: Graph, step: StepPlan) -> Hashable:
    """All that a step's time depends on but the engines' sizes: what it does, not what its layer
    and tensors are called."""
    kinds = layer_kinds(graph)
    return (
        kinds[step.layer],
        kinds[step.feeder] if step.feeder else None,
        graph.tensors[step.source].shape if step.source else None,
        step.engine,
        step.tile_height,
        step.tile_width,
        step.tile_images,
        step.output_vectors,
        step.first_vector,
        step.vector_count,
        bool(step.residual),
        step.compressed,
        step.images,
        bool(step.first_image),
    )


def sizes_read(e: Engines) -> SizesRead:
    """The engines' sizes that a step's time depends on."""
    return tuple(
        (name, size, e.sizes[name][size]) for name, size in timed_sizes() if name in e.sizes
    )


def engines_of(width: int, burst: int, sizes: SizesRead) -> Engines:
    """Engines with the sizes that are read and no others: what is remembered cannot depend on more
    than its key."""
    own: dict[str, dict[str, int]] = {}
    for name, size, value in sizes:
        own.setdefault(name, {})[size] = value
    return Engines(width, burst, 0).sized(**own)


def timed(graph: Graph, step: StepPlan, engines: Engines, latency: int) -> StepTime:
    """The time of a step on a memory of so many cycles of latency."""
    f = step_counts(graph, step, engines, own_fields(graph, step, engines))
    own = engine(step.engine)
    words = own.group_words(graph, step, engines, f)
    weight_cycles, stored = own.stream_cycles(graph, step, engines, f, words)
    streams = {
        "input stream": float(f["loads"]),
        "output stream": float(f["results"]),
        "weight stream": weight_cycles,
        "compute": own.cycles(graph, step, engines, f),
    }
    layer, result = graph.layer(step.layer), graph.layer(step.addition or step.layer)
    given, made = step_source(graph, step).type.bytes, graph.output_tensor(result).type.bytes
    joined = graph.tensors[step.residual].type.bytes if step.residual else 0
    moved = f["loads"] * given + f["results"] * (made + joined) + own.loaded(f) * given
    moved *= engines.width
    weights = engines.width * engines.burst * memory_type(graph, layer).bytes
    # Sums of integers have a factor beside each bias.
    biases = step.output_vectors * engines.width * FLOAT32.bytes * (2 if graph.integers else 1)
    moved += f["tiles"] * step.groups * (stored * weights + biases)
    if step.feeder:
        feeding = engine_of(graph.layer(step.feeder))
        streams[feeding.name] = feeding.cycles(graph, step, engines, f)
        filters = f["planes"] * feeding.group_words(graph, step, engines, f)
        moved += filters * weights
    busiest = max(streams, key=lambda name: streams[name])
    # A step's record goes ahead of its data, all but the last word, which waits for the step
    # before; from the reader it goes to the engine, and through its kernels, each with the latency
    # of a kernel.
    start = float(latency + STEP_LATENCY + own.hops * KERNEL_LATENCY) + own.fill(step, f)
    return StepTime(start, streams[busiest], own.drain(f), moved, busiest)
