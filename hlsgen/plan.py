"""The plan: every decision of the scheduler as frozen data that can be printed, saved, edited and
loaded again.

The estimator and the code generator both read it, and nothing else, so that cost and code cannot
drift apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlsgen.errors import PlanError, UsageError, did_you_mean
from hlsgen.evidence import Evidence
from hlsgen.host.fields import Frozen
from hlsgen.host.files import write_whole
from hlsgen.plan_schema_1 import upgraded
from hlsgen.schema import STRICT, checked, read
from hlsgen.style import SELECTABLE, STYLES
from hlsgen.types import FLOAT32, STORAGE_TYPES

SCHEMA = 2
# Fields that may be 0; all others are positive.
MAY_BE_ZERO = (
    *("first_vector", "first_image", "position", "nonzeros_per_lane", "row_tiles"),
    *("nonzeros_per_vector", "unlimited", "shapes", "pairs", "weight_readers"),
)
# No size of a design comes near to it; sizes beyond would overflow kernels' counters.
LARGEST = (1 << 31) - 1

# What `--disable` can switch off, one at a time or together.
OPTIMISATIONS = {
    "unroll": "filter window and channel lanes computed in parallel",
    "tile": "channel loops strip-mined so that the unrolled part has constant bounds",
    "fuse": "bias, activation and residual addition inside the layer's own loop nest",
    "cached_writes": "accumulators on chip, one write at the end",
    "channels": "kernels joined by channels instead of global memory",
    "autorun": "kernels without arguments start by themselves",
    "concurrent_queues": "every kernel in a command queue of its own",
    "parameterised": "one engine serves many layers",
    "relaxed_fp": "floating-point reassociation and contraction",
}


@dataclass(frozen=True)
class KernelPlan:
    """A kernel of the pipelined or layered style.

    `input_width` and `output_width` are the lanes of a vector of channels: the unroll factors of
    the channel loops. `unroll_window` unrolls all filter taps. `partial_sums` interleaved
    accumulators keep II at 1. A depthwise kernel with an unrolled window may go through a vector's
    lanes in `lane_folding` turns, with so many fewer multipliers. With `nonzeros_per_lane` a kernel
    skips zero weights: each output lane takes so many non-zero ones a turn. With
    `nonzeros_per_vector` it multiplies by so many of the weights that meet an input vector, none of
    which has more that are not zero. `vectors_per_cycle`
    input vectors are multiplied in a turn, put together by a kernel of its own. With `row_tiles`
    the weights are not kept on chip: they stream from memory, anew for each of so many equal row
    tiles of the output's rows.
    """

    __pydantic_config__ = STRICT

    layer: str
    input_width: int = 1
    output_width: int = 1
    unroll_window: bool = False
    partial_sums: int = 1
    lane_folding: int = 1
    nonzeros_per_lane: int = 0
    nonzeros_per_vector: int = 0
    vectors_per_cycle: int = 1
    row_tiles: int = 0

    @property
    def skips_zeros(self) -> bool:
        """Whether it leaves out multiplications by weights that are zero."""
        return self.nonzeros_per_lane + self.nonzeros_per_vector > 0


@dataclass(frozen=True)
class EdgePlan:
    """A channel from the producer of `tensor` to input `position` of the layer `consumer`.

    `consumer` is "" for the writer of the network's output number `position`. `depth` counts
    vectors of `width` lanes.
    """

    __pydantic_config__ = STRICT

    tensor: str
    consumer: str
    position: int
    width: int
    depth: int


@dataclass(frozen=True)
class StepPlan:
    """One pass of an engine: which layer, which tile of outputs, which run of output vectors.

    `output_vectors` output vectors are computed together; `residual` names a tensor that the
    epilogue adds, and `addition` the addition layer that it then stands for. `engine` "" is a plain
    pass through the epilogue. `source` is the tensor to read where it is not the layer's first
    input. Without `finish` bias and activation are left out. `feeder` names a depthwise layer whose
    results stream straight into this convolution's tiles (hybrid designs). With `compressed` a
    convolution's weights lie in memory without their zeros. A step serves `images` images of a
    launch, the first being number `first_image`; a tile holds `tile_images` of them, so that its
    weights serve them all.
    """

    __pydantic_config__ = STRICT

    layer: str
    engine: str
    tile_height: int
    tile_width: int
    output_vectors: int
    first_vector: int
    vector_count: int
    residual: str = ""
    addition: str = ""
    source: str = ""
    finish: bool = True
    feeder: str = ""
    compressed: bool = False
    images: int = 1
    first_image: int = 0
    tile_images: int = 1

    @property
    def groups(self) -> int:
        """How many times the tile is passed, `output_vectors` output vectors each time."""
        return ceil(self.vector_count / self.output_vectors)


@dataclass(frozen=True)
class EngineSizes:
    """An engine's own sizes, and those that all share, as attributes."""

    width: int
    burst: int
    own: Mapping[str, int]

    def __post_init__(self) -> None:
        vars(self).update(self.own)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> int: ...


