"""What every engine module provides, and sensible defaults for engines that take vectors in one
after another and have no weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hlsgen.errors import Infeasible
from hlsgen.graph import Graph, Layer, remembered
from hlsgen.kernel.charge import cycles
from hlsgen.kernel.count import Count, fields
from hlsgen.kernel.nest import Loop
from hlsgen.kernel.record import Field
from hlsgen.kernel.step import AUTORUN, LAUNCHED, READER, Channel, End, StepKernel
from hlsgen.kernel.values import Roles, Vector, weighted
from hlsgen.ops import operator
from hlsgen.ops.sparse import row_counts
from hlsgen.plan import Engines, EngineSizes, Plan, StepPlan
from hlsgen.types import FLOAT32, INT8, INT16, STORAGE_TYPES, DataType

# Bits of a word of a record; depth of the channels between readers, engines, epilogue and writer.
WORD, DEPTH = 32, 64
# Fields that several engines read.
MODE = Field(830, "mode", "int", "pooling: 0 maximum, 1 average; softmax: 1 its logarithm")
CHANNELS = Field(880, "channels", "int", "channels of a pixel")
CONSTANTS = tuple(
    Field(1090 + 10 * n, f"constant_{n}", "float", "engine's constant") for n in range(3)
)
# An argument of a kernel that the host launches: the number of its steps. All others are buffers.
STEPS = ""


@dataclass(frozen=True)
class Size:
    """A size of an engine. `values`: what a user may pin it to, 0 to leave the engine out; empty
    where it follows from the network. `timed`: a step's time depends on it."""

    name: str
    values: Sequence[int] = ()
    timed: bool = False


@dataclass(frozen=True)
class Call:
    """A kernel that the host launches, with its buffers and the number of its steps (`STEPS`)."""

    kernel: str
    arguments: tuple[str, ...] = (STEPS,)


def roles(graph: Graph, plan: Plan, engine: str) -> Roles:
    """The types of an engine's values; its results are finished elsewhere."""
    if not graph.integers:
        return weighted(STORAGE_TYPES[plan.weights])
    return replace(integer_roles(graph)[engine], weight=weight_type(graph, plan))


def feature_type(graph: Graph) -> DataType:
    """What the feature maps of a design are made of: of one that computes on integers, those."""
    return graph.integers[0].type if graph.integers else FLOAT32


def weight_type(graph: Graph, plan: Plan) -> DataType:
    """What the weights of a design lie in memory as."""
    return integer_weights(graph) if graph.integers else STORAGE_TYPES[plan.weights]


def memory_type(graph: Graph, layer: Layer) -> DataType:
    """What a layer's weights lie in memory as."""
    return integer_weights(graph) if graph.integers else layer.weight_type


def integer_weights(graph: Graph) -> DataType:
    """The type that holds all weights of a design that computes on integers."""
    wide = any(own.weight == INT16 for own in integer_roles(graph).values())
    return INT16 if wide else INT8


@remembered
def integer_roles(graph: Graph) -> dict[str, Roles]:
    """The types of the engines' values in a design that computes on integers. Raises Infeasible
    where an engine would need two."""
    found: dict[str, Roles] = {}
    for layer in graph.layers:
        op = operator(layer.op)
        own = op.roles(layer, graph)
        if own.operand == FLOAT32 and op.engine_weights:
            raise Infeasible(
                "weights of float32 are not kept beside those of integers",
                where=f"layer {layer.name}",
                remedy="use --style pipelined, or quantise the layer",
            )
        own = replace(own, result=own.accumulator)
        for name in (op.folded_engine(layer), *op.alternative_engines):
            other = found.setdefault(name, own)
            if name and (own.operand, own.accumulator) != (other.operand, other.accumulator):
                raise Infeasible(
                    f"the {name} engine would take values of type {other.operand.name} and of "
                    f"type {own.operand.name}",
                    where=f"layer {layer.name}",
                    remedy="use --style pipelined, or quantise all such layers",
                )
            if own.weight == INT16:
                found[name] = replace(other, weight=INT16)
    return found


def call(kernel: StepKernel) -> Call:
    """How the host launches a kernel."""
    buffers = tuple(pointer.buffer or pointer.name for pointer in kernel.pointers)
    return Call(kernel.name, (*buffers, STEPS) if kernel.start == READER else (STEPS, *buffers))


def unrolling(plan: Plan) -> str:
    """The pragma of loops that are unrolled unless that is switched off."""
    return "#pragma unroll" if plan.enabled("unroll") else "#pragma unroll 1"


@dataclass(frozen=True)
class Setting:
    """What kernels of a folded design depend on beside the sizes of engines: what streams through
    them, the `word` of weights as it lies in memory, whether a launch takes `several` images, and
    whether kernels start `alone`. `floats`: vectors of float32 beside integers."""

    vector: Vector
    word: Vector
    several: bool
    alone: bool
    floats: Vector

    def name_of(self, kind: DataType) -> str:
        """What the text calls a vector of a type, "" for OpenCL's own name."""
        return self.vector.name * (kind == self.vector.type)

    @property
    def tiles(self) -> Count:
        """Of a step."""
        if self.several:
            return fields("tiles")[0]
        down, across = fields("tiles_y", "tiles_x")
        return down * across


