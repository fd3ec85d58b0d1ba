"""Predicted images a second on PAC D5005 at several sparsities: python -m
benchmarks.sparsify.fps"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import onnx

import hlsgen
from benchmarks.conformance import light
from hlsgen.model.estimate import estimate
from hlsgen.schedule.scheduler import schedule
from hlsgen.sparsify import sparsify
from hlsgen.zoo import network

SHARES = (0.0, 0.5, 0.73, 0.85)
# Networks in the style that serves them best: those whose weights fit on the chip are pipelined.
STYLES = {
    "mobilenetv1": ("pipelined", "folded"),
    "mobilenetv2": ("pipelined", "folded"),
    "squeezenet": ("pipelined",),
}


def models() -> dict[str, onnx.ModelProto]:
    """The networks, seeded weights: only where the zeros are matters here."""
    found = {
        name: network(name) for name in ("mobilenetv1", "mobilenetv2", "squeezenet", "resnet34")
    }
    return found | {"alexnet": light.model("bvlc_alexnet"), "vgg19": light.model("vgg19")}


def cell(model: onnx.ModelProto, share: float, style: str) -> tuple[float, int]:
    """Images a second, and layers that skip zeros."""
    graph = hlsgen.load_graph(sparsify(model, "relative", sparsity=share).model)
    plan = schedule(graph, style=style)
    skipping = {s.layer for s in plan.steps if s.engine in ("sparse", "skipping")} | {
        k.layer for k in plan.kernels if k.nonzeros_per_lane
    }
    return estimate(graph, plan).throughput, len(skipping)


def lines() -> Iterator[str]:
    """The table, line by line."""
    yield (
        "| network | style | "
        + " | ".join(f"{share:.0%} zero" for share in SHARES)
        + " | layers that skip zeros at 85 % |"
    )
    yield "|---" * (len(SHARES) + 3) + "|"
    for name, model in models().items():
        for style in STYLES.get(name, ("folded",)):
            cells = [cell(model, share, style) for share in SHARES]
            yield (
                f"| {name} | {style} | "
                + " | ".join(f"{fps:,.1f}" for fps, _ in cells)
                + f" | {cells[-1][1]} |"
            )


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    for line in lines():
        print(line, flush=True)


if __name__ == "__main__":
    main()
