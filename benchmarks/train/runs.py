"""What the benchmarks of training share: networks, runs of `hlsgen train` as a user would start
them, and tables."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from hlsgen.zoo import network

DOCUMENT = Path("docs", "training.md")


@dataclass(frozen=True)
class Network:
    """A network of the paper: zoo name and width, cuts after early layers and throughout, and how
    it is trained."""

    name: str
    width: float
    shallow: str
    deep: str
    epochs: int
    limit: int
    rate: float


NETWORKS = {
    n.name: n
    for n in (
        Network("lenet5", 1.0, "pool1", "pool1,pool2,relu3", 10, 0, 0.01),
        Network("alexnet", 0.5, "pool1", "pool1,pool2,relu4", 6, 12000, 0.01),
        Network("vgg16", 0.25, "conv1_2_relu", "pool2,pool3,pool4", 6, 12000, 0.02),
        Network(
            "resnet20",
            1.0,
            "stage1_block1_relu",
            "stage1_block3_relu,stage2_block2_relu,stage3_block1_relu",
            6,
            12000,
            0.05,
        ),
    )
}


def train(folder: Path, spec: Network, seed: int, *options: str) -> dict[str, Any]:
    """Train a network of the zoo and return what the command tells. Raises RuntimeError when it
    fails."""
    model = folder / f"{spec.name}-{spec.width}-{seed}.onnx"
    if not model.is_file():
        onnx.save(network(spec.name, None, spec.width, seed), model)
    command = [
        sys.executable,
        "-m",
        "hlsgen",
        "train",
        str(model),
        "-o",
        str(folder / "trained.onnx"),
        "--force",
        "--json",
    ]
    command += ["--seed", str(seed), "--lr", str(spec.rate), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(result.stderr)
    told: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return told


def table(titles: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
