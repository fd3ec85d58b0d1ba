"""What happens to the results of engines on their way to memory: scale, bias, second tensor,
activation; in designs that compute on integers also rounding."""

from __future__ import annotations

from dataclasses import dataclass

from hlsgen.activation import FUNCTIONS, KINDS
from hlsgen.descriptors import clears_lanes, of_float, record_fields, step_source
from hlsgen.engines import engines_of
from hlsgen.engines.base import Engine, feature_type, integer_roles
from hlsgen.graph import Graph, Layer, remembered
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.ops import operator, operators
from hlsgen.ops.binary import FUNCTIONS as JOINS
from hlsgen.ops.binary import NAMES
from hlsgen.plan import Plan, StepPlan
from hlsgen.types import FLOAT32, INT32, DataType


@dataclass(frozen=True)
class Rounding:
    """How sums of integers become results: times a factor, and rounded to the `type` of feature
    maps, or float32.

    `joins`: functions of integers by which a second tensor is taken in, after which it is rounded
    again. `divided`: lanes in which float32 becomes integers, with an `offset` added to some. Of
    float32: the engines `of_floats`, and those that `give` them; whether tensors are `passed` on
    that no engine computes, `joined` and `written`; `shifted`: whether anything is added to any.
    """

    type: DataType
    joins: tuple[str, ...] = ()
    divided: int = 0
    offset: bool = False
    of_floats: tuple[str, ...] = ()
    give: tuple[str, ...] = ()
    passed: bool = False
    joined: bool = False
    written: bool = False
    shifted: bool = False

    @property
    def computed(self) -> bool:
        """Whether any float32 is finished that is no sum of integers."""
        return self.passed or bool(self.give)

    def units(self, lanes: int) -> Arithmetic:
        """Bias, factor and rounding; the same of float32; the joins, each of them rounded."""
        rounding = Arithmetic(compares=2, integer_adds=1, conversions=1)
        found = rounding + Arithmetic(multiplies=1, integer_adds=1, conversions=1)
        found += Arithmetic(adds=self.shifted)
        for name in self.joins:
            found += operators()[name].units
        found += rounding.times(bool(self.joins))
        divided = Arithmetic(divides=1, adds=self.offset).times(self.divided)
        return found.times(lanes) + divided


NO_ROUNDING = Rounding(FLOAT32)


@dataclass(frozen=True)
class Finish:
    """What happens to a vector on its way to memory: of its `sources`, names of engines and "" of a
    tensor that no engine computes, comes one; `scaled` by a factor, below zero alone where there
    are `negatives`; a second tensor by one of `joins`; one of the activations `functions`; lanes
    that hold no channel, where it `clears` them. Factors and biases may be `varying` by tile.
    `rounding`: of a design that computes on integers; None of one of float32."""

    sources: tuple[str, ...]
    scaled: bool
    negatives: bool
    joins: tuple[str, ...]
    functions: tuple[str, ...]
    clears: bool
    varying: bool
    rounding: Rounding | None = None

    @property
    def takes_in(self) -> bool:
        """Whether any second tensor is read."""
        return bool(self.joins or (self.rounding and self.rounding.joins))

    def units(self, lanes: int) -> Arithmetic:
        """With scales, product and shift are one unit."""
        if self.rounding is None:
            adds = self.negatives if self.scaled else 1
            found = Arithmetic(multiply_adds=self.scaled, adds=adds)
        else:
            found = Arithmetic(adds=self.negatives)
        found += Arithmetic(compares=self.clears)
        for function in self.joins:
            found += JOINS[function].units
        for kind in self.functions:
            found += FUNCTIONS[kind].units
        found = found.times(lanes)
        return found + self.rounding.units(lanes) if self.rounding else found

    @property
    def words(self) -> tuple[tuple[str, str, DataType], ...]:
        """What is kept of a group of output vectors, what the text calls a word of it, and its
        type: biases of sums of integers are integers."""
        bias = INT32 if self.rounding else FLOAT32
        return (("bias", "shift", bias), ("scale", "factor", FLOAT32))[: 1 + self.scaled]


