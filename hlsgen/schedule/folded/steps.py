"""The steps that walk a network through the engines of a folded design: which engine, what is
fused, what streams into what."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from hlsgen.engines import array, arrays, engine, engine_of, on_array
from hlsgen.engines.array import NO_ARRAY, ArrayShape
from hlsgen.errors import Infeasible
from hlsgen.graph import Graph, Layer, remembered
from hlsgen.model.kinds import layer_kinds
from hlsgen.ops import operator
from hlsgen.plan import Engines, Plan, StepPlan
from hlsgen.style import STYLES


class Use(NamedTuple):
    """A layer on an engine, with all that its steps depend on. `array`: the array that computes it,
    of that `shape`; "" where none does. `fuse`: whether joins are fused; `feed`: whether another
    layer may stream into it. `group`: output vectors at once, at most."""

    layer: str
    array: str
    fuse: bool
    feed: bool
    images: int
    width: int
    burst: int
    group: int
    shape: ArrayShape = NO_ARRAY

    def engines(self) -> Engines:
        """Engines as the steps see them, with these sizes and no others: what is remembered cannot
        depend on more than its key."""
        return engines_of_use(self.width, self.burst, self.group, self.array, self.shape)


@lru_cache(maxsize=256)
def engines_of_use(width: int, burst: int, group: int, own: str, shape: ArrayShape) -> Engines:
    """See `Use.engines`: those of all layers are the same."""
    engines = Engines(width, burst, group)
    return array(own).shaped(engines, shape) if own else engines


def use_of(name: str, graph: Graph, e: Engines, plan: Plan, own: str) -> Use:
    """A layer on one of a plan's engines, `own` being the array that computes it or "". How much
    is multiplied at once changes no step."""
    feed = STYLES[plan.style].paired and name in feeding_layers(graph)
    group, shape = e.group, NO_ARRAY
    if own:
        _, group, tile, pixels = array(own).shape(e)
        shape = ArrayShape(1, group, tile, pixels)
    fuse, images = plan.enabled("fuse"), plan.images
    return Use(name, own, fuse, feed, images, e.width, e.burst, group, shape)


def uses(name: str, graph: Graph, engines: Engines, plan: Plan) -> list[Use]:
    """The ways to compute a layer: on either array where it is a convolution and both exist. Raises
    Infeasible where none can."""
    found, problem = [], None
    for own in arrays_of(graph.layer(name), engines):
        use = use_of(name, graph, engines, plan, own)
        try:
            steps_of(graph, use)
            found.append(use)
        except Infeasible as error:
            problem = error
    if not found:
        assert problem is not None
        raise problem
    return found


def arrays_of(layer: Layer, engines: Engines) -> list[str]:
    """The arrays that exist to compute a layer; "" where it takes none."""
    if not on_array(layer):
        return [""]
    return [known.name for known in arrays() if known.name in engines.sizes]


@remembered
def steps_of(graph: Graph, use: Use) -> tuple[StepPlan, ...]:
    """The steps of a layer on an engine. Raises Infeasible."""
    layer, engines = graph.layer(use.layer), use.engines()
    fused = fused_additions(graph) if use.fuse else {}
    fed = feeding_layers(graph) if use.feed else {}
    found: list[StepPlan] = []
    for step in operator(layer.op).folded_steps(layer, graph, engines):
        found += completed(joining(fed_by(step, fed), graph, fused), graph, engines, use)
    return tuple(found)


def plan_steps(graph: Graph, engines: Engines, plan: Plan) -> tuple[StepPlan, ...]:
    """All steps in order, each layer in the first of its ways. Raises Infeasible."""
    kinds = dict.fromkeys(models(graph, plan).values())
    return all_steps(
        graph, plan, {name: steps_of(graph, uses(name, graph, engines, plan)[0]) for name in kinds}
    )


def all_steps(
    graph: Graph, plan: Plan, chosen: dict[str, tuple[StepPlan, ...]]
) -> tuple[StepPlan, ...]:
    """The steps of all layers in order, `chosen` being those of the first of every kind."""
    fused, fed = absorptions(graph, plan)
    return tuple(
        step if name == model else joining(fed_by(renamed(step, name, graph), fed), graph, fused)
        for name, model in models(graph, plan).items()
        for step in chosen[model]
    )


def renamed(step: StepPlan, name: str, graph: Graph) -> StepPlan:
    """A step of a layer as one of another layer of its kind, which has one input too."""
    return replace(step, layer=name, source=graph.layer(name).output if step.source else "")


def absorptions(graph: Graph, plan: Plan) -> tuple[dict[str, str], dict[str, str]]:
    """The joins that are fused into other layers, and the depthwise layers that feed convolutions,
    where that is switched on."""
    fused = fused_additions(graph) if plan.enabled("fuse") else {}
    return fused, feeding_layers(graph) if STYLES[plan.style].paired else {}


def models(graph: Graph, plan: Plan) -> dict[str, str]:
    """The layers that have steps of their own, in order, each with the first layer whose steps are
    the same but for names."""
    return models_of(graph, plan.enabled("fuse"), STYLES[plan.style].paired)


@remembered
def models_of(graph: Graph, fuse: bool, feed: bool) -> dict[str, str]:
    """See `models`. Where layers with several inputs read and write depends on more than their
    kind: each is its own model."""
    fused, fed = fused_additions(graph) if fuse else {}, feeding_layers(graph) if feed else {}
    absorbed, kinds = {*fused.values(), *fed.values()}, layer_kinds(graph)
    first: dict[Hashable, str] = {}
    found = {}
    for layer in graph.layers:
        if layer.name not in absorbed:
            own = layer.name if len(layer.inputs) > 1 else ""
            key = kinds[layer.name], layer.name in fused, kinds.get(fed.get(layer.name, "")), own
            found[layer.name] = first.setdefault(key, layer.name)
    return found


def fed_by(step: StepPlan, fed: dict[str, str]) -> StepPlan:
    """The step with the depthwise layer that streams into it, if there is one."""
    return replace(step, feeder=fed[step.layer]) if step.layer in fed else step


def joining(step: StepPlan, graph: Graph, fused: dict[str, str]) -> StepPlan:
    """The step with the second tensor that its epilogue takes in."""
    layer = graph.layer(step.layer)
    if layer.name in fused:
        addition = graph.layer(fused[layer.name])
        return replace(
            step,
            residual=addition.inputs[1 - addition.inputs.index(layer.output)],
            addition=addition.name,
        )
    return replace(step, residual=layer.inputs[1]) if operator(layer.op).joins else step


def completed(step: StepPlan, graph: Graph, engines: Engines, use: Use) -> list[StepPlan]:
    """The step for all images; bias and activation in a step of their own where fusion is switched
    off."""
    if use.fuse or not step.engine:
        return for_images(step, graph, use.images)
    finishing = finishing_step(graph.layer(step.layer), graph, step, engines)
    unfinished = for_images(replace(step, finish=False), graph, use.images)
    return unfinished + for_images(finishing, graph, use.images)


def for_images(step: StepPlan, graph: Graph, images: int) -> list[StepPlan]:
    """The step for all images of a launch at once where its engine takes them plane after plane or
    tile after tile, else one after another."""
    if images == 1:
        return [step]
    if takes_images(step, graph):
        return [replace(step, images=images)]
    return [replace(step, first_image=image) for image in range(images)]


def takes_images(step: StepPlan, graph: Graph) -> bool:
    """Whether a step may take several images."""
    layer = graph.layer(step.layer)
    return engine(step.engine).takes_images and operator(layer.op).takes_images(layer)


def finishing_step(layer: Layer, graph: Graph, step: StepPlan, engines: Engines) -> StepPlan:
    """A pass of its own for bias and activation (fusion switched off)."""
    tensor = graph.output_tensor(layer)
    vectors_per_cycle = next(
        n for n in range(min(step.vector_count, engines.group), 0, -1) if step.vector_count % n == 0
    )
    return StepPlan(
        layer.name,
        "",
        tensor.height,
        tensor.width,
        vectors_per_cycle,
        step.first_vector,
        step.vector_count,
        source=tensor.name,
    )


@remembered
def feeding_layers(graph: Graph) -> dict[str, str]:
    """1x1 convolutions that a depthwise layer can feed without going through memory, with that
    layer.

    The pair must have the tensor between them to itself, and the convolution must take every pixel
    as it comes.
    """
    exported = {port.tensor for port in graph.outputs}
    found = {}
    for layer in graph.layers:
        producer = graph.producers.get(layer.inputs[0])
        if producer is None or not on_array(layer) or not engine_of(producer).feeds:
            continue
        if producer.narrow or graph.integers:  # its bias lies among its weights, nothing rounds
            continue
        window = layer.attributes.window
        plain = (
            window.taps == 1
            and window.stride == (1, 1)
            and window.pads == (0, 0, 0, 0)
            and layer.attributes.groups == 1
        )
        # Between the two no epilogue clears lanes that hold no channel.
        finite = operator(producer.op).stays_finite(producer)
        if (
            plain
            and finite
            and len(graph.consumers[producer.output]) == 1
            and producer.output not in exported
        ):
            found[layer.name] = producer.name
    return found


@remembered
def fused_additions(graph: Graph) -> dict[str, str]:
    """Layers whose epilogue can take in the other input of the join (addition, product, ...) that
    alone reads their result.

    Of a join's two inputs the one computed last is fused, since the other must be in memory by
    then.
    """
    order = {layer.name: i for i, layer in enumerate(graph.layers)}
    exported = {port.tensor for port in graph.outputs}
    fused = {}
    for layer in graph.layers:
        if not operator(layer.op).joins or layer.inputs[0] == layer.inputs[1]:
            continue
        # The fused layer's result must be the first operand, or as good as it.
        either = operator(layer.op).takes_either(layer)
        producers = [graph.producers[name] for name in layer.inputs if name in graph.producers]
        last = max(producers, key=lambda p: order[p.name], default=None)
        if (
            last is not None
            and last.activation is None
            and last.name not in fused
            and len(last.inputs) == 1
            and (either or last.output == layer.inputs[0])
            and len(graph.consumers[last.output]) == 1
            and last.output not in exported
        ):
            fused[last.name] = layer.name
    return fused
