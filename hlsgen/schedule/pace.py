"""How tiles of convolutions are cut, and on which engine a layer is quickest."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.ops import operator
from hlsgen.plan import ARRAYS, Engines, StepPlan
from hlsgen.schedule.step_time import StepTime, step_key, step_time
from hlsgen.schedule.steps import Ways, tile_size

# Into how many rows of tiles a convolution's output may be cut, beside what capacity demands: smaller tiles fill and
# drain faster, larger ones read their weights less often.
CUTS = (1, 2, 3, 4, 6, 8, 12, 16)
# Kernels that read memory at the same time while a step runs: at least so many, and where it has a second input.
FEWEST_READERS, READERS = 2, 3


@dataclass(frozen=True)
class Tiling:
    """A tile that a step may be cut into, and what the step then takes."""

    height: int
    width: int
    images: int
    time: StepTime


@dataclass(frozen=True)
class Timed:
    """A step with the tilings that are worth trying."""

    step: StepPlan
    tilings: Sequence[Tiling]


# The ways in which a layer may be computed, timed.
TimedWays = list[tuple[Timed, ...]]


@dataclass(frozen=True)
class Pace:
    """How fast steps run at a clock (MHz) beside a memory that `readers` kernels read."""

    board: Board
    clock: float
    readers: int = READERS

    @property
    def rate(self) -> float:
        """Cycles a byte of memory traffic."""
        return self.clock * 1e6 / (self.board.sustained_bandwidth(self.readers) * 1e9)

    def waiting(self, time: StepTime) -> float:
        """Cycles of a step's time, waiting for memory included."""
        return time.start + max(time.body, time.bytes * self.rate) + time.tail

    def least(self, timed: Timed) -> float:
        """The fewest cycles of a step."""
        return min(self.waiting(tiling.time) for tiling in timed.tilings)

    def cut(self, timed: Timed) -> StepPlan:
        """The step with the tile that takes the fewest cycles: some rows, or several whole images."""
        if len(timed.tilings) == 1:
            return timed.step
        best = min(timed.tilings, key=lambda tiling: self.waiting(tiling.time))
        return replace(timed.step, tile_height=best.height, tile_width=best.width, tile_images=best.images)

    def quickest(self, ways: TimedWays) -> tuple[StepPlan, ...]:
        """The way to compute a layer that takes the fewest cycles, its tiles cut best."""
        steps = ways[0] if len(ways) == 1 else min(ways, key=lambda way: sum(map(self.least, way)))
        return tuple(self.cut(timed) for timed in steps)

    def least_cycles(self, layers: Sequence[TimedWays]) -> float:
        """The fewest cycles of all layers, each on the way that is quickest."""
        return sum(min(sum(map(self.least, way)) for way in ways) for ways in layers)


def timed_ways(graph: Graph, layers: Sequence[Ways], engines: Engines, board: Board) -> list[TimedWays]:
    """All steps of all ways to compute the layers, with all their tilings. Equal steps share them."""
    known: dict[Hashable, Sequence[Tiling]] = {}

    def timed(step: StepPlan) -> Timed:
        key = step_key(graph, step)
        if key not in known:
            known[key] = [
                Tiling(
                    option.tile_height, option.tile_width, option.tile_images, step_time(graph, option, engines, board)
                )
                for option in tilings(step, graph, engines)
            ]
        return Timed(step, known[key])

    return [[tuple(timed(step) for step in way) for way in ways] for ways in layers]


def tilings(step: StepPlan, graph: Graph, engines: Engines) -> list[StepPlan]:
    """The step with all tiles that are worth trying."""
    if step.engine not in ARRAYS:
        return [step]
    height = graph.output_tensor(graph.layer(step.layer)).height
    heights = {step.tile_height, *(h for h in (ceil(height / n) for n in CUTS) if h <= step.tile_height)}
    options = [step if h == step.tile_height else replace(step, tile_height=h) for h in sorted(heights, reverse=True)]
    return options + together(step, graph, engines)


def together(step: StepPlan, graph: Graph, engines: Engines) -> list[StepPlan]:
    """The step with two or more whole images in a tile, as many as it holds, so that its weights are read once for all of them."""
    if step.feeder or step.images == 1:
        return []
    layer, result = graph.layer(step.layer), graph.output_tensor(graph.layer(step.layer))
    engines = engines.of(step.engine)
    whole = replace(step, tile_height=result.height, tile_width=result.width, tile_images=1)
    image = tile_size(operator(layer.op).folded_fields(layer, graph, whole, engines), whole)
    most = min(step.images, engines.tile_pixels // result.pixels, engines.tile_vectors // image)
    return [replace(whole, tile_images=count) for count in range(2, most + 1)]