def setting(graph: Graph, plan: Plan) -> Setting:
    """That of a plan."""
    alone = plan.enabled("autorun") and plan.enabled("concurrent_queues")
    return Setting(
        vector_of(graph, plan, feature_type(graph)),
        stored_word(graph, plan),
        plan.images > 1,
        alone,
        vector_of(graph, plan, FLOAT32),
    )


def tiles(graph: Graph, plan: Plan) -> Count:
    """Of a step."""
    return setting(graph, plan).tiles


def vector_of(graph: Graph, plan: Plan, kind: DataType) -> Vector:
    """As many values of a type as the engines take at once."""
    assert plan.engines is not None
    return Vector(kind, plan.engines.width, name="vec" if kind == feature_type(graph) else "")


def engine_vector(graph: Graph, plan: Plan, engine: str) -> Vector:
    """What streams into an engine."""
    return vector_of(graph, plan, roles(graph, plan, engine).operand)


def sum_vector(graph: Graph, plan: Plan, engine: str) -> Vector:
    """What an engine sends to be finished."""
    return vector_of(graph, plan, roles(graph, plan, engine).accumulator)


def kept_weights(graph: Graph, plan: Plan, engine: str) -> Vector:
    """A vector of weights as an engine multiplies it: decoded, but of integers."""
    types = roles(graph, plan, engine)
    return vector_of(graph, plan, types.weight if types.weight.integer else types.operand)


def stored_word(graph: Graph, plan: Plan) -> Vector:
    """The weights that come in at once, as they lie in memory."""
    assert plan.engines is not None
    kind = weight_type(graph, plan)
    return Vector(kind, plan.engines.width, plan.engines.burst, "weight_word")


