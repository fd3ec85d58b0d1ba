"""Plans folded designs: the shape of the engines, and the steps that walk the network through them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from hlsgen.boards import Board
from hlsgen.errors import PlanError
from hlsgen.graph import Graph
from hlsgen.ops import operator
from hlsgen.ops.base import vectors
from hlsgen.ops.compress import BLOCK
from hlsgen.ops.conv import group_runs
from hlsgen.ops.sparse import WORTHWHILE, imbalance, row_counts
from hlsgen.placement import Placement, place_tensors
from hlsgen.plan import Engines, Plan, StepPlan
from hlsgen.schedule.convolve import convolvable, reshaped
from hlsgen.schedule.estimate import Estimate, estimate
from hlsgen.schedule.folded_timing import compressed_rows, step_time
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.resources import clock_of
from hlsgen.schedule.steps import TOGETHER, engine_of, feeding_layers, plan_steps, tile_size
from hlsgen.schedule.times import rate
from hlsgen.schedule.unfold import unfold, worth_unfolding

WIDTHS = (16, 8, 4, 2, 1)
# Output vectors that the array computes at once. Counts between the powers of two use up a device's last DSPs.
OUTPUTS = (20, 18, 16, 14, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1)
# Taps that it multiplies at once.
INPUTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 18, 20)
# Words of 512 bits are one burst of a DDR4 channel: the weight stream may take this many a cycle.
BURSTS = (4, 2, 1)
# Sizes of the input tile and the accumulators that are tried, in vectors and pixels.
TILES = ((16384, 4096), (8192, 2048), (4096, 1024), (2048, 512), (1024, 256), (512, 64), (256, 16))
# Into how many rows of tiles a convolution's output may be cut, beside what capacity demands: smaller tiles fill and
# drain faster, larger ones read their weights less often.
CUTS = (1, 2, 3, 4, 6, 8, 12, 16)


@dataclass(frozen=True)
class Candidate:
    """Engines with the steps that they take, and the prediction."""

    plan: Plan
    predicted: Estimate


def plan_folded(graph: Graph, board: Board, plan: Plan, goal: Goal) -> Plan:
    """Complete `plan` with the engines that serve the goal best. Raises PlanError when none fits.

    In a hybrid plan depthwise layers stream into the 1x1 convolutions after them; without such a pair it is refused.

    All engine shapes are enumerated, largest first. A shape is skipped without planning its steps when its multipliers alone do not fit, or
    when they alone could not beat the best found (`hopeless`): both bounds are sound. Nor are smaller buffers tried than those that
    the steps left partly unused.
    """
    if plan.style == "hybrid" and not feeding_layers(graph):
        raise PlanError(
            "has no depthwise layer that alone feeds a 1x1 convolution",
            where="hybrid design",
            remedy="use --style folded",
        )
    best: Candidate | None = None
    problem: PlanError | None = None
    tried = 0
    last: Plan | None = None
    for shape in candidates(graph, board, plan, goal):
        if (last and no_smaller(shape, last)) or (best is not None and hopeless(graph, shape, best, board, goal)):
            continue
        try:
            found = evaluate(graph, shape, board, goal)
        except PlanError as error:
            problem = problem or error
            continue
        tried, last = tried + 1, found.plan
        if not plan.disabled and not found.predicted.resources.fits(board, goal.caps):
            problem = too_large(found, board, goal) or problem
            continue
        if best is None or score(found, board, goal) < score(best, board, goal):
            best = found
    if best is None:
        raise problem or PlanError(
            "not even the smallest engines fit", where=f"folded design on {board.name}", remedy="choose a larger board"
        )
    best = compress(best, graph, board, goal)
    return best.plan.with_reason(reason(best, graph, board, goal, tried))


def compress(found: Candidate, graph: Graph, board: Board, goal: Goal) -> Candidate:
    """The design with the weights of its convolutions compressed in memory where that makes it better.

    Compressed words may be wider on the chip than the memory could deliver them dense.
    """
    plan, e = found.plan, found.plan.engines
    assert e is not None
    best, shaped = found, reshaped(graph, plan)
    if not any(pays(step, shaped, e) for step in plan.steps):
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
    if step.images % count or step.feeder or count * result.pixels > engines.tile_pixels:
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


def no_smaller(shape: Plan, done: Plan) -> bool:
    """Whether a shape differs from a finished plan in buffers alone, and these would hold all that the plan's steps put there."""
    new, old = shape.engines, done.engines
    assert new is not None and old is not None
    same = replace(old, tile_vectors=new.tile_vectors, tile_pixels=new.tile_pixels) == new
    return (
        same
        and shape.convolved == done.convolved
        and new.tile_vectors >= old.tile_vectors
        and new.tile_pixels >= old.tile_pixels
    )


