"""Bounds of folded designs: what no tiling of any steps on engines of some size can beat, so that
most shapes are never planned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import ceil, inf

from hlsgen.boards import Board
from hlsgen.engines import array, on_array
from hlsgen.engines.base import memory_type
from hlsgen.graph import Graph, remembered
from hlsgen.model.estimate import Estimate
from hlsgen.model.folded_timing import LAUNCHES, link_seconds
from hlsgen.model.step_time import STEP_LATENCY, times_on
from hlsgen.ops.arrays import vectors
from hlsgen.ops.conv_steps import group_runs
from hlsgen.plan import Plan
from hlsgen.schedule.folded.steps import models
from hlsgen.schedule.folded.tiling import FEWEST_READERS, Pace, TimedWays, timed_ways
from hlsgen.schedule.goal import Goal

# Times that differ by less are equal, and then resources decide: rounding must not.
EQUAL = 1 + 1e-9


@dataclass(frozen=True)
class Work:
    """What a convolution asks of an array at least: `runs` steps over `pixels` of the result, each
    of them `count` output vectors of `words` words of one tap, or where zeros are skipped of one
    weight a lane. `weights` are the bytes of the weights of all runs, `results` those of the
    results of an image."""

    runs: int
    pixels: int
    count: int
    words: float
    weights: float
    results: float

    def cycles(self, inputs: int, outputs: int) -> int:
        """Whole words of taps, whole groups of outputs, a result vector a cycle."""
        return (
            self.runs
            * self.pixels
            * max(ceil(self.count / outputs) * max(1, ceil(self.words / inputs)), self.count)
        )


@remembered
def works(graph: Graph, name: str, width: int) -> dict[str, Work]:
    """What every convolution asks of the array `name`, of vectors of `width` channels."""
    found = {}
    for layer in graph.layers:
        if on_array(layer):
            a, source, result = (
                layer.attributes,
                graph.tensors[layer.inputs[0]],
                graph.output_tensor(layer),
            )
            runs = group_runs(source.channels, a.filters, a.groups, width)
            depth, count = (ceil(vectors(n, width) / runs) for n in (source.channels, a.filters))
            words, weights = array(name).least(layer, depth, width)
            moved = runs * count * weights * width * memory_type(graph, layer).bytes
            results = runs * count * result.pixels * width * result.type.bytes
            found[layer.name] = Work(runs, result.pixels, count, words, moved, results)
    return found


def least_cycles(
    graph: Graph, array: str, width: int, inputs: int, outputs: int
) -> tuple[int, ...]:
    """Cycles an image below which no tiling brings each of the convolutions on an array."""
    return tuple(work.cycles(inputs, outputs) for work in works(graph, array, width).values())


class Bound:
    """What the steps of a launch take at least on engines that differ in the sizes of an array
    alone."""

    def __init__(self, graph: Graph, plan: Plan, board: Board):
        """`graph` as the plan computes it."""
        self.graph, self.plan, self.board = graph, plan, board
        self.others = cache(self.others_of)

    def cycles(self, array: str, inputs: int, outputs: int, clock: float) -> dict[str, float]:
        """Of a layer of every kind, at a clock of so many MHz."""
        pace, images = Pace(self.board, clock, FEWEST_READERS), self.plan.images
        assert self.plan.engines is not None
        convolutions, found = works(self.graph, array, self.plan.engines.width), {}
        for model in dict.fromkeys(models(self.graph, self.plan).values()):
            if model in convolutions:
                work = convolutions[model]
                moved = (work.weights + images * work.results) * pace.rate
                turns = max(images * work.cycles(inputs, outputs), moved)
                found[model] = self.board.device.load_latency + STEP_LATENCY + turns
            else:
                found[model] = pace.least_cycles(self.others(model, outputs))
        return found

    def others_of(self, model: str, outputs: int) -> TimedWays:
        """The ways to compute a layer that is no convolution."""
        assert self.plan.engines is not None
        engines = replace(self.plan.engines, group=outputs)
        times = times_on(self.graph, engines, self.board)
        return timed_ways(model, self.graph, engines, self.plan, times)


def most_seconds(
    best: Estimate | None, graph: Graph, plan: Plan, board: Board, goal: Goal
) -> float:
    """What the steps of a launch may take in a design no worse than the best: no longer than the
    goal lets a launch take, without what the host takes of it."""
    if best is None:
        return inf
    host = LAUNCHES * board.launch_us * 1e-6
    if goal.objective == "latency":
        return best.latency * EQUAL - host - link_seconds(graph, plan, board)
    enough = min(best.throughput, goal.fps) if goal.objective == "resources" else best.throughput
    return plan.images / enough * EQUAL - host
