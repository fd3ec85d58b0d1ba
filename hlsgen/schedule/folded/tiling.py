"""How tiles of convolutions are cut, and on which engine a layer is quickest."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

from hlsgen.boards import Board
from hlsgen.engines import array, is_array
from hlsgen.engines.array import tile_size
from hlsgen.graph import Graph, remembered
from hlsgen.model.step_time import StepTime, Times, step_key
from hlsgen.ops import operator
from hlsgen.plan import Engines, Plan, StepPlan
from hlsgen.schedule.folded.steps import Use, steps_of, uses

# Into how many rows of tiles a convolution's output may be cut, beside what capacity demands:
# smaller tiles fill and drain faster, larger ones read their weights less often.
CUTS = (1, 2, 3, 4, 6, 8, 12, 16)
# Kernels that read memory at the same time while a step runs: at least so many, and where it has a
# second input.
FEWEST_READERS, READERS = 2, 3


@dataclass(frozen=True)
class Tiling:
    """A step with one of the tiles that it may be cut into, and what it then takes."""

    step: StepPlan
    time: StepTime


# A way in which a layer may be computed: for each of its steps the tilings that are worth trying.
TimedWay = tuple[list[Tiling], ...]
TimedWays = list[TimedWay]
# A step with all that its time depends on.
Keyed = tuple[StepPlan, Hashable]


@dataclass(frozen=True)
class Pace:
    """How fast steps run at a clock (MHz) beside a memory that `readers` kernels read."""

    board: Board
    clock: float
    readers: int = READERS

    @cached_property
    def rate(self) -> float:
        """Cycles a byte of memory traffic."""
        return self.clock * 1e6 / (self.board.sustained_bandwidth(self.readers) * 1e9)

    def waiting(self, time: StepTime) -> float:
        """Cycles of a step's time, waiting for memory included."""
        return time.start + max(time.body, time.bytes * self.rate) + time.tail

    def least(self, tilings: list[Tiling]) -> float:
        """The fewest cycles of a step."""
        return min(self.waiting(tiling.time) for tiling in tilings)

    def least_cycles(self, ways: TimedWays) -> float:
        """The fewest cycles of a layer."""
        return min(sum(map(self.least, way)) for way in ways)

    def cut(self, tilings: list[Tiling]) -> StepPlan:
        """The step with the tile that takes the fewest cycles: some rows, or several whole
        images."""
        best = (
            tilings[0]
            if len(tilings) == 1
            else min(tilings, key=lambda tiling: self.waiting(tiling.time))
        )
        return best.step

    def quickest(self, ways: TimedWays) -> tuple[StepPlan, ...]:
        """The way to compute a layer that takes the fewest cycles, its tiles cut best."""
        way = ways[0] if len(ways) == 1 else min(ways, key=lambda way: sum(map(self.least, way)))
        return tuple(self.cut(tilings) for tilings in way)


def timed_ways(name: str, graph: Graph, engines: Engines, plan: Plan, times: Times) -> TimedWays:
    """The ways to compute a layer with all tilings of their steps; `times`: on these engines.
    Raises Infeasible."""
    return [timed_way(graph, use, times) for use in uses(name, graph, engines, plan)]


def timed_way(graph: Graph, use: Use, times: Times) -> TimedWay:
    """The steps of a layer on one of the engines with all their tilings. Raises Infeasible."""
    return tuple(
        [Tiling(step, times.of(graph, step, key)) for step, key in options]
        for options in keyed_tilings(graph, use)
    )


@remembered
def keyed_tilings(graph: Graph, use: Use) -> tuple[list[Keyed], ...]:
    """For each step of a layer on an engine all tilings. Raises Infeasible."""
    engines = use.engines()
    return tuple(
        keyed_heights(graph, step)
        + [(option, step_key(graph, option)) for option in together(step, graph, engines)]
        for step in steps_of(graph, use)
    )


@remembered
def keyed_heights(graph: Graph, step: StepPlan) -> list[Keyed]:
    """The step with tiles of fewer rows."""
    return [(option, step_key(graph, option)) for option in of_heights(step, graph)]


def tilings(step: StepPlan, graph: Graph, engines: Engines) -> list[StepPlan]:
    """The step with all tiles that are worth trying."""
    return of_heights(step, graph) + together(step, graph, engines)


def of_heights(step: StepPlan, graph: Graph) -> list[StepPlan]:
    """The step with its own tile, and with tiles of fewer rows."""
    if not is_array(step.engine):
        return [step]
    height = graph.output_tensor(graph.layer(step.layer)).height
    heights = {
        step.tile_height,
        *(h for h in (ceil(height / n) for n in CUTS) if h <= step.tile_height),
    }
    return [
        step if h == step.tile_height else replace(step, tile_height=h)
        for h in sorted(heights, reverse=True)
    ]


def together(step: StepPlan, graph: Graph, engines: Engines) -> list[StepPlan]:
    """The step with two or more whole images in a tile, as many as the tile of its array holds,
    so that its weights are read once for all of them."""
    if step.feeder or step.images == 1 or not is_array(step.engine):
        return []
    layer, result = graph.layer(step.layer), graph.output_tensor(graph.layer(step.layer))
    whole = replace(step, tile_height=result.height, tile_width=result.width, tile_images=1)
    image = tile_size(operator(layer.op).folded_fields(layer, graph, whole, engines), whole)
    fitting = array(step.engine).images_at_once(engines, image, result.pixels)
    most = min(step.images, fitting)
    return [replace(whole, tile_images=count) for count in range(2, most + 1)]
