"""How fast designs are built, compiled and emulated: `make bench`. Ratios to onnxruntime and
tinygrad, in one run.

All run on this machine: onnxruntime on one thread of the CPU; tinygrad's OpenCL and hlsgen's folded
design on the same Intel FPGA emulator. Rounds alternate between them, and medians are compared.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

import hlsgen
from hlsgen.host.design import HostDesign
from hlsgen.host.devices import environment, library
from hlsgen.host.runner import run
from hlsgen.host.session import Session
from hlsgen.zoo import network

# Network -> images in each of the alternating rounds.
NETWORKS = {"lenet5": 200, "mobilenetv1": 10, "resnet34": 5}
ROUNDS = 3


def peer(kind: str, path: Path, images: int) -> dict[str, Any]:
    """Time a peer in a child process; an empty result when it is not installed."""
    variables = dict(os.environ)
    if kind == "tinygrad":
        # tinygrad loads one OpenCL library: the emulator itself, whose own libraries are beside it.
        emulator = str(library("emulator"))
        variables = environment("emulator", 0) | {
            "DEV": "CL",
            "OPENCL_PATH": emulator,
            "CACHELEVEL": "0",
        }
        variables["LD_LIBRARY_PATH"] = str(Path(emulator).parent)
    command = [sys.executable, "-m", "benchmarks.peers", kind, str(path), str(images)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{kind} did not run: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return {"first": float("nan"), "seconds": [float("nan")]}
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def ours(design: HostDesign, images: int) -> dict[str, Any]:
    """Time the design on the emulator."""
    inputs = {
        e.name: np.random.default_rng(0).standard_normal(e.shape, dtype=np.float32)
        for e in design.manifest.inputs
    }
    result = run(design, inputs, repeat=images + 1, optimise=True, session=Session(keep=0))
    return {"first": result.build_seconds, "seconds": result.image_seconds[1:]}


def measure(name: str, images: int, folder: Path) -> dict[str, float]:
    """All figures of one network, in seconds."""
    path = folder / f"{name}.onnx"
    onnx.save(network(name), str(path))
    started = time.perf_counter()
    graph = hlsgen.load_graph(path)
    design = hlsgen.generate(graph, hlsgen.schedule(graph, style="folded"), folder / name)
    built = time.perf_counter() - started
    seconds: dict[str, list[float]] = {"hlsgen": [], "tinygrad": [], "onnxruntime": []}
    compiled, first = [], []
    for _ in range(ROUNDS):
        mine = ours(HostDesign(design.path), images)
        theirs = peer("tinygrad", path, images)
        compiled.append(mine["first"])
        first.append(theirs["first"])
        seconds["hlsgen"] += mine["seconds"]
        seconds["tinygrad"] += theirs["seconds"]
        seconds["onnxruntime"] += peer("onnxruntime", path, images)["seconds"]
    medians = {kind: statistics.median(values) for kind, values in seconds.items()}
    return medians | {
        "build": built,
        "compile": statistics.median(compiled),
        "tinygrad_first": statistics.median(first),
    }


def main() -> None:
    """Measure and print."""
    os.environ["HLSGEN_CACHE"] = "off"  # compilation is measured
    table = Table(title="Folded designs on the Intel FPGA emulator (medians)", title_justify="left")
    columns = (
        "network",
        "ONNX to design",
        "kernel compilation",
        "hlsgen, ms",
        "tinygrad, ms",
        "onnxruntime, ms",
        "to tinygrad",
        "to onnxruntime",
    )
    for column in columns:
        table.add_column(column, justify="left" if column == "network" else "right")
    with tempfile.TemporaryDirectory() as folder:
        for name, images in NETWORKS.items():
            m = measure(name, images, Path(folder))
            table.add_row(
                name, f"{m['build']:.2f} s", f"{m['compile']:.2f} s",
                *(f"{1000 * m[kind]:.3g}" for kind in ("hlsgen", "tinygrad", "onnxruntime")),
                f"{m['hlsgen'] / m['tinygrad']:.2f}", f"{m['hlsgen'] / m['onnxruntime']:.1f}",
            )  # fmt: skip
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
