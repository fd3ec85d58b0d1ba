"""Plans folded designs: the shape of the engines, and the steps that walk the network through them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from hlsgen.boards import Board
from hlsgen.errors import PlanError
from hlsgen.graph import Graph
from hlsgen.ops import operator
from hlsgen.ops.compress import BLOCK
from hlsgen.ops.sparse import WORTHWHILE
from hlsgen.placement import Placement, place_tensors
from hlsgen.plan import Engines, Plan, StepPlan
from hlsgen.schedule.convolve import reshaped
from hlsgen.schedule.estimate import Estimate, estimate
from hlsgen.schedule.folded_reason import reason
from hlsgen.schedule.folded_timing import compressed_rows, step_time
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.shapes import BURSTS, candidates, hopeless, is_sparse, no_smaller
from hlsgen.schedule.steps import feeding_layers, plan_steps, tile_size

# Into how many rows of tiles a convolution's output may be cut, beside what capacity demands: smaller tiles fill and
# drain faster, larger ones read their weights less often.
CUTS = (1, 2, 3, 4, 6, 8, 12, 16)


@dataclass(frozen=True)
class Candidate:
    """Engines with the steps that they take, and the prediction."""

    plan: Plan
    predicted: Estimate


@dataclass(frozen=True)
class Found:
    """What an enumeration found, how many shapes it evaluated, and the first problem it met."""

    best: Candidate | None
    tried: int
    problem: PlanError | None


def plan_folded(graph: Graph, board: Board, plan: Plan, goal: Goal) -> Plan:
    """Complete `plan` with the engines that serve the goal best. Raises PlanError when none fits.

    In a hybrid plan depthwise layers stream into the 1x1 convolutions after them; without such a pair it is refused.

    All engine shapes are enumerated, largest first. A shape is skipped without planning its steps when its multipliers alone do not fit, or
    when they alone could not beat the best found (`hopeless`): both bounds are sound. Nor are smaller buffers tried than those that
    the steps left partly unused. For a sparse network engines that skip zeros are tried after those that multiply by all weights.
    """
    if plan.style == "hybrid" and not feeding_layers(graph):
        raise PlanError(
            "has no depthwise layer that alone feeds a 1x1 convolution",
            where="hybrid design",
            remedy="use --style folded",
        )
    found = best_shape(graph, board, goal, candidates(graph, board, plan, goal), None)
    if found.best is not None:
        found = replace(found, best=compress(found.best, graph, board, goal))
    if not plan.disabled and any(is_sparse(layer) for layer in graph.layers):
        skipping = best_shape(graph, board, goal, candidates(graph, board, plan, goal, skipping=True), found.best)
        found = replace(skipping, tried=found.tried + skipping.tried, problem=found.problem or skipping.problem)
    if found.best is None:
        raise found.problem or PlanError(
            "not even the smallest engines fit", where=f"folded design on {board.name}", remedy="choose a larger board"
        )
    return found.best.plan.with_reason(reason(found.best.plan, found.best.predicted, graph, board, goal, found.tried))


def best_shape(graph: Graph, board: Board, goal: Goal, options: Iterable[Plan], best: Candidate | None) -> Found:
    """The best of `options` and `best`."""
    problem: PlanError | None = None
    tried = 0
    last: Plan | None = None
    for shape in options:
        if (last and no_smaller(shape, last)) or (
            best is not None and hopeless(graph, shape, best.predicted, board, goal)
        ):
            continue
        try:
            found = evaluate(graph, shape, board, goal)
        except PlanError as error:
            problem = problem or error
            continue
        tried, last = tried + 1, found.plan
        if not shape.disabled and not found.predicted.resources.fits(board, goal.caps):
            problem = too_large(found, board, goal) or problem
            continue
        if best is None or score(found, board, goal) < score(best, board, goal):
            best = found
    return Found(best, tried, problem)


def compress(found: Candidate, graph: Graph, board: Board, goal: Goal) -> Candidate:
    """The design with the weights of its convolutions compressed in memory where that makes it better.

    Compressed words may be wider on the chip than the memory could deliver them dense.
    """
    plan, e = found.plan, found.plan.engines
    assert e is not None
    best, shaped = found, reshaped(graph, plan)
    if e.skipping or not any(pays(step, shaped, e) for step in plan.steps):
        return found
    for burst in (b for b in BURSTS if b >= e.burst and e.width % b == 0 and goal.engine_pins().get("burst", b) == b):
        wider = evaluate(graph, replace(plan, engines=replace(e, burst=burst)), board, goal).plan
        assert wider.engines is not None
        steps = tuple(replace(step, compressed=pays(step, shaped, wider.engines)) for step in wider.steps)
        done = replace(wider, steps=steps)
        better = Candidate(done, estimate(graph, done, goal.calibration, board))
        fits = plan.disabled or better.predicted.resources.fits(board, goal.caps)
        if fits and score(better, board, goal) < score(best, board, goal):
            best = better
    return best


def pays(step: StepPlan, graph: Graph, engines: Engines) -> bool:
    """Whether a convolution's compressed weights take so much less memory that reading them is worth an expander."""
    if step.engine != "convolution":
        return False
    weight = graph.layer(step.layer).weights["weight"]
    if np.count_nonzero(weight) > WORTHWHILE * weight.size:
        return False
    return compressed_rows(graph, step, engines) < WORTHWHILE * BLOCK


