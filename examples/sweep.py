"""A sweep over the Python API: what does each doubling of the convolution engine bring? `python -m
examples.sweep [MODEL.onnx]`."""

from __future__ import annotations

import sys

import hlsgen
from hlsgen.errors import PlanError
from hlsgen.model.estimate import estimate
from hlsgen.schedule.goal import Goal
from hlsgen.zoo import network


def main() -> None:
    """Print images a second, DSPs and what limits each design."""
    graph = hlsgen.load_graph(sys.argv[1] if len(sys.argv) > 1 else network("resnet18"))
    print(f"{'outputs':>8} {'DSPs':>6} {'images/s':>9}  bottleneck")
    for outputs in (1, 2, 4, 8, 16):
        goal = Goal(pins={("engines", "outputs"): outputs, ("engines", "inputs"): 1})
        try:
            plan = hlsgen.schedule(graph, board="pac_d5005", style="folded", goal=goal)
        except PlanError as error:
            print(f"{outputs:8} {error.reason}")
            continue
        found = estimate(graph, plan)
        print(
            f"{outputs:8} {found.resources.dsps:6,} {found.throughput:9.1f}  "
            f"{found.timing.bottleneck}"
        )


if __name__ == "__main__":
    main()
