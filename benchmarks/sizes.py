"""Large networks: time and memory of each step of the flow.

python -m benchmarks.sizes [NETWORK...] [--step STEP...]

Prints a row a network: CPU seconds and the largest resident memory of each step, every one of which
runs in a process of its own (Python and hlsgen themselves take 0.1 GB). The table is that of
docs/sizes.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hlsgen.host.images import random_values

GIGA = 1e9


@dataclass(frozen=True)
class Cost:
    """What a step took: CPU seconds and the largest resident memory in GB; its exit status."""

    seconds: float
    memory: float
    status: int

    def __str__(self) -> str:
        text = f"{self.seconds:.1f} s, {self.memory:.2f} GB"
        return text if self.status == 0 else f"{text} (status {self.status})"


def measured(command: list[str], log: Path) -> Cost:
    """Run a command; its output goes to a file."""
    child = os.fork()
    if child == 0:
        with open(log, "ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.execv(command[0], command)
    _, status, used = os.wait4(child, 0)
    # Linux counts in units of 1,024 bytes.
    return Cost(
        used.ru_utime + used.ru_stime,
        used.ru_maxrss * 1024 / GIGA,
        os.waitstatus_to_exitcode(status),
    )


# ---- networks


class Chain:
    """A network of which each node reads the one before."""

    def __init__(self, channels: int, size: int):
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.channels = channels
        self.input = helper.make_tensor_value_info(
            "x", TensorProto.FLOAT, (1, channels, size, size)
        )
        self.last = "x"
        self.random = np.random.default_rng(0)

    def constant(self, shape: tuple[int, ...], scale: float = 1.0) -> str:
        """A constant of random numbers."""
        name = f"c{len(self.constants)}"
        array = random_values(self.random, shape, "float32") * np.float32(scale)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, operator: str, *constants: str, **attributes: Any) -> None:
        """Append a node that reads the last value and constants."""
        name = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, [self.last, *constants], [name], name, **attributes)
        )
        self.last = name

    def conv(self, filters: int, kernel: int = 3, stride: int = 1) -> None:
        """Append a convolution that keeps the size, divided by the stride, and a Relu."""
        scale = (2 / (self.channels * kernel * kernel)) ** 0.5
        weights = self.constant((filters, self.channels, kernel, kernel), scale)
        pads = [kernel // 2] * 4
        self.node("Conv", weights, pads=pads, strides=[stride, stride])
        self.node("Relu")
        self.channels = filters

    def save(self, path: Path) -> None:
        """Write the network, its constants as external data."""
        result = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "chain", [self.input], [result], self.constants)
        opsets = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.save_model(
            model, path, save_as_external_data=True, location=f"{path.stem}.data", size_threshold=0
        )


def layers(count: int) -> Chain:
    """So many small convolutions."""
    chain = Chain(16, 8)
    for _ in range(count):
        chain.conv(16)
    return chain


def nodes(count: int) -> Chain:
    """So many nodes, of which most become a part of one of a hundred convolutions."""
    chain = Chain(16, 8)
    while len(chain.nodes) < count:
        chain.conv(16)
        for _ in range(count // 200 - 1):
            chain.node("Mul", chain.constant((1, 16, 1, 1), 0.01))
            chain.node("Add", chain.constant((1, 16, 1, 1), 0.01))
    return chain


def weights(gigabytes: float) -> Chain:
    """Convolutions of 1,024 channels, which hold so many GB of weights."""
    chain = Chain(1024, 4)
    for _ in range(round(gigabytes * GIGA / (4 * 9 * 1024 * 1024))):
        chain.conv(1024)
    return chain


def picture(size: int) -> Chain:
    """Five convolutions of a square picture."""
    chain = Chain(3, size)
    for filters in (16, 16, 32, 32, 64):
        chain.conv(filters, stride=2)
    return chain


NETWORKS: dict[str, tuple[str, Callable[[], Chain]]] = {
    "layers-1000": ("1,000 layers", lambda: layers(1000)),
    "layers-4000": ("4,000 layers", lambda: layers(4000)),
    "nodes-100000": ("100,000 nodes", lambda: nodes(100_000)),
    "weights-1gb": ("1 GB of weights", lambda: weights(1.0)),
    "picture-2000": ("2000x2000 pixels", lambda: picture(2000)),
}
# The steps, and what the table calls them.
STEPS = {
    "load": "reading it",
    "base": "base design",
    "folded": "folded design",
    "report": "report of the folded one",
}


def costs(model: Path, steps: list[str], log: Path) -> Iterator[tuple[str, Cost]]:
    """What each step takes: reading the network, building it in two styles, a folded design's
    report."""
    python, folder = [sys.executable], model.parent
    build = [*python, "-m", "hlsgen", "build", str(model), "-q"]
    commands = {
        "load": [*python, "-c", f"import hlsgen; hlsgen.load_graph({str(model)!r})"],
        **{s: [*build, "--style", s, "--out", str(folder / s)] for s in ("base", "folded")},
        "report": [*python, "-m", "hlsgen", "report", str(folder / "folded"), "-q"],
    }
    for step in steps:
        yield step, measured(commands[step], log)


def head(steps: list[str]) -> str:
    """The titles of the table."""
    titles = ["network", "file, GB", *(STEPS[step] for step in steps)]
    return f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|"


def main() -> int:
    """Print the table. Status 1 where a step fails."""
    parser = argparse.ArgumentParser(prog="benchmarks.sizes", description=__doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--step", action="append", choices=STEPS, help="some steps alone")
    options = parser.parse_args()
    steps = options.step or list(STEPS)
    if "report" in steps and "folded" not in steps:
        parser.error("the report is that of the folded design: add --step folded")
    print(head(steps))
    failed = False
    for name in options.networks or NETWORKS:
        title, network = NETWORKS[name]
        with tempfile.TemporaryDirectory(prefix="hlsgen-sizes-") as folder:
            model, log = Path(folder) / f"{name.replace('-', '_')}.onnx", Path(folder) / "log"
            network().save(model)
            size = sum(path.stat().st_size for path in Path(folder).iterdir()) / GIGA
            print(f"| {title} | {size:.2f} |", end="", flush=True)
            for _, cost in costs(model, steps, log):
                failed = failed or cost.status != 0
                print(f" {cost} |", end="", flush=True)
            print(flush=True)
            if failed:
                print(log.read_text()[-2000:], file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
