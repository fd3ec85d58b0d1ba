"""What the search is asked for: objective, caps, pinned decisions, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from hlsgen.errors import UsageError, did_you_mean
from hlsgen.model.calibration import Calibration, default_calibration
from hlsgen.model.resources import Caps
from hlsgen.plan import Engines, KernelPlan
from hlsgen.schedule.knobs import ENGINES, NO_LAYERS, flag_of, knob_of, listed, owned
from hlsgen.types import FLOAT32, STORAGE_TYPES

OBJECTIVES = ("throughput", "latency", "resources")
# Images of one launch of a folded design: their feature maps lie in memory together.
MOST_IMAGES = 64
# Copies of a pipelined design.
MOST_COPIES = 16
# As many copies as make it faster.
ANY_COPIES = 0
# Of a call of the solver.
SECONDS = 5.0


@dataclass(frozen=True)
class Goal:
    """`objective`: highest throughput, lowest latency, or fewest resources for `fps` images a
    second. `pins` fixes kernel fields as {(layer, field): value}, engine fields as {("engines",
    field): value}. `seconds` bounds each call of the solver, in its own deterministic
    time, so that equal inputs give equal designs. A folded design takes `images` images a
    launch, so that their layers share weights: more throughput, at the price of latency. A
    pipelined design stands on the board in `copies`, or ANY_COPIES: as many as make it faster; one
    with objective latency, and as few as reach `fps` with resources.
    Weights lie in memory as `weights`, the name of a type."""

    objective: str = "throughput"
    fps: float = 0.0
    caps: Caps = field(default_factory=Caps)
    pins: Mapping[tuple[str, str], int] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=default_calibration)
    seconds: float = SECONDS
    images: int = 1
    copies: int = 1
    weights: str = FLOAT32.name

    def engine_pins(self) -> dict[str, int]:
        """Pinned fields of the folded engines."""
        return {name: value for (owner, name), value in self.pins.items() if owner == ENGINES}

    def layer_pins(self) -> dict[tuple[str, str], int]:
        """Pinned fields of kernels."""
        return {key: value for key, value in self.pins.items() if key[0] not in NO_LAYERS}

    def allows(self, kernel: KernelPlan) -> bool:
        """Whether a kernel obeys the pins."""
        return all(
            getattr(kernel, name) == value
            for (layer, name), value in self.pins.items()
            if layer == kernel.layer
        )

    def allows_engines(self, engines: Engines) -> bool:
        """Whether engines obey the pins."""
        return all(engines.value(name) == value for name, value in self.engine_pins().items())


def check_goal(goal: Goal) -> Goal:
    """Raise UsageError for decisions that no network and no style can have."""
    if goal.objective not in OBJECTIVES:
        raise UsageError(
            f"unknown objective {goal.objective!r}{did_you_mean(goal.objective, OBJECTIVES)}",
            where="--objective",
            remedy=f"choose one of {', '.join(OBJECTIVES)}",
        )
    if goal.weights not in STORAGE_TYPES:
        raise UsageError(
            f"unknown type {goal.weights!r}{did_you_mean(goal.weights, STORAGE_TYPES)}",
            where="--weights",
            remedy=f"choose one of {', '.join(STORAGE_TYPES)}",
        )
    if not 1 <= goal.images <= MOST_IMAGES:
        raise UsageError(
            f"{goal.images} images a launch", where="--images", remedy=f"choose 1 to {MOST_IMAGES}"
        )
    if not ANY_COPIES <= goal.copies <= MOST_COPIES:
        raise UsageError(
            f"{goal.copies} copies", where="--copies", remedy=f"choose 1 to {MOST_COPIES}"
        )
    if not 0 <= goal.seconds < inf:
        raise UsageError(
            f"{goal.seconds} s is no time limit", where="--time-limit", remedy="choose 0 or more"
        )
    check_fps(goal)
    for name, cap in vars(goal.caps).items():
        if not 0 < cap <= 1:
            raise UsageError(
                f"{cap:g} is no share of a device", where=f"--{name}", remedy="choose 0 to 1"
            )
    for (owner, name), value in goal.pins.items():
        knob = knob_of(owner, name)
        if knob is None:
            fields = ", ".join(known.field for known in owned(owner))
            raise UsageError(
                f"has no field {name!r}", where=f"--set {owner}", remedy=f"its fields: {fields}"
            )
        if value not in knob.values:
            raise UsageError(
                f"{value} cannot be",
                where=flag_of(owner, name),
                remedy=f"choose from {listed(knob.values)}",
            )
    return goal


def check_fps(goal: Goal) -> None:
    """Raise UsageError for a rate without its objective, and the other way round."""
    if goal.objective == "resources" and not 0 < goal.fps < inf:
        raise UsageError(
            "needs the images a second to reach",
            where="--objective resources",
            remedy="add --fps N",
        )
    if goal.objective != "resources" and goal.fps:
        raise UsageError(
            f"{goal.objective} has no rate to reach",
            where="--fps",
            remedy="add --objective resources, or leave it out",
        )