class Engine(ABC):
    """One engine: its sizes, its kernels and channels, the fields of its records, what streams into
    it, and how long a step takes.

    Its template is `templates/folded/<name>.cl.j2`. Its kernels are called after it, the one that
    computes `<name>_engine`.
    """

    name: str = ""
    sizes: tuple[Size, ...] = ()
    fields: tuple[Field, ...] = ()
    # Whether it takes weights, and the reader that sends them where that is not the common one.
    weighted: bool = False
    reader: str = ""
    # Its fields `<parameters>_base` and `<parameters>_words` say where a step's weights lie.
    parameters: str = "weight"
    # Whether the feature reader sends it its input.
    fed: bool = True
    # Whether the host launches it, as it does the readers.
    launched: bool = False
    # Whether a step may take several images: its work is a number of planes or tiles.
    takes_images: bool = False
    # Whether its results may go straight into the tiles of an array.
    feeds: bool = False
    # Whether its weights may be compressed in memory.
    compresses: bool = False
    # Whether weights that are zero cost no time.
    skips_zeros: bool = False
    # Whether it decodes weights that lie in memory in a narrow type.
    decodes: bool = False
    # Whether it takes words of weights apart into single values.
    takes_apart: bool = False
    # Kernels that a step's record goes through one after another.
    hops: int = 1

    # ---- sizes

    def needed(self, graph: Graph, width: int) -> dict[str, int]:
        """The sizes that follow from the layers, for vectors of `width` channels: what they must be
        at least."""
        return {}

    def own(self, engines: Engines) -> EngineSizes:
        """Its sizes among all; those that are given."""
        return EngineSizes(engines.width, engines.burst, engines.sizes.get(self.name, {}))

    def refusal(self, own: EngineSizes) -> str | None:
        """Why its sizes cannot be, whatever the network; None where they can."""
        return None

    def serves(self, layer: Layer) -> bool:
        """Whether it may compute a layer."""
        op = operator(layer.op)
        return self.name in (op.folded_engine(layer), *op.alternative_engines)

    def group(self, engines: Engines) -> int:
        """Output vectors that a step computes at once, at most."""
        return engines.group

    # ---- structure

    def loops(self, own: EngineSizes) -> tuple[tuple[Loop, ...], ...]:
        """Those of its only kernel: nests of loops, one after another."""
        return ()

    @abstractmethod
    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """Its kernels in the order of the data. `records`: the fields of its steps, and of those
        that it feeds, where the text is to be printed."""

    def channels(self, graph: Graph, plan: Plan) -> tuple[tuple[Channel, ...], ...]:
        """Those between its kernels, in groups; each but the first stands before its own kernel in
        the text."""
        return ()

    def start(self, plan: Plan) -> str:
        """How its kernels start."""
        return AUTORUN if self.autorun(plan) else LAUNCHED

    def ends(self, graph: Graph, plan: Plan) -> tuple[End, ...]:
        """Of the channels of the only kernel of an engine that vectors stream through: of records,
        inputs, weights and results."""
        weights = (End(f"{self.name}_weights", stored_word(graph, plan).bits),) * self.weighted
        return (
            End(f"{self.name}_step", WORD),
            End(f"{self.name}_in", engine_vector(graph, plan, self.name).bits),
            *weights,
            End(f"{self.name}_out", sum_vector(graph, plan, self.name).bits, writes=True),
        )

    def autorun(self, plan: Plan) -> bool:
        """Whether its kernels start by themselves."""
        return plan.enabled("autorun") and plan.enabled("concurrent_queues")

    def readers(self, graph: Graph, plan: Plan) -> list[StepKernel]:
        """The kernels that read global memory for it alone."""
        return []

    def weights_channel(self, plan: Plan) -> str:
        """The channel through which the parameter reader sends it weights."""
        return f"{self.name}_weights"

    def weights_step(self, plan: Plan) -> str:
        """The channel of records for the kernel that takes them, where that is not its first."""
        return ""

    # ---- record

    def derived(self, fields: dict[str, Any], step: StepPlan, engines: Engines) -> dict[str, Any]:
        """Fields of its steps that follow from the others: address steps, trip counts, so that no
        kernel multiplies or divides where a constant will do."""
        return {}

    # ---- parameters

    def weights(
        self, graph: Graph, step: StepPlan, engines: Engines
    ) -> tuple[np.ndarray, dict[str, int]]:
        """A step's weight words `(groups, words * burst, V)` as they lie in memory, and fields that
        say how. An engine that multiplies by weights has an order of its own for them."""
        layer = graph.layer(step.layer)
        return operator(layer.op).folded_weights(layer, graph, step, engines), {}

    def share_in_memory(self, graph: Graph, step: StepPlan, engines: Engines) -> float:
        """Compressed words of memory for a word of a step's weights; 1 where it compresses none."""
        return 1.0

    def weight_stream(self, plan: Plan) -> Count:
        """Weight words that it receives in a step."""
        count, groups, words = fields("tiles", "out_groups", "weight_words")
        return count * groups * words

    # ---- launches

    def scratch(self, plan: Plan) -> int:
        """Values that it keeps in global memory."""
        return 0

    def calls(self, graph: Graph, plan: Plan) -> list[Call]:
        """Its kernels as the host launches them where they do not start by themselves."""
        return [call(kernel) for kernel in self.described(graph, plan)]

    def starts_alone(self, plan: Plan) -> bool:
        """Whether none of its kernels is launched on the board."""
        return self.start(plan) == AUTORUN and not self.launched

    # ---- time

    def group_words(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> int:
        """Words of `burst` weight vectors of one group of outputs."""
        return 0

    def cycles(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> float:
        """Iterations of its own loops in a step, at II 1."""
        return float(cycles(self.loops(self.own(engines)), fields))

    def stream_cycles(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any], words: int
    ) -> tuple[float, int]:
        """Cycles in which a step's weights and biases come in, and words of memory that the `words`
        of a group are."""
        return fields["tiles"] * step.groups * (words + step.output_vectors), words

    def fill(self, step: StepPlan, fields: dict[str, Any]) -> float:
        """Cycles from its first input vector to its first multiplication."""
        return 0.0

    def drain(self, fields: dict[str, Any]) -> float:
        """Cycles in which its last results leave."""
        return 0.0

    def loaded(self, fields: dict[str, Any]) -> int:
        """Vectors that it loads by itself in a step."""
        return 0

    def macs(self, own: EngineSizes) -> int:
        """Multiply-accumulates a cycle."""
        return own.width

    def work(self, graph: Graph, step: StepPlan, engines: Engines, macs: int) -> float:
        """How many of a layer's multiply-accumulates it must do in a step, an image: zeros that it
        skips are none."""
        layer = graph.layer(step.layer)
        rows = step.vector_count * engines.width
        if self.skips_zeros:
            counts = row_counts(layer.weights["weight"])
            first = step.first_vector * engines.width
            return macs * int(counts[first : first + rows].sum()) / layer.weights["weight"].size
        return macs * rows / max(graph.output_tensor(layer).channels, rows)

    # ---- explanation

    def rate(self, own: EngineSizes) -> str:
        """What it does in a cycle, where that is a figure of the design."""
        return ""

    def sentences(self, graph: Graph, plan: Plan) -> list[str]:
        """What the report says of it; `graph` as the plan computes it."""
        return []

    def steps(self, plan: Plan) -> list[StepPlan]:
        """Its steps."""
        return [step for step in plan.steps if step.engine == self.name]


class Feeder(Engine):
    """An engine whose results may go straight into the tiles of an array."""

    feeds = True

    @abstractmethod
    def feeding_weights(self, layer: Layer, engines: Engines) -> np.ndarray:
        """The words `(groups, words * burst, V)` of a layer whose results do not pass the
        epilogue."""


class Plain(Engine):
    """No engine: a tensor that goes straight to the epilogue."""

    takes_images = True

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """None."""
        return ()

    def cycles(
        self, graph: Graph, step: StepPlan, engines: Engines, fields: dict[str, Any]
    ) -> float:
        """Its streams alone take time."""
        return 0.0
