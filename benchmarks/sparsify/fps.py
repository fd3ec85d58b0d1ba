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
# Networks in the styles that serve them best: those whose weights fit on the chip are pipelined.
ROWS = (
    ("mobilenetv1", "pipelined"),
    ("mobilenetv1", "folded"),
    ("mobilenetv2", "pipelined"),
    ("mobilenetv2", "folded"),
    ("squeezenet", "pipelined"),
    ("resnet34", "folded"),
    ("alexnet", "folded"),
    ("vgg19", "folded"),
)
# Those of ONNX's light models, by their names there.
LIGHT = {"alexnet": "bvlc_alexnet", "vgg19": "vgg19"}
HEAD = (
    "| network | style | "
    + " | ".join(f"{share:.0%} zero" for share in SHARES)
    + " | layers that skip zeros at 85 % |\n"
    + "|---" * (len(SHARES) + 3)
    + "|"
)


def model(name: str) -> onnx.ModelProto:
    """A network, seeded weights: only where the zeros are matters here."""
    return light.model(LIGHT[name]) if name in LIGHT else network(name)


def cell(model: onnx.ModelProto, share: float, style: str) -> tuple[float, int]:
    """Images a second, and layers that skip zeros."""
    graph = hlsgen.load_graph(sparsify(model, "relative", sparsity=share).model)
    plan = schedule(graph, style=style)
    skipping = {s.layer for s in plan.steps if s.engine in ("sparse", "skipping")} | {
        k.layer for k in plan.kernels if k.skips_zeros
    }
    return estimate(graph, plan).throughput, len(skipping)


def lines(name: str, style: str) -> Iterator[str]:
    """A network's row."""
    given = model(name)
    cells = [cell(given, share, style) for share in SHARES]
    shown = " | ".join(f"{fps:,.1f}" for fps, _ in cells)
    yield f"| {name} | {style} | {shown} | {cells[-1][1]} |"


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    print(HEAD)
    for name, style in ROWS:
        for line in lines(name, style):
            print(line, flush=True)


if __name__ == "__main__":
    main()