def too_large(found: Candidate, board: Board, goal: Goal) -> PlanError | None:
    """Why a candidate does not fit."""
    try:
        found.predicted.resources.check(board, goal.caps, found.plan.style)
    except PlanError as error:
        return PlanError(error.reason, where=error.where, remedy="choose a larger board")
    return None


def evaluate(graph: Graph, plan: Plan, board: Board, goal: Goal) -> Candidate:
    """Plan the steps of an engine shape, shrink its buffers to what they use, predict.

    How tiles are best cut depends on the clock, and the clock on the buffers that tiles take: so once for the device's best clock, then
    for the one that the first cut gives.
    """
    first = evaluate_at(graph, plan, board, goal, board.device.fmax)
    if not plan.enabled("tile"):
        return first
    second = evaluate_at(graph, plan, board, goal, first.predicted.resources.fmax)
    return min(first, second, key=lambda found: score(found, board, goal))


def evaluate_at(graph: Graph, plan: Plan, board: Board, goal: Goal, clock: float) -> Candidate:
    """As `evaluate`, tiles cut for a clock in MHz."""
    engines = plan.engines
    assert engines is not None
    shaped = reshaped(graph, plan)
    steps = plan_steps(shaped, engines, plan)
    if plan.enabled("tile"):
        placement = place_tensors(shaped, engines.width)
        steps = tuple(cut(step, shaped, engines, placement, board, clock) for step in steps)
    done = replace(plan, steps=steps, engines=fitted(shaped, steps, engines))
    return Candidate(done, estimate(graph, done, goal.calibration, board))


def cut(step: StepPlan, graph: Graph, engines: Engines, placement: Placement, board: Board, clock: float) -> StepPlan:
    """A convolution's step with the tile that takes the fewest cycles at a clock in MHz: some rows, or several whole images."""
    if step.engine != "convolution":
        return step
    height = graph.output_tensor(graph.layer(step.layer)).height
    heights = {step.tile_height, *(h for h in (ceil(height / n) for n in CUTS) if h <= step.tile_height)}
    options = [replace(step, tile_height=h) for h in sorted(heights, reverse=True)]
    options += [option for count in range(2, step.images + 1) if (option := together(step, count, graph, engines))]
    rate = clock * 1e6 / (board.sustained_bandwidth(3) * 1e9)

    def cycles(option: StepPlan) -> float:
        time = step_time(graph, option, engines, placement, board)
        return time.start + max(time.body, time.bytes * rate) + time.tail

    return min(options, key=cycles)


def together(step: StepPlan, count: int, graph: Graph, engines: Engines) -> StepPlan | None:
    """The step with `count` whole images in a tile, so that its weights are read once for all; None where that is impossible."""
    layer, result = graph.layer(step.layer), graph.output_tensor(graph.layer(step.layer))
    option = replace(step, tile_height=result.height, tile_width=result.width, tile_images=count)
    if step.feeder or count * result.pixels > engines.tile_pixels:
        return None
    fields = operator(layer.op).folded_fields(layer, graph, option, engines)
    return option if tile_size(fields, option) <= engines.tile_vectors else None


def score(found: Candidate, board: Board, goal: Goal) -> tuple[float, ...]:
    """What the goal wants least of."""
    shares = sum(found.predicted.resources.shares(board).values())
    if goal.objective == "resources":
        missing = max(goal.fps / found.predicted.throughput, 1.0)
        return missing, shares
    if goal.objective == "latency":
        return found.predicted.latency, shares
    return 1 / found.predicted.throughput, shares


def fitted(graph: Graph, steps: tuple[StepPlan, ...], engines: Engines) -> Engines:
    """The engines with tile buffer and accumulators no larger than the steps use (the buffer a power of two)."""
    tile, pixels = 1, 16
    for step in steps:
        if step.engine == "convolution":
            layer = graph.layer(step.layer)
            fields = operator(layer.op).folded_fields(layer, graph, step, engines)
            tile = max(tile, tile_size(fields, step))
            pixels = max(pixels, step.tile_images * step.tile_height * step.tile_width)
    return replace(engines, tile_vectors=1 << (tile - 1).bit_length(), tile_pixels=pixels)
