"""Plans folded designs: the shape of the engines, and the steps that walk the network through
them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf

from hlsgen.boards import Board
from hlsgen.descriptors import own_fields
from hlsgen.engines import arrays, engine, engines_of, on_array
from hlsgen.engines.array import tile_size
from hlsgen.errors import Infeasible
from hlsgen.evidence import Evidence
from hlsgen.graph import Graph
from hlsgen.model.estimate import Estimate, estimate
from hlsgen.model.step_time import times_on
from hlsgen.ops.sparse import WORTHWHILE, density
from hlsgen.plan import Engines, Plan, StepPlan
from hlsgen.progress import stage
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.schedule.draft import Draft, Earlier
from hlsgen.schedule.folded.bounds import most_seconds
from hlsgen.schedule.folded.dual_array import MOST_PAIRS, has_work_for_both, pairs
from hlsgen.schedule.folded.shapes import (
    BURSTS,
    Shape,
    Tried,
    bursts,
    candidates,
    is_sparse,
    may_skip_zeros,
    with_needed,
)
from hlsgen.schedule.folded.steps import all_steps, models, plan_steps
from hlsgen.schedule.folded.tiling import FEWEST_READERS, Pace, TimedWays, timed_ways
from hlsgen.schedule.goal import Goal


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
    problem: Infeasible | None


def draft_folded(graph: Graph, board: Board, plan: Plan, goal: Goal, earlier: Earlier) -> Draft:
    """`plan_folded`, which leaves nothing to finish."""
    found = plan_folded(graph, board, plan, goal)
    return Draft(found, lambda: found)


def plan_folded(graph: Graph, board: Board, plan: Plan, goal: Goal) -> Plan:
    """Complete `plan` with the engines that serve the goal best. Raises Infeasible when none fits.

    In a hybrid plan depthwise layers stream into the 1x1 convolutions after them.

    All engine shapes are enumerated, those first whose multipliers could be quickest. A shape is
    skipped without planning its steps when its multipliers alone do not fit, or when they could not
    beat the best found (`Bound`), and without predicting the design when its steps could not: all
    these bounds are sound. Nor are smaller buffers tried than those that the steps left partly
    unused. For a sparse network a convolution engine that skips zeros is tried after one that
    multiplies by all weights, then both side by side, every layer on the one that is quicker.
    """
    sparse = not plan.disabled and any(is_sparse(layer) for layer in graph.layers)
    paired = sparse and has_work_for_both(graph)
    found = Found(None, 0, None)
    finalists = []
    alone = sparse and all(may_skip_zeros(layer) for layer in graph.layers if on_array(layer))
    ways = [all_weights, *[without_zeros] * alone, *[both_ways] * paired]
    for options in ways:
        more = best_shape(
            graph, board, goal, options(graph, board, plan, goal, found.best), found.best
        )
        if more.best is not None and more.best is not found.best:
            finalists.append(compress(more.best, graph, board, goal))
        found = Found(more.best, found.tried + more.tried, found.problem or more.problem)
    if not finalists:
        raise found.problem or Infeasible(
            "not even the smallest engines fit",
            where=f"folded design on {board.name}",
            remedy="choose a larger board",
        )
    best = min(finalists, key=lambda finalist: score(finalist, board, goal))
    return replace(
        best.plan, evidence=Evidence(fps=goal.fps, shapes=found.tried, pairs=MOST_PAIRS * paired)
    )


def all_weights(
    graph: Graph, board: Board, plan: Plan, goal: Goal, best: Candidate | None
) -> Iterable[Shape]:
    """Designs whose convolutions multiply by all weights."""
    whole, _ = arrays()
    return candidates(graph, board, plan, goal, whole)


def without_zeros(
    graph: Graph, board: Board, plan: Plan, goal: Goal, best: Candidate | None
) -> Iterable[Shape]:
    """Designs whose convolutions all skip zeros."""
    _, skipping = arrays()
    return candidates(graph, board, plan, goal, skipping)


def both_ways(
    graph: Graph, board: Board, plan: Plan, goal: Goal, best: Candidate | None
) -> Iterable[Shape]:
    """Designs with both engines, those alone that could be better than the best with one."""
    if goal.objective == "resources":
        return ()
    limit = most_seconds(best.predicted if best else None, graph, plan, board, goal)
    dense, skipping = (candidates(graph, board, plan, goal, array) for array in arrays())
    return pairs(graph, dense, skipping, board, goal, limit)


def best_shape(
    graph: Graph, board: Board, goal: Goal, options: Iterable[Shape], best: Candidate | None
) -> Found:
    """The best of `options` and `best`."""
    problem: Infeasible | None = None
    tried = Tried()
    for shape in sorted(options, key=lambda shape: shape.seconds):
        assert shape.plan.engines is not None
        limit = most_seconds(best.predicted if best else None, graph, shape.plan, board, goal)
        if shape.seconds > limit:
            break
        if not goal.allows_engines(shape.plan.engines) or tried.covers(shape.plan):
            continue
        try:
            found = promising(graph, shape, board, goal, limit)
        except Infeasible as error:
            problem = problem or error
            continue
        if found is None:
            continue
        tried.add(shape.plan, found.plan)
        if not shape.plan.disabled and not found.predicted.resources.fits(board, goal.caps):
            problem = too_large(found, board, goal) or problem
            continue
        if best is None or score(found, board, goal) < score(best, board, goal):
            best = found
            told = f"{found.plan.style} search"
            stage(told, found.predicted.throughput, found.plan.images / (shape.seconds or inf))
    return Found(best, tried.count, problem)


def promising(
    graph: Graph, shape: Shape, board: Board, goal: Goal, limit: float
) -> Candidate | None:
    """The design of a shape; None where its steps would take more than `limit` seconds. Raises
    PlanError."""
    if not shape.plan.enabled("tile"):
        return untiled(graph, shape.plan, board, goal)
    shaped, engines = reshaped(graph, shape.plan), shape.plan.engines
    assert engines is not None
    pace, counts = (
        Pace(board, shape.clock, FEWEST_READERS),
        Counter(models(shaped, shape.plan).values()),
    )
    least = {model: count * shape.least.get(model, 0.0) for model, count in counts.items()}
    cycles, layers, times = sum(least.values()), {}, times_on(shaped, engines, board)
    for model in sorted(counts, key=lambda model: -least[model]):
        layers[model] = timed_ways(model, shaped, engines, shape.plan, times)
        cycles += max(counts[model] * pace.least_cycles(layers[model]) - least[model], 0.0)
        if cycles / (shape.clock * 1e6) > limit:
            return None
    return tiled(graph, shape.plan, board, goal, layers)


def compress(found: Candidate, graph: Graph, board: Board, goal: Goal) -> Candidate:
    """The design with the weights of its convolutions compressed in memory where that makes it
    better.

    Compressed words may be wider on the chip than the memory could deliver them dense.
    """
    plan, e = found.plan, found.plan.engines
    assert e is not None
    best, shaped = found, reshaped(graph, plan)
    if not any(pays(step, shaped, e) for step in plan.steps):
        return found
    for burst in (
        b
        for b in BURSTS
        if b >= e.burst and b in bursts(graph, e.width) and goal.engine_pins().get("burst", b) == b
    ):
        wider = evaluate(graph, replace(plan, engines=replace(e, burst=burst)), board, goal).plan
        assert wider.engines is not None
        steps = tuple(
            replace(step, compressed=pays(step, shaped, wider.engines)) for step in wider.steps
        )
        done = replace(wider, steps=steps)
        better = Candidate(done, estimate(graph, done, goal.calibration, board))
        fits = plan.disabled or better.predicted.resources.fits(board, goal.caps)
        if fits and score(better, board, goal) < score(best, board, goal):
            best = better
    return best


def pays(step: StepPlan, graph: Graph, engines: Engines) -> bool:
    """Whether a convolution's compressed weights take so much less memory that reading them is
    worth an expander."""
    if not engine(step.engine).compresses:
        return False
    layer = graph.layer(step.layer)
    if layer.narrow or density(layer.weights["weight"]) > WORTHWHILE:
        return False
    return engine(step.engine).share_in_memory(graph, step, engines) < WORTHWHILE


def too_large(found: Candidate, board: Board, goal: Goal) -> Infeasible | None:
    """Why a candidate does not fit."""
    try:
        found.predicted.resources.check(board, goal.caps, found.plan.style)
    except Infeasible as error:
        return Infeasible(error.reason, where=error.where, remedy="choose a larger board")
    return None


def evaluate(graph: Graph, plan: Plan, board: Board, goal: Goal) -> Candidate:
    """Plan the steps of an engine shape, its other engines as large as the network needs, shrink
    its buffers to what they use, predict. Raises PlanError."""
    if not plan.enabled("tile"):
        return untiled(graph, plan, board, goal)
    assert plan.engines is not None
    shaped = reshaped(graph, plan)
    engines = with_needed(plan.engines, shaped)
    plan = replace(plan, engines=engines)
    kinds = dict.fromkeys(models(shaped, plan).values())
    times = times_on(shaped, engines, board)
    layers = {model: timed_ways(model, shaped, engines, plan, times) for model in kinds}
    return tiled(graph, plan, board, goal, layers)


def untiled(graph: Graph, plan: Plan, board: Board, goal: Goal) -> Candidate:
    """The design of engines whose tiles hold whole layers. Raises PlanError."""
    assert plan.engines is not None
    return with_steps(
        graph, plan, plan_steps(reshaped(graph, plan), plan.engines, plan), board, goal
    )


def tiled(
    graph: Graph, plan: Plan, board: Board, goal: Goal, layers: dict[str, TimedWays]
) -> Candidate:
    """The design of engines, each layer computed in the quickest of its ways.

    How tiles are best cut depends on the clock, and the clock on the buffers that tiles take: so
    once for the device's best clock, then for the one that the first cut gives.
    """

    def at(clock: float) -> tuple[StepPlan, ...]:
        pace = Pace(board, clock)
        return all_steps(
            reshaped(graph, plan),
            plan,
            {name: pace.quickest(ways) for name, ways in layers.items()},
        )

    steps = at(board.device.fmax)
    first = with_steps(graph, plan, steps, board, goal)
    again = at(first.predicted.resources.fmax)
    if again == steps:
        return first
    second = with_steps(graph, plan, again, board, goal)
    return min(first, second, key=lambda found: score(found, board, goal))


def with_steps(
    graph: Graph, plan: Plan, steps: tuple[StepPlan, ...], board: Board, goal: Goal
) -> Candidate:
    """The design that takes these steps, its buffers no larger than they need, with its
    prediction."""
    assert plan.engines is not None
    done = replace(plan, steps=steps, engines=fitted(reshaped(graph, plan), steps, plan.engines))
    return Candidate(done, estimate(graph, done, goal.calibration, board))


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
    """The engines that the steps run, with tile buffers and accumulators no larger than these use
    (a buffer a power of two)."""
    found = engines.only({used.name for step in steps for used in engines_of(graph, step)})
    for array in arrays():
        mine = [step for step in steps if step.engine == array.name]
        if mine:
            tiles = (tile_size(own_fields(graph, step, engines), step) for step in mine)
            pixels = (step.tile_images * step.tile_height * step.tile_width for step in mine)
            found = array.holding(found, tiles, pixels)
    return found
