"""Checks of the steps of folded plans, perhaps edited, against the steps that the planner would
make.

An edited plan may cut convolutions otherwise: tiles, runs of outputs, images. Which tensors a step
reads, what it adds and finishes, and how any other engine goes through its layer follows from the
network.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from hlsgen.engines import arrays, engine, is_array
from hlsgen.errors import PlanError
from hlsgen.graph import Graph
from hlsgen.plan import Plan, StepPlan
from hlsgen.schedule.folded.steps import plan_steps, takes_images
from hlsgen.words import counted

Key = tuple[str, ...]
# Image and output vector.
Pairs = set[tuple[int, int]]


@dataclass(frozen=True)
class Duty:
    """What the network needs of a layer in one pass: its steps share all but their cuts. `place`:
    of the layer, in order; `after`: the pass of the layer whose results this one takes up; `runs`:
    first vector and count of each step."""

    step: StepPlan
    place: int
    after: Key | None
    runs: tuple[tuple[int, int], ...]

    def pairs(self, images: int) -> Pairs:
        """All that it computes."""
        return {
            (image, vector)
            for image in range(images)
            for first, count in self.runs
            for vector in range(first, first + count)
        }


def check_steps(graph: Graph, plan: Plan) -> None:
    """Raise PlanError for steps that do not compute the network, each layer whole and in order.
    `graph` is reshaped as the plan says."""
    duties, covered, place = duties_of(graph, plan), defaultdict[Key, Pairs](set), 0
    for step in plan.steps:
        where = f"plan, step {step.layer}"
        duty = duties.get(duty_key(step))
        if duty is None:
            raise PlanError(
                "reads, adds or finishes what the network does not ask for",
                where=where,
                remedy="keep layer, source, residual, addition, finish and feeder as build wrote "
                "them",
            )
        check_cut(graph, plan, step, duty)
        pairs = pairs_of(step)
        if duty.place < place or (duty.after is not None and not pairs <= covered[duty.after]):
            raise PlanError("comes too early or too late: steps must keep their order", where=where)
        if pairs & covered[duty_key(step)]:
            raise PlanError("computes again what a step before it computed", where=where)
        place = duty.place
        covered[duty_key(step)] |= pairs
    for key, duty in duties.items():
        if covered[key] != duty.pairs(plan.images):
            raise PlanError(
                "its steps do not cover all its channels of all images",
                where=f"plan, layer {key[0]}",
            )


def pairs_of(step: StepPlan) -> Pairs:
    """What a step computes."""
    images = range(step.first_image, step.first_image + step.images)
    vectors = range(step.first_vector, step.first_vector + step.vector_count)
    return {(image, vector) for image in images for vector in vectors}


def duty_key(step: StepPlan) -> Key:
    """What tells one duty from another."""
    return step.layer, step.residual, step.addition, step.source, str(step.finish), step.feeder


def duties_of(graph: Graph, plan: Plan) -> dict[Key, Duty]:
    """The passes that the network needs, by what tells them apart."""
    assert plan.engines is not None
    roomy = plan.engines
    for array in [known for known in arrays() if known.name in roomy.sizes] or arrays()[:1]:
        roomy = array.roomy(roomy)
    steps = plan_steps(graph, roomy, replace(plan, images=1))
    places = {name: place for place, name in enumerate(dict.fromkeys(step.layer for step in steps))}
    unfinished = {step.layer: duty_key(step) for step in steps if not step.finish}
    found: dict[Key, Duty] = {}
    for step in steps:
        after = unfinished.get(step.layer) if step.finish else None
        duty = found.get(duty_key(step), Duty(step, places[step.layer], after, ()))
        found[duty_key(step)] = replace(
            duty, runs=(*duty.runs, (step.first_vector, step.vector_count))
        )
    return found


def check_cut(graph: Graph, plan: Plan, step: StepPlan, duty: Duty) -> None:
    """Raise PlanError for a step that cuts its layer as its engine cannot."""
    assert plan.engines is not None
    where, result = (
        f"plan, step {step.layer}",
        graph.output_tensor(graph.layer(step.addition or step.layer)),
    )
    run, planned = (step.first_vector, step.vector_count), duty.step
    # Before anything is counted: a file may hold any number.
    most = max(first + count for first, count in duty.runs)
    if sum(run) > most or step.first_image + step.images > plan.images:
        raise PlanError(
            f"goes beyond the {counted(most, 'vector')} of {counted(plan.images, 'image')}",
            where=where,
        )
    if step.tile_height > result.height or step.tile_width > result.width:
        raise PlanError(f"its tile exceeds the {result.height}x{result.width} results", where=where)
    if bool(step.engine) != bool(planned.engine):
        raise PlanError(
            f"engine {step.engine!r} cannot compute it",
            where=where,
            remedy=f"{planned.engine!r} can",
        )
    if step.output_vectors > step.vector_count:
        raise PlanError("output_vectors exceeds vector_count", where=where)
    if is_array(step.engine):
        # Channel groups, and streams of weights, are whole steps; any other convolution may be cut.
        if len(duty.runs) > 1 and run not in duty.runs:
            raise PlanError(
                f"first_vector and vector_count must be one of {duty.runs}", where=where
            )
        return
    if (step.tile_height, step.tile_width) != (
        planned.tile_height,
        planned.tile_width,
    ) or run not in duty.runs:
        raise PlanError(
            f"its engine goes through {planned.tile_height}x{planned.tile_width} results of "
            f"{duty.runs} at once",
            where=where,
        )
    if step.output_vectors != planned.output_vectors:
        raise PlanError(f"its engine takes {planned.output_vectors} vectors at once", where=where)


def check_images(graph: Graph, step: StepPlan, images: int) -> None:
    """Raise PlanError for a step that takes other images than the plan has, or more at once than
    its engine can."""
    where = f"plan, step {step.layer}"
    if step.first_image + step.images > images:
        raise PlanError(f"takes image {step.first_image + step.images} of {images}", where=where)
    if step.images > 1 and not engine(step.engine).takes_images:
        raise PlanError(f"the {step.engine} engine takes one image a step", where=where)
    if step.images > 1 and not takes_images(step, graph):
        raise PlanError("its constants are those of one image", where=where)
    if step.tile_images > step.images:
        raise PlanError(f"tile_images must not exceed the step's {step.images} images", where=where)
    if step.tile_images > 1 and (not is_array(step.engine) or step.feeder):
        raise PlanError(
            "tiles of several images are for convolutions without a feeder", where=where
        )
