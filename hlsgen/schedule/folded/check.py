"""Checks of folded plans, perhaps edited: whether they fit the network and their own engines."""

from __future__ import annotations

from hlsgen.errors import PlanError
from hlsgen.graph import Graph
from hlsgen.ops import operator
from hlsgen.ops.conv_steps import scan_columns
from hlsgen.ops.skip import PLACE_BITS
from hlsgen.plan import ARRAYS, Engines, Plan, StepPlan
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.schedule.folded.check_steps import check_images, check_steps
from hlsgen.schedule.folded.shapes import WIDTHS, aligned, needed_sizes
from hlsgen.schedule.folded.steps import engine_of, feeding_layers, tile_size


def check_folded(graph: Graph, plan: Plan) -> None:
    """Raise PlanError when a (perhaps edited) plan does not fit the network."""
    e = plan.engines
    if e is None:
        raise PlanError("a folded plan needs engines", where="plan, engines")
    graph = reshaped(graph, plan)
    if e.width not in WIDTHS or not aligned(graph, e.width):
        raise PlanError(
            f"width {e.width} must be one of {WIDTHS} and divide what is concatenated",
            where="plan, engines",
        )
    if e.width % e.burst or any(n & (n - 1) for n in (e.tile_vectors, e.skip_tile_vectors)):
        raise PlanError(
            "burst must divide width, and tile_vectors be a power of two", where="plan, engines"
        )
    if e.skip_tile_vectors > 1 << PLACE_BITS:
        raise PlanError(
            f"where zeros are skipped a tile has at most {1 << PLACE_BITS:,} vectors",
            where="plan, engines",
        )
    for name, least in needed_sizes(graph, e.width).items():
        if getattr(e, name) < least:
            raise PlanError(f"{name} must be at least {least}", where="plan, engines")
    for extent, line in (("depthwise_extent", "depthwise_line"), ("pool_extent", "pool_line")):
        least = scan_columns(1, getattr(e, extent))
        if getattr(e, line) < least:
            raise PlanError(
                f"{line} must be at least {least}, so long is the shortest row",
                where="plan, engines",
            )
    for step in plan.steps:
        check_images(step, plan.images)
        check_step(graph, step, e)
    check_steps(graph, plan)


def check_step(graph: Graph, step: StepPlan, engines: Engines) -> None:
    """Raise PlanError for a step that the engines cannot run."""
    where = f"plan, step {step.layer}"
    try:
        layer = graph.layer(step.layer)
    except KeyError:
        raise PlanError(
            "the network has no such layer", where=where, remedy="save a new plan with build"
        ) from None
    if step.engine not in ("", engine_of(layer), *operator(layer.op).alternative_engines):
        raise PlanError(f"engine {step.engine!r} cannot compute {layer.op}", where=where)
    if step.compressed and step.engine != "convolution":
        raise PlanError(
            "weights can be compressed for convolution engines alone that multiply all of them",
            where=where,
        )
    if step.feeder and (
        step.engine not in ARRAYS or feeding_layers(graph).get(layer.name) != step.feeder
    ):
        raise PlanError(
            f"{step.feeder!r} cannot feed it",
            where=where,
            remedy="feeder is a depthwise layer before a 1x1 convolution",
        )
    if step.engine not in ARRAYS:
        return
    engines = engines.of(step.engine)
    fields = operator(layer.op).folded_fields(layer, graph, step, engines)
    tile = tile_size(fields, step)
    if (
        step.vectors_at_once > engines.outputs
        or step.tile_images * step.tile_height * step.tile_width > engines.tile_pixels
    ):
        raise PlanError(
            "it computes more outputs at once than the engine has accumulators", where=where
        )
    if tile > engines.tile_vectors:
        raise PlanError(
            f"its input tile of {tile} vectors exceeds the engine's {engines.tile_vectors}",
            where=where,
        )
