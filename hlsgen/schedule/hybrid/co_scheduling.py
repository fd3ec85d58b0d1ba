"""A prefix beside engines: the smallest pipeline of first layers that keeps up with the engines
that compute the others, within the caps."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor, log

from hlsgen.boards import Board
from hlsgen.errors import Infeasible
from hlsgen.evidence import Evidence
from hlsgen.graph import Graph
from hlsgen.model.estimate import estimate
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.rewrites.dense_as_convolution import as_convolutions
from hlsgen.rewrites.prefix import check_between, split_after
from hlsgen.schedule.folded.planner import Candidate, compress, evaluate
from hlsgen.schedule.folded.shapes import with_needed
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.hybrid.partition import Partition
from hlsgen.schedule.pipelined.choices import WIDTHS, tensor_classes
from hlsgen.schedule.pipelined.options import OptionCache
from hlsgen.schedule.pipelined.planner import complete
from hlsgen.schedule.pipelined.problem import build_problem
from hlsgen.schedule.pipelined.relaxation import Relaxation
from hlsgen.schedule.pipelined.search import solve

# Cycles an image of prefixes are powers of this; a prefix may be so many steps slower than the
# engines beside it.
STEP, STEPS = 1.02, 12


def outdone(rate: float, best: Candidate | None, goal: Goal) -> bool:
    """Whether a design of so many images a second at most cannot be better than the best. (Of
    latency a rate says nothing.)"""
    return best is not None and goal.objective == "throughput" and rate <= best.predicted.throughput


class Prefixes:
    """Pipelines of a network's first layers, each found once; `layers` counts those of all prefixes
    that were asked for."""

    def __init__(
        self, graph: Graph, board: Board, goal: Goal, lanes: int, cache: OptionCache | None = None
    ):
        """`lanes`: of the vectors of the engines that read the prefix's result."""
        self.graph, self.board, self.lanes = graph, board, lanes
        self.goal = replace(goal, objective="resources", images=1, copies=1)
        self.problems: dict[int, Relaxation] = {}
        self.cache = cache or OptionCache()
        self.found: dict[tuple[int, int], Plan | None] = {}
        self.layers = 0

    def possible(self, count: int) -> bool:
        """Whether every layer of a prefix can be a kernel of its own."""
        layers = self.graph.layers[:count]
        return not any(
            operator(layer.op).refusal(layer, self.graph, "pipelined") for layer in layers
        )

    def pipeline(self, count: int, step: int) -> Plan | None:
        """The smallest pipeline of `count` layers that takes no more than STEP ** `step` cycles an
        image, None where there is none."""
        if (count, step) not in self.found:
            try:
                self.found[count, step] = self.smallest(count, STEP**step)
            except Infeasible:
                self.found[count, step] = None
        return self.found[count, step]

    def smallest(self, count: int, cycles: float) -> Plan:
        """The smallest pipeline of `count` layers that takes no more than so many cycles an image.
        Raises Infeasible."""
        prefix, _ = split_after(self.graph, count)
        plan, classes = Plan(self.graph.name, self.board.name, "pipelined"), tensor_classes(prefix)
        if count not in self.problems:
            self.layers += count
            goal = replace(self.goal, pins=self.pins(prefix))
            # Memory serves the engines: the prefix keeps its weights on chip, unless a pin says
            # otherwise.
            streams = any(field == "row_tiles" and value for (_, field), value in goal.pins.items())
            problem = build_problem(prefix, self.board, plan, goal, classes, self.cache, streams)
            self.problems[count] = Relaxation(problem)
        # Both parts have the same clock, so that the rate is one of cycles; `solve` reckons with
        # the lowest clock.
        goal = replace(self.goal, fps=self.board.device.fmax_low * 1e6 / cycles)
        choice = solve(self.problems[count], self.board, goal).choice
        return complete(prefix, plan, classes, choice)

    def pins(self, prefix: Graph) -> dict[tuple[str, str], int]:
        """The user's pins of the prefix's layers. Where vectors of other widths would lay out the
        prefix's result otherwise than the engines read it, its vectors are as wide as theirs."""
        last, names = prefix.layers[-1], {layer.name for layer in prefix.layers}
        found = {
            (owner, field): value
            for (owner, field), value in self.goal.pins.items()
            if owner in names
        }
        channels = prefix.output_tensor(last).channels
        padded = {
            ceil(channels / width) * width for width in (*WIDTHS, self.lanes) if width <= self.lanes
        }
        return ({(last.name, "output_width"): self.lanes} if len(padded) > 1 else {}) | found


def co_scheduled(
    plan: Plan, goal: Goal, partition: Partition, pipelines: Prefixes, best: Candidate | None = None
) -> Candidate | None:
    """The design of a pair: engines with the largest buffers that leave room for the prefix, the
    smallest one that keeps up with them, or comes as near to it as the board has room for. None
    where it does not fit, no prefix can end there, or the engines alone are outdone."""
    graph, board = pipelines.graph, pipelines.board
    _, rest = split_after(graph, partition.count)
    for engines in partition.engines:
        try:
            after = engines_for(rest, board, replace(plan, engines=engines), goal)
            if outdone(
                after.predicted.throughput, best, goal
            ):  # a prefix beside them makes the clock no higher
                return None
            found = quickest(after, rest, partition.count, pipelines)
        except Infeasible:  # buffers too small for a layer, or no prefix can end there
            return None
        if found is None or fits(found, pipelines):
            return found
        if found.predicted.resources.shares(board)["memory blocks"] <= goal.caps.blocks:
            return None  # smaller buffers would not help
    return None


def fits(found: Candidate | None, pipelines: Prefixes) -> bool:
    """Whether there is a design, within the caps."""
    return found is not None and found.predicted.resources.fits(
        pipelines.board, pipelines.goal.caps
    )


def quickest(after: Candidate, rest: Graph, count: int, pipelines: Prefixes) -> Candidate | None:
    """The engines of `after` with the quickest prefix that fits beside them, no quicker than they
    are; where none fits, with the slowest one that was tried, if there is one. Raises Infeasible
    where no prefix can end at its tensor."""

    def at(step: int) -> Candidate | None:
        ahead = pipelines.pipeline(count, step)
        if ahead is None:
            return None
        both = merged(after.plan, ahead)
        check_between(rest, both)
        return Candidate(
            both, estimate(pipelines.graph, both, pipelines.goal.calibration, pipelines.board)
        )

    small = floor(log(after.predicted.timing.cycles) / log(STEP))
    large = small + STEPS
    found = at(small)
    if fits(found, pipelines):
        return found
    found = at(large)
    while fits(found, pipelines) and large - small > 1:
        middle = (small + large) // 2
        better = at(middle)
        small, large, found = (
            (small, middle, better) if fits(better, pipelines) else (middle, large, found)
        )
    return found


def engines_for(rest: Graph, board: Board, plan: Plan, goal: Goal) -> Candidate:
    """The engines of a plan computing the rest alone, those sizes of theirs that depend on the
    layers adapted to it. Raises Infeasible."""
    e = plan.engines
    assert e is not None
    names = {layer.name for layer in rest.layers}
    dense = tuple(name for name in plan.dense_as_convolution if name in names)
    own = replace(
        plan,
        style="hybrid",
        engines=with_needed(e, as_convolutions(rest, dense)),
        steps=(),
        im2col=(),
        dense_as_convolution=dense,
        evidence=Evidence(),
    )
    return compress(evaluate(rest, own, board, goal), rest, board, goal)


def merged(rest: Plan, prefix: Plan) -> Plan:
    """One plan of both parts."""
    return replace(rest, kernels=prefix.kernels, edges=prefix.edges)
