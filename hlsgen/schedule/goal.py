"""What the search is asked for: objective, caps, pinned decisions, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hlsgen.errors import PlanError
from hlsgen.plan import Engines, KernelPlan
from hlsgen.schedule.calibration import Calibration, default_calibration
from hlsgen.schedule.resources import Caps

OBJECTIVES = ("throughput", "latency", "resources")
# Field names that a user may pin, and what they are called in the literature.
KERNEL_FIELDS = {
    "unroll_ic": "input_width",
    "input_width": "input_width",
    "unroll_oc": "output_width",
    "output_width": "output_width",
    "unroll_window": "unroll_window",
    "fold": "fold",
    "skip": "skip",
    "at_once": "at_once",
    "strips": "strips",
}
ENGINE_FIELDS = (
    "width", "inputs", "outputs", "burst", "tile_vectors", "tile_pixels",
    "skip_inputs", "skip_outputs", "skip_tile_vectors", "skip_tile_pixels",
)  # fmt: skip
# How many first layers of a hybrid design are a pipeline.
FRONT_FIELDS = ("layers",)
# Images of one launch of a folded design: their feature maps lie in memory together.
MOST_IMAGES = 64
# Copies of a pipelined design.
MOST_COPIES = 16


@dataclass(frozen=True)
class Goal:
    """`objective`: highest throughput, lowest latency, or fewest resources for `fps` images a second. `pins` fixes kernel fields
    as {(layer, field): value}, engine fields as {("engines", field): value}. `seconds` bounds each solver call. A folded design takes `images` images a launch, so that their
    layers share weights: more throughput, at the price of latency. A pipelined design stands on the board in `copies`."""

    objective: str = "throughput"
    fps: float = 0.0
    caps: Caps = field(default_factory=Caps)
    pins: Mapping[tuple[str, str], int] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=default_calibration)
    seconds: float = 5.0
    images: int = 1
    copies: int = 1

    def engine_pins(self) -> dict[str, int]:
        """Pinned fields of the folded engines."""
        return {name: value for (owner, name), value in self.pins.items() if owner == "engines"}

    def allows(self, kernel: KernelPlan) -> bool:
        """Whether a kernel obeys the pins."""
        return all(
            getattr(kernel, name) == value for (layer, name), value in self.pins.items() if layer == kernel.layer
        )

    def allows_engines(self, engines: Engines) -> bool:
        """Whether engines obey the pins."""
        return all(getattr(engines, name) == value for name, value in self.engine_pins().items())


def check_goal(goal: Goal) -> Goal:
    """Raise PlanError for an objective that does not exist or lacks its figure."""
    if goal.objective not in OBJECTIVES:
        raise PlanError(
            f"unknown objective {goal.objective!r}",
            where="--objective",
            remedy=f"choose one of {', '.join(OBJECTIVES)}",
        )
    if not 1 <= goal.images <= MOST_IMAGES:
        raise PlanError(f"{goal.images} images a launch", where="--images", remedy=f"choose 1 to {MOST_IMAGES}")
    if not 1 <= goal.copies <= MOST_COPIES:
        raise PlanError(f"{goal.copies} copies", where="--copies", remedy=f"choose 1 to {MOST_COPIES}")
    if goal.objective == "resources" and goal.fps <= 0:
        raise PlanError("needs the images a second to reach", where="--objective resources", remedy="add --fps N")
    return goal


def parse_pins(texts: Sequence[str]) -> dict[tuple[str, str], int]:
    """`["conv1.unroll_oc=16", "engines.width=8"]` as pins. Raises PlanError."""
    pins = {}
    for text in texts:
        target, _, value = text.partition("=")
        owner, _, name = target.rpartition(".")
        known = {"engines": ENGINE_FIELDS, "front": FRONT_FIELDS}.get(owner, tuple(KERNEL_FIELDS))
        if not owner or name not in known or not value.isdigit():
            raise PlanError(
                f"{text!r} is not LAYER.FIELD=NUMBER",
                where="--set",
                remedy=f"fields of a layer: {', '.join(KERNEL_FIELDS)}; of engines: {', '.join(ENGINE_FIELDS)}; of front: layers",
            )
        pins[owner, KERNEL_FIELDS.get(name, name) if owner != "engines" else name] = int(value)
    return pins