@dataclass(frozen=True)
class Engines:
    """The shape of the folded design's engines, shared by all layers.

    `width`: lanes of a vector of channels (V). `burst`: weight vectors a cycle. `group`: output
    vectors of a group, of engines that compute some at once without accumulators for them. `sizes`:
    what each engine has beside these, by the engine's name and its own names (`hlsgen.engines`). An
    engine that no step runs has none.
    """

    __pydantic_config__ = STRICT

    width: int
    burst: int
    group: int
    sizes: Mapping[str, Mapping[str, int]] = field(default_factory=Frozen)

    def __post_init__(self) -> None:
        if not isinstance(self.sizes, Frozen):  # as a file gives them
            own = {name: Frozen(sizes) for name, sizes in self.sizes.items()}
            object.__setattr__(self, "sizes", Frozen(own))

    def of(self, engine: str) -> EngineSizes:
        """The sizes of one engine. Raises KeyError where the design does not have it."""
        known = self._of
        if engine not in known:
            known[engine] = EngineSizes(self.width, self.burst, self.sizes[engine])
        return known[engine]

    @cached_property
    def _of(self) -> dict[str, EngineSizes]:
        return {}

    def having(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the named engines that the design has."""
        return tuple(name for name in names if name in self.sizes)

    def value(self, name: str) -> int:
        """A size as users call it, `width` or `engine.size`; 0 of an engine that is not there."""
        own, _, size = name.rpartition(".")
        return int(self.sizes.get(own, {}).get(size, 0) if own else getattr(self, size))

    def sized(self, **sizes: Mapping[str, int]) -> Engines:
        """With the sizes of some engines, in place of theirs."""
        own = {name: Frozen(values) for name, values in sizes.items()}
        return Engines(self.width, self.burst, self.group, Frozen(dict(self.sizes) | own))

    def only(self, names: Iterable[str]) -> Engines:
        """With the named engines alone."""
        found = sorted(self.having(names))
        return replace(self, sizes=Frozen((name, self.sizes[name]) for name in found))


@dataclass(frozen=True)
class LinkPlan:
    """One end of the link to a neighbouring board: the I/O `channels` that it uses side by side, of
    `bits` each, and the `tensors` whose vectors take turns in its words (`kernel/packing.py`).
    `depth`: words that the channels hold."""

    __pydantic_config__ = STRICT

    channels: tuple[str, ...]
    bits: int
    tensors: tuple[str, ...]
    depth: int

    @property
    def word(self) -> int:
        """Bits of all channels side by side."""
        return len(self.channels) * self.bits


@dataclass(frozen=True)
class Plan:
    """A complete schedule of one network on one board.

    `style` is what was built; `weights` the type in which weights lie in memory; `disabled` the
    optimisations switched off; `evidence` what the search showed of it. `kernels` and `edges`
    describe pipelined and layered designs, `engines` and `steps` folded ones, which take `images`
    images a launch; `im2col` names the convolutions whose window columns the host unfolds into
    channels, `dense_as_convolution` the fully connected layers that the convolution engine
    computes. A pipelined design may stand on the board in `copies`, which work on different images.
    Weights that stream from memory come through `weight_readers` kernels, each from a bank of its
    own for many layers in turn, or (0) through a kernel a layer. Of a network over several boards,
    inputs and outputs of a board's part come over the link from the board before, and leave over
    that to the next (`arriving`, `leaving`).
    """

    __pydantic_config__ = STRICT

    network: str
    board: str
    style: str
    weights: str = FLOAT32.name
    disabled: tuple[str, ...] = ()
    kernels: tuple[KernelPlan, ...] = ()
    edges: tuple[EdgePlan, ...] = ()
    engines: Engines | None = None
    steps: tuple[StepPlan, ...] = ()
    im2col: tuple[str, ...] = ()
    dense_as_convolution: tuple[str, ...] = ()
    images: int = 1
    copies: int = 1
    weight_readers: int = 0
    arriving: LinkPlan | None = None
    leaving: LinkPlan | None = None
    evidence: Evidence = field(default_factory=Evidence)

    def __repr__(self) -> str:
        return f"Plan({self.network}: {self.style} on {self.board})"

    def enabled(self, optimisation: str) -> bool:
        """Whether an optimisation is on. The base style has none."""
        assert optimisation in OPTIMISATIONS
        return STYLES[self.style].optimised and optimisation not in self.disabled

    def kernel(self, layer: str) -> KernelPlan:
        """The kernel of a layer. Raises PlanError."""
        if layer not in self._kernels:
            raise PlanError(
                "the plan has no kernel for it",
                where=f"layer {layer}",
                remedy="rebuild the plan from this network",
            )
        return self._kernels[layer]

    @cached_property
    def _kernels(self) -> dict[str, KernelPlan]:
        """All kernels by their layers, since searches ask for them again and again."""
        return {kernel.layer: kernel for kernel in self.kernels}

    def to_json(self) -> str:
        """The plan as indented JSON, keys in a fixed order."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the plan as JSON."""
        write_whole(Path(path), self.to_json())

    @staticmethod
    def load(path: str | Path) -> Plan:
        """Read a plan. Raises PlanError when the file is missing, malformed or of another
        schema."""
        where, remedy = f"plan {path}", "save a plan with build and edit that"
        data = read(dict[str, Any], path, where, PlanError, remedy)
        if (schema := data.pop("schema", None)) not in (1, SCHEMA):
            raise PlanError(
                f"is not a plan of schema 1 or {SCHEMA}",
                where=where,
                remedy="save a new one with build",
            )
        plan = checked(Plan, upgraded(data) if schema == 1 else data, where, PlanError, remedy)
        check_fields(plan, where)
        return plan


def check_fields(plan: Plan, where: str) -> None:
    """Raise PlanError for values that no plan can have, whatever the network."""
    stored = tuple(STORAGE_TYPES)
    for value, known, what in (
        (plan.style, STYLES, "style"),
        (plan.weights, stored, "storage type of weights"),
    ):
        if value not in known:
            raise PlanError(
                f"unknown {what} {value!r}", where=where, remedy=f"choose one of {', '.join(known)}"
            )
    check_disabled(plan.disabled)
    named: list[tuple[str, Any]] = [("", vars(plan)), ("evidence", vars(plan.evidence))]
    if plan.engines:
        named += [("engines", vars(plan.engines))]
        named += [(f"engines, {name}", sizes) for name, sizes in plan.engines.sizes.items()]
    links = (("arriving", plan.arriving), ("leaving", plan.leaving))
    named += [(name, vars(link)) for name, link in links if link]
    named += [
        (f"{name}[{i}]", vars(item))
        for name in ("kernels", "edges", "steps")
        for i, item in enumerate(getattr(plan, name))
    ]
    for place, item in named:
        inside = f"{where}, {place}" if place else where
        for name, value in item.items():
            if type(value) is not int:
                continue
            if value < (0 if name in MAY_BE_ZERO else 1):
                raise PlanError(f"{name} must be positive, not {value}", where=inside)
            if value > LARGEST:
                raise PlanError(f"{name} must be at most {LARGEST:,}, not {value}", where=inside)


def check_names(style: str, disabled: tuple[str, ...]) -> None:
    """Raise UsageError for a style or an optimisation that does not exist."""
    if style not in SELECTABLE:
        raise UsageError(
            f"unknown style {style!r}{did_you_mean(style, SELECTABLE)}",
            remedy=f"choose one of {', '.join(SELECTABLE)}",
        )
    check_disabled(disabled)


def check_disabled(disabled: tuple[str, ...]) -> None:
    """Raise UsageError for an optimisation that does not exist."""
    for name in disabled:
        if name not in OPTIMISATIONS:
            raise UsageError(
                f"unknown optimisation {name!r}{did_you_mean(name, OPTIMISATIONS)}",
                where="--disable",
                remedy=f"choose from {', '.join(OPTIMISATIONS)}",
            )