def hopeless(graph: Graph, shape: Plan, best: Candidate, board: Board, goal: Goal) -> bool:
    """Whether the convolution engine alone, never waiting and at the clock of a design without anything else, would take longer than the best."""
    if goal.objective == "resources":
        return False
    e = shape.engines
    assert e is not None
    dsps = e.width**2 * e.inputs * e.outputs * board.device.multiply_add_dsps
    clock = clock_of(board.reserved_alms, board.reserved_blocks, dsps, board, goal.calibration)[0]
    least = shape.images * least_cycles(reshaped(graph, shape), e) / (clock * 1e6)
    known = best.predicted.latency if goal.objective == "latency" else shape.images / best.predicted.throughput
    return least > known


def least_cycles(graph: Graph, engines: Engines) -> int:
    """Cycles an image below which no tiling brings the convolution engine: whole words of taps, whole groups of outputs, a result vector a cycle."""
    total = 0
    for layer in graph.layers:
        if engine_of(layer) == "convolution":
            a, source, result = layer.attributes, graph.tensors[layer.inputs[0]], graph.output_tensor(layer)
            runs = group_runs(source.channels, a.filters, a.groups, engines.width)
            depth, outputs = (ceil(vectors(n, engines.width) / runs) for n in (source.channels, a.filters))
            words = ceil(depth * a.window.taps / engines.inputs)
            total += runs * result.pixels * max(ceil(outputs / engines.outputs) * words, outputs)
    return total


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


def candidates(graph: Graph, board: Board, plan: Plan, goal: Goal) -> Iterator[Plan]:
    """The plan with all engines worth trying, with an engine of their own for fully connected layers and without."""
    names = convolvable(graph)
    both = names and any(engine_of(layer) == "convolution" for layer in graph.layers)
    for convolved in ((), names) if both else ((),):
        for engines in shapes(graph, board, plan, goal):
            yield replace(plan, engines=engines, unfolded=worth_unfolding(graph, engines.width), convolved=convolved)


def shapes(graph: Graph, board: Board, plan: Plan, goal: Goal) -> Iterator[Engines]:
    """All engine shapes worth trying under the plan's switches and the goal's pins."""
    base, pins = network_sizes(graph), goal.engine_pins()
    unroll, tile = plan.enabled("unroll"), plan.enabled("tile")
    multiplies = any(engine_of(layer) == "convolution" for layer in graph.layers)
    for width in WIDTHS if unroll else (1,):
        if not aligned(graph, width):
            continue
        sizes = with_width(base, graph, width)
        burst = pins.get("burst", weight_burst(width, board))
        limit = board.available_dsps * goal.caps.dsps / board.device.multiply_add_dsps
        outputs = [pins["outputs"]] if "outputs" in pins else list(OUTPUTS) if unroll and tile else [1]
        if not multiplies:
            outputs = outputs[-1:]
        if tile:
            tiles = [(pins.get("tile_vectors", v), pins.get("tile_pixels", p)) for v, p in TILES]
        else:
            tiles = [whole_layers(unfold(graph, worth_unfolding(graph, width)), width)]
        for count in outputs:
            # Several taps at once pay where the widest vector is too narrow.
            for inputs in INPUTS if width == WIDTHS[0] else (1,):
                if unroll and width * width * count * inputs > limit and not plan.disabled:
                    continue
                for tile_vectors, tile_pixels in dict.fromkeys(tiles):
                    engines = replace(sizes, width=width, inputs=inputs, outputs=count, burst=burst,
                                      tile_vectors=tile_vectors, tile_pixels=tile_pixels)  # fmt: skip
                    if goal.allows_engines(engines):
                        yield engines


def weight_burst(width: int, board: Board) -> int:
    """The most weight vectors a cycle that the memory delivers at its peak."""
    vector = width * 4 * board.device.fmax * 1e6
    return next(b for b in BURSTS if b <= width and (b == 1 or b * vector <= board.bandwidth * 1e9))


