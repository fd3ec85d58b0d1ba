"""Checks of folded plans, perhaps edited: whether they fit the network and their own engines."""

from __future__ import annotations

from hlsgen.descriptors import own_fields
from hlsgen.engines import array, engine, engine_of, engines, engines_of, is_array
from hlsgen.engines.array import tile_size
from hlsgen.errors import PlanError, did_you_mean
from hlsgen.graph import Graph
from hlsgen.ops import operator
from hlsgen.plan import Engines, Plan, StepPlan
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.schedule.folded.check_steps import check_images, check_steps
from hlsgen.schedule.folded.shapes import WIDTHS, aligned, bursts
from hlsgen.schedule.folded.steps import feeding_layers


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
    possible = bursts(graph, e.width)
    if e.burst not in possible:
        raise PlanError(f"burst {e.burst} must be one of {possible}", where="plan, engines")
    check_sizes(graph, e)
    for step in plan.steps:
        check_step(graph, step, e)
        check_images(graph, step, plan.images)
    check_steps(graph, plan)


def check_sizes(graph: Graph, e: Engines) -> None:
    """Raise PlanError for engines that do not exist, and for sizes that an engine does not have,
    or that are too small for the network."""
    known = engines()
    for name, sizes in e.sizes.items():
        where = f"plan, engines, {name}"
        if name not in known:
            raise PlanError(
                f"there is no such engine{did_you_mean(name, known)}",
                where=where,
                remedy=f"engines: {', '.join(known)}",
            )
        names = [size.name for size in known[name].sizes]
        if sorted(sizes) != sorted(names):
            raise PlanError(f"its sizes are {', '.join(names) or 'none'}", where=where)
        for size, least in known[name].needed(graph, e.width).items():
            if sizes[size] < least:
                raise PlanError(f"{size} must be at least {least}", where=where)
        if reason := known[name].refusal(e.of(name)):
            raise PlanError(reason, where=where)


def check_step(graph: Graph, step: StepPlan, e: Engines) -> None:
    """Raise PlanError for a step that the engines cannot run."""
    where = f"plan, step {step.layer}"
    try:
        layer = graph.layer(step.layer)
    except KeyError:
        raise PlanError(
            "the network has no such layer", where=where, remedy="save a new plan with build"
        ) from None
    if step.engine not in ("", engine_of(layer).name, *operator(layer.op).alternative_engines):
        raise PlanError(f"engine {step.engine!r} cannot compute {layer.op}", where=where)
    if layer.narrow and step.engine and (step.compressed or not engine(step.engine).decodes):
        raise PlanError(
            f"its weights are {layer.weight_type.name}, which only engines that multiply by all "
            "weights decode",
            where=where,
            remedy="choose another engine, compress nothing, or set weights to float32",
        )
    if step.compressed and not engine(step.engine).compresses:
        raise PlanError(
            "weights can be compressed for convolution engines alone that multiply all of them",
            where=where,
        )
    if step.feeder and (
        not is_array(step.engine) or feeding_layers(graph).get(layer.name) != step.feeder
    ):
        raise PlanError(
            f"{step.feeder!r} cannot feed it",
            where=where,
            remedy="feeder is a depthwise layer before a 1x1 convolution",
        )
    for used in engines_of(graph, step):
        if used.name not in e.sizes:
            raise PlanError(
                f"the plan has no {used.name} engine",
                where=where,
                remedy="name its sizes under engines, or save a new plan with build",
            )
    if not is_array(step.engine):
        return
    tile = tile_size(own_fields(graph, step, e), step)
    if reason := array(step.engine).misfit(e, step, tile):
        raise PlanError(reason, where=where)