def finish(graph: Graph, plan: Plan) -> Finish:
    """That of a design."""
    assert plan.engines is not None
    e, ends = plan.engines, [(step, result_layer(graph, step)) for step in plan.steps]
    joins = {layer.attributes.function for step, layer in ends if step.residual}
    kinds = {layer.activation.kind for s, layer in ends if s.finish and layer.activation}
    writing = {step.engine for step in plan.steps if step.engine}
    if any(source_type(graph, step) == feature_type(graph) for step in passes(plan)):
        writing |= {""}
    engines = [known.name for known in engines_used(graph, plan) if known.name in writing]
    return Finish(
        (*engines, *[""] * ("" in writing)),
        has_scales(graph),
        any(operator(layer.op).epilogue_fields(layer).get("scale_negative") for _, layer in ends),
        tuple(sorted(joins & JOINS.keys(), key=NAMES.index)),
        tuple(sorted(kinds, key=KINDS.index)),
        any(clears_lanes(graph, step, e) for step in plan.steps),
        any(field.name == "constants_vary" for field in record_fields(graph, plan.steps)),
        rounding(graph, plan) if graph.integers else None,
    )


def rounding(graph: Graph, plan: Plan) -> Rounding:
    """That of a design that computes on integers."""
    assert plan.engines is not None
    types, used = integer_roles(graph), [known.name for known in engines_used(graph, plan)]
    layers = [graph.layer(step.layer) for step in plan.steps]
    ends = [result_layer(graph, step) for step in plan.steps]
    joins = {result_layer(graph, s).attributes.function for s in plan.steps if s.residual}
    own = {layer.name: operator(layer.op).epilogue_fields(layer) for layer in layers}
    divided = [
        min(graph.output_tensor(layer).channels, plan.engines.width)
        for layer in layers
        if own[layer.name].get("divisor")
    ]
    floats = [graph.layer(step.layer) for step in plan.steps if of_float(graph, step)]
    shifts = [operator(layer.op).folded_shift(layer) is not None for layer in floats]
    second = {graph.tensors[step.residual].type for step in plan.steps if step.residual}
    return Rounding(
        feature_type(graph),
        tuple(sorted(joins - JOINS.keys(), key=NAMES.index)),
        max(divided, default=0),
        any(fields.get("offset") for fields in own.values()),
        tuple(name for name in used if types[name].operand == FLOAT32),
        tuple(name for name in used if types[name].accumulator == FLOAT32),
        any(source_type(graph, step) == FLOAT32 for step in passes(plan)),
        FLOAT32 in second,
        any(graph.output_tensor(layer).type == FLOAT32 for layer in ends),
        any(shifts) or any(fields.get("scale_negative") for fields in own.values()),
    )


def passes(plan: Plan) -> list[StepPlan]:
    """The steps that no engine computes."""
    return [step for step in plan.steps if not step.engine]


def source_type(graph: Graph, step: StepPlan) -> DataType:
    """The type of what a step reads."""
    return step_source(graph, step).type


@remembered
def has_scales(graph: Graph) -> bool:
    """Whether results are multiplied by factors: sums of integers always."""
    scales = (operator(layer.op).folded_scale(layer) is not None for layer in graph.layers)
    return bool(graph.integers) or any(scales)


def result_layer(graph: Graph, step: StepPlan) -> Layer:
    """The layer whose output a step gives: the join itself, fused or not."""
    return graph.layer(step.addition or step.layer)


def engines_used(graph: Graph, plan: Plan) -> tuple[Engine, ...]:
    """The engines that a plan's steps run, in the order in which they first do."""
    return tuple(dict.fromkeys(used for step in plan.steps for used in engines_of(graph, step)))