def aligned(graph: Graph, width: int) -> bool:
    """Whether concatenations fall on whole vectors, all inputs but the last."""
    return all(
        tensor.channels % width == 0
        for layer in graph.layers
        if layer.op == "concat"
        for tensor in graph.input_tensors(layer)[:-1]
    )


def network_sizes(graph: Graph) -> Engines:
    """Window and line sizes that the network's layers need, at width 1."""
    sizes = {"depthwise_extent": 1, "pool_extent": 1, "depthwise_line": 1, "pool_line": 1, "normalisation_size": 1}
    for layer in graph.layers:
        window = getattr(layer.attributes, "window", None)
        engine = engine_of(layer)
        if engine in ("depthwise", "pooling") and window is not None:
            key = "depthwise" if engine == "depthwise" else "pool"
            source = graph.tensors[layer.inputs[0]]
            columns = window.scan_size(source.height, source.width)[1]
            sizes[f"{key}_extent"] = max(sizes[f"{key}_extent"], *window.extent)
            sizes[f"{key}_line"] = max(sizes[f"{key}_line"], sizes[f"{key}_extent"], columns)
        if engine == "normalisation":
            sizes["normalisation_size"] = max(sizes["normalisation_size"], layer.attributes.size)
    return Engines(1, 1, 1, 1, 1, **sizes)


def with_width(engines: Engines, graph: Graph, width: int) -> Engines:
    """The sizes that depend on the vector width."""
    dense = pixel = 1
    for layer in graph.layers:
        source = graph.tensors[layer.inputs[0]]
        count = vectors(source.channels, width)
        if layer.op == "dense":
            dense = max(dense, source.pixels * count)
        if engine_of(layer) in ("softmax", "normalisation"):
            pixel = max(pixel, count)
    return replace(engines, dense_vectors=dense, pixel_vectors=pixel)


def whole_layers(graph: Graph, width: int) -> tuple[int, int]:
    """Tile sizes that hold any convolution's whole input and output (tiling switched off)."""
    tile, pixels = 1, 16
    for layer in graph.layers:
        if engine_of(layer) == "convolution":
            source, result, window = (
                graph.tensors[layer.inputs[0]],
                graph.output_tensor(layer),
                layer.attributes.window,
            )
            rows, columns = window.scan_size(source.height, source.width)
            tile = max(tile, rows * columns * vectors(source.channels, width))
            pixels = max(pixels, result.pixels)
    return 1 << (tile - 1).bit_length(), pixels


def reason(best: Candidate, graph: Graph, board: Board, goal: Goal, tried: int) -> str:
    """One paragraph: the engines, what they cost, what they reach, what limits them."""
    e, r, t = best.plan.engines, best.predicted.resources, best.predicted.timing
    assert e is not None
    count = sum(bool(step.feeder) for step in best.plan.steps)
    skipping = {step.layer for step in best.plan.steps if step.engine == "sparse"}
    packed = sum(step.compressed for step in best.plan.steps)
    zeros = f"The weights of {packed} convolution steps are compressed in memory. " if packed else ""
    if skipping:
        worst = max(imbalance(row_counts(graph.layer(name).weights["weight"])) for name in skipping)
        zeros += (
            f"{len(skipping)} fully connected layer{'s skip' if len(skipping) > 1 else ' skips'} zeros (fullest row {worst:.2f} times "
            "the mean). "
        )
    what = f"a launch of {best.plan.images} images" if best.plan.images > 1 else "an image"
    pairs = f"{count} depthwise layers stream into the convolutions after them. " if count else ""
    shares = ", ".join(f"{share:.0%} of the {name}" for name, share in r.shares(board).items())
    fit = (
        "" if r.fits(board, goal.caps) else " With the optimisations that were switched off it does not fit the board."
    )
    return (
        f"{pairs}{zeros}{len(best.plan.steps)} steps share engines of {e.width} channels a vector; the convolution engine multiplies "
        f"{e.inputs * e.width} inputs by {e.outputs * e.width} output channels a cycle. Predicted: {rate(t.throughput)} images a second "
        f"({r.fmax:.0f} MHz, band {r.fmax_low:.0f} to {r.fmax_high:.0f}), {t.latency * 1e3:.3g} ms {what}, with {shares}. An image "
        f"takes about {t.cycles:,.0f} cycles, {best.predicted.throughput / best.predicted.roofline_fps:.0%} of the roofline; the "
        f"longest step is {t.bottleneck}. The best of {tried} engine shapes, all others being bounded.{fit}"
    )


