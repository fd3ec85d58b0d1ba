"""int8 beside float32, in one run on this machine:
`python -m benchmarks.quantise.speed [NETWORK...]` prints the table of docs/quantisation.md.

The zoo's networks, pipelined: CPU seconds from ONNX to the design, bytes of the weights file,
what the model predicts, and milliseconds an image on the emulator, the median of rounds that
alternate between both.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

import hlsgen
from benchmarks.quantise.equality import BOARD, STYLE, quantised
from hlsgen.host.design import HostDesign
from hlsgen.host.runner import run
from hlsgen.host.session import Session
from hlsgen.model.times import rate
from hlsgen.zoo import network

# Network -> images in each of the alternating rounds.
NETWORKS = {"lenet5": 50, "squeezenet": 2, "mobilenetv1": 2}
ROUNDS = 3
HEAD = (
    "| network | type | build, CPU s | weights, MB | images/s, predicted | DSPs | memory blocks "
    "| emulated, ms an image |\n|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Built:
    """A design with the cells of its row but the last."""

    design: HostDesign
    cells: tuple[str, ...]


def built(model: onnx.ModelProto, name: str, folder: Path) -> Built:
    """Build a network, as float32 or integers."""
    started = time.process_time()
    graph = hlsgen.load_graph(model, name=name)
    plan = hlsgen.schedule(graph, board=BOARD, style=STYLE)
    path = hlsgen.generate(graph, plan, folder / name).path
    seconds = time.process_time() - started
    predicted = hlsgen.estimate(graph, plan)
    used = predicted.resources
    cells = (
        f"{seconds:.1f}",
        f"{(path / 'weights').stat().st_size / 1e6:.2f}",
        rate(predicted.throughput),
        f"{used.dsps:,}",
        f"{used.blocks:,}",
    )
    return Built(HostDesign(path), cells)


def milliseconds(design: HostDesign, images: int) -> list[float]:
    """Of so many images on the emulator, the first left out."""
    inputs = {
        port.name: np.random.default_rng(0).standard_normal(port.shape, dtype=np.float32)
        for port in design.manifest.inputs
    }
    result = run(design, inputs, repeat=images + 1, optimise=True, session=Session(keep=0))
    return [1000 * seconds for seconds in result.image_seconds[1:]]


def rows(name: str, folder: Path) -> list[str]:
    """The two lines of a network."""
    model = network(name)
    both = {
        "float32": built(model, f"{name}_float32", folder),
        "int8": built(quantised(model), f"{name}_int8", folder),
    }
    times: dict[str, list[float]] = {kind: [] for kind in both}
    for _ in range(ROUNDS):
        for kind, one in both.items():
            times[kind] += milliseconds(one.design, NETWORKS[name])
    return [
        f"| {name} | {kind} | {' | '.join(one.cells)} | {rounded(statistics.median(times[kind]))} |"
        for kind, one in both.items()
    ]


def rounded(value: float) -> str:
    """Three digits."""
    return f"{float(f'{value:.3g}'):,g}"


def main() -> None:
    """Print the table."""
    print(HEAD, flush=True)
    for name in sys.argv[1:] or NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            for line in rows(name, Path(folder)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
