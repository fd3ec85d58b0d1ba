"""How tiles of convolutions are cut, and on which engine a layer is quickest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.ops import operator
from hlsgen.placement import Placement
from hlsgen.plan import ARRAYS, Engines, StepPlan
from hlsgen.schedule.folded_timing import StepTime, step_time
from hlsgen.schedule.steps import Ways, tile_size

# Into how many rows of tiles a convolution's output may be cut, beside what capacity demands: smaller tiles fill and
# drain faster, larger ones read their weights less often.
CUTS = (1, 2, 3, 4, 6, 8, 12, 16)


@dataclass(frozen=True)
class Pace:
    """What the cycles of a step depend on; `clock` in MHz."""

    graph: Graph
    engines: Engines
    placement: Placement
    board: Board
    clock: float

    def cycles(self, step: StepPlan) -> float:
        """Cycles of a step, waiting for memory included."""
        return self.waiting(self.time(step))

    def time(self, step: StepPlan) -> StepTime:
        """The time of a step."""
        return step_time(self.graph, step, self.engines, self.placement, self.board)

    def waiting(self, time: StepTime) -> float:
        """Cycles of a step's time, waiting for memory included."""
        rate = self.clock * 1e6 / (self.board.sustained_bandwidth(3) * 1e9)
        return time.start + max(time.body, time.bytes * rate) + time.tail

    def quickest(self, ways: Ways) -> tuple[StepPlan, ...]:
        """The way to compute a layer that takes the fewest cycles, its tiles cut best."""
        options = [tuple(cut(step, self) for step in steps) for steps in ways]
        return options[0] if len(options) == 1 else min(options, key=lambda steps: sum(map(self.cycles, steps)))


def cut(step: StepPlan, pace: Pace) -> StepPlan:
    """A convolution's step with the tile that takes the fewest cycles: some rows, or several whole images."""
    options = tilings(step, pace)
    return options[0] if len(options) == 1 else min(options, key=pace.cycles)


def tilings(step: StepPlan, pace: Pace) -> list[StepPlan]:
    """The step with all tiles that are worth trying."""
    if step.engine not in ARRAYS:
        return [step]
    graph, engines = pace.graph, pace.engines
    height = graph.output_tensor(graph.layer(step.layer)).height
    heights = {step.tile_height, *(h for h in (ceil(height / n) for n in CUTS) if h <= step.tile_height)}
    options = [replace(step, tile_height=h) for h in sorted(heights, reverse=True)]
    options += [option for count in range(2, step.images + 1) if (option := together(step, count, graph, engines))]
    return options


def together(step: StepPlan, count: int, graph: Graph, engines: Engines) -> StepPlan | None:
    """The step with `count` whole images in a tile, so that its weights are read once for all; None where that is impossible."""
    layer, result = graph.layer(step.layer), graph.output_tensor(graph.layer(step.layer))
    engines = engines.of(step.engine)
    option = replace(step, tile_height=result.height, tile_width=result.width, tile_images=count)
    if step.feeder or count * result.pixels > engines.tile_pixels:
        return None
    fields = operator(layer.op).folded_fields(layer, graph, option, engines)
    return option if tile_size(fields, option) <= engines.tile_vectors else None
