"""`estimate`: resources and timing of a plan in one object. The estimator reads the plan that the
code generator reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hlsgen.boards import Board
from hlsgen.boards import board as find_board
from hlsgen.graph import Graph
from hlsgen.model.calibration import Calibration, default_calibration
from hlsgen.model.folded_timing import layer_macs
from hlsgen.model.resources import Resources, design_resources
from hlsgen.model.structure import structure
from hlsgen.model.times import Timing, rate
from hlsgen.model.timing import design_timing
from hlsgen.plan import Plan
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.rewrites.weight_storage import with_storage


@dataclass(frozen=True)
class Estimate:
    """Predicted cost of a design. Times in seconds; `roofline_fps` is what the DSPs in reach at the
    predicted clock, or the memory bandwidth, would allow at best, `fixed_roofline_fps` the same at
    the device's fixed clock; `least_bandwidth` the GB/s that the design needs on average at its
    throughput."""

    resources: Resources
    timing: Timing
    macs: int
    roofline_fps: float
    fixed_roofline_fps: float
    least_bandwidth: float

    def __repr__(self) -> str:
        return (
            f"Estimate({rate(self.throughput)} images a second, {self.latency * 1e3:.3g} ms, "
            f"bottleneck {self.timing.bottleneck})"
        )

    @property
    def throughput(self) -> float:
        """Images a second of a stream."""
        return self.timing.throughput

    @property
    def latency(self) -> float:
        """Seconds of one image."""
        return self.timing.latency

    def to_dict(self) -> dict[str, Any]:
        """For JSON: throughput_fps, latency_ms, bottleneck, resources, layers and more."""
        return {
            "throughput_fps": self.throughput,
            "latency_ms": self.latency * 1e3,
            "bottleneck": self.timing.bottleneck,
            "resources": asdict(self.resources),
            "layers": [
                asdict(layer) | {"utilisation": layer.utilisation} for layer in self.timing.layers
            ],
            "macs": self.macs,
            "roofline_fps": self.roofline_fps,
            "roofline_share": self.throughput / self.roofline_fps,
            "fixed_roofline_fps": self.fixed_roofline_fps,
            "fixed_roofline_share": self.throughput / self.fixed_roofline_fps,
            "least_bandwidth_gbs": self.least_bandwidth,
        }


def estimate(
    graph: Graph, plan: Plan, calibration: Calibration | None = None, board: Board | None = None
) -> Estimate:
    """Predict resources, clock, throughput and latency of a plan. Raises BoardError, PlanError."""
    graph, target = with_storage(graph, plan.weights), board or find_board(plan.board)
    design = structure(reshaped(graph, plan), plan)
    resources = design_resources(design, target, calibration or default_calibration())
    timing = design_timing(graph, plan, target, resources.fmax)
    macs = sum(layer_macs(graph).values())
    least = timing.bytes * timing.throughput / 1e9
    predicted, fixed = (
        roofline(dsp_work(graph, target), timing.bytes, clock, target)
        for clock in (resources.fmax, target.device.roofline_clock)
    )
    return Estimate(resources, timing, macs, predicted, fixed, least)


def dsp_work(graph: Graph, board: Board) -> float:
    """Cycles of a DSP that an image's multiply-accumulates take; bytes share DSPs."""
    device, found = board.device, 0.0
    for name, macs in layer_macs(graph).items():
        whole = graph.tensors[graph.layer(name).inputs[0]].type.integer
        found += macs / device.int8_macs_per_dsp if whole else macs * device.multiply_add_dsps
    return found


def roofline(work: float, moved: float, clock: float, board: Board) -> float:
    """Images a second if every DSP in reach multiplied in every cycle (`work` cycles of one an
    image), or memory did nothing but this design's traffic."""
    compute = board.available_dsps * clock * 1e6 / max(work, 1.0)
    return min(compute, board.bandwidth * 1e9 / max(moved, 1.0))