def check_folded(graph: Graph, plan: Plan) -> None:
    """Raise PlanError when a (perhaps edited) plan does not fit the network."""
    e = plan.engines
    if e is None:
        raise PlanError("a folded plan needs engines", where="plan, engines")
    graph = reshaped(graph, plan)
    if e.width not in WIDTHS or not aligned(graph, e.width):
        raise PlanError(
            f"width {e.width} must be one of {WIDTHS} and divide what is concatenated", where="plan, engines"
        )
    if e.width % e.burst or e.tile_vectors & (e.tile_vectors - 1):
        raise PlanError("burst must divide width, and tile_vectors be a power of two", where="plan, engines")
    needed = with_width(network_sizes(graph), graph, e.width)
    for name in ("depthwise_extent", "pool_extent", "depthwise_line", "pool_line", "dense_vectors", "pixel_vectors"):
        if getattr(e, name) < getattr(needed, name):
            raise PlanError(f"{name} must be at least {getattr(needed, name)}", where="plan, engines")
    covered: dict[str, set[tuple[int, int]]] = {}
    for step in plan.steps:
        check_images(step, plan.images)
        check_step(graph, step, e)
        done = covered.setdefault(step.joined or step.layer, set())
        for vector in range(step.first_vector, step.first_vector + step.vector_count):
            done.update((image, vector) for image in range(step.first_image, step.first_image + step.images))
    for layer in graph.layers:
        count = ceil(graph.output_tensor(layer).channels / e.width)
        expected = {(image, vector) for image in range(plan.images) for vector in range(count)}
        absorbed = any((step.joined and step.layer == layer.name) or step.feeder == layer.name for step in plan.steps)
        if not absorbed and layer.op != "concat" and covered.get(layer.name) != expected:
            raise PlanError("its steps do not cover all its channels of all images", where=f"plan, layer {layer.name}")


def check_images(step: StepPlan, images: int) -> None:
    """Raise PlanError for a step that takes other images than the plan has, or more at once than its engine can."""
    where = f"plan, step {step.layer}"
    if step.first_image + step.images > images:
        raise PlanError(f"takes image {step.first_image + step.images} of {images}", where=where)
    if step.images > 1 and step.engine not in TOGETHER:
        raise PlanError(f"the {step.engine} engine takes one image a step", where=where)
    if step.images % step.tile_images:
        raise PlanError(f"tile_images must divide the step's {step.images} images", where=where)
    if step.tile_images > 1 and (step.engine != "convolution" or step.feeder):
        raise PlanError("tiles of several images are for convolutions without a feeder", where=where)


def check_step(graph: Graph, step: StepPlan, engines: Engines) -> None:
    """Raise PlanError for a step that the engines cannot run."""
    where = f"plan, step {step.layer}"
    try:
        layer = graph.layer(step.layer)
    except KeyError:
        raise PlanError("the network has no such layer", where=where, remedy="save a new plan with build") from None
    if step.engine not in ("", engine_of(layer), *operator(layer.op).alternative_engines):
        raise PlanError(f"engine {step.engine!r} cannot compute {layer.op}", where=where)
    if step.compressed and step.engine != "convolution":
        raise PlanError("weights of convolutions alone can be compressed", where=where)
    if step.feeder and (step.engine != "convolution" or feeding_layers(graph).get(layer.name) != step.feeder):
        raise PlanError(
            f"{step.feeder!r} cannot feed it",
            where=where,
            remedy="feeder is a depthwise layer before a 1x1 convolution",
        )
    if step.engine != "convolution":
        return
    fields = operator(layer.op).folded_fields(layer, graph, step, engines)
    tile = tile_size(fields, step)
    if (
        step.vectors_at_once > engines.outputs
        or step.tile_images * step.tile_height * step.tile_width > engines.tile_pixels
    ):
        raise PlanError("it computes more outputs at once than the engine has accumulators", where=where)
    if tile > engines.tile_vectors:
        raise PlanError(f"its input tile of {tile} vectors exceeds the engine's {engines.tile_vectors}", where=where)
