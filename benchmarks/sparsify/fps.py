"""Predicted images a second of folded designs on PAC D5005 at several sparsities: python -m benchmarks.sparsify.fps"""

from __future__ import annotations

import warnings

import onnx

import hlsgen
from benchmarks.conformance import light
from hlsgen.schedule.estimate import estimate
from hlsgen.schedule.scheduler import schedule
from hlsgen.sparsify import sparsify
from hlsgen.zoo import network

SHARES = (0.0, 0.5, 0.73, 0.85)
STYLE = "folded"


def models() -> dict[str, onnx.ModelProto]:
    """The networks, seeded weights: only where the zeros are matters here."""
    found = {name: network(name) for name in ("mobilenetv1", "mobilenetv2", "resnet34")}
    return found | {"alexnet": light.model("bvlc_alexnet"), "vgg19": light.model("vgg19")}


def cell(model: onnx.ModelProto, share: float) -> tuple[float, int]:
    """Images a second, and fully connected layers that skip zeros."""
    graph = hlsgen.load(sparsify(model, "relative", sparsity=share).model)
    plan = schedule(graph, style=STYLE)
    return estimate(graph, plan).throughput, len({s.layer for s in plan.steps if s.engine == "sparse"})


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    print("| network | " + " | ".join(f"{share:.0%} zero" for share in SHARES) + " | layers that skip zeros at 85 % |")
    print("|---" * (len(SHARES) + 2) + "|")
    for name, model in models().items():
        cells = [cell(model, share) for share in SHARES]
        print(f"| {name} | " + " | ".join(f"{fps:.1f}" for fps, _ in cells) + f" | {cells[-1][1]} |", flush=True)


if __name__ == "__main__":
    main()
