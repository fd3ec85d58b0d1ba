"""Quantised networks on boards with a Cyclone V: whether they fit, and the predicted time of an
image, beside the best that float32 does there.

`python -m benchmarks.small_boards [--networks NAME,...] [--write docs/small-boards.md]` quantises
networks of the zoo (random weights) as `hlsgen quantise` does, plans each for each board, and
prints a table, or puts it into a page in the place of the one there.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

import hlsgen
from benchmarks.kept import put_into
from hlsgen.boards import board as find_board
from hlsgen.errors import Infeasible
from hlsgen.model.estimate import estimate
from hlsgen.model.resources import Caps
from hlsgen.quantise.prepare import prepared
from hlsgen.schedule.goal import Goal
from hlsgen.zoo import networks
from hlsgen.zoo.builder import NetworkBuilder
from tests.support.networks import MNIST, parse
from tests.support.quantised import quantised_statically

BOARDS = ("de1_soc", "de10_nano")
# Of each network the size of a side, the width, and the style: all styles where that is quick.
NETWORKS = {
    "mnist": (28, 1.0, "auto"),
    "lenet5": (28, 1.0, "auto"),
    "mobilenetv1-0.25": (224, 0.25, "folded"),
    "mobilenetv1": (224, 1.0, "folded"),
    "alexnet": (224, 1.0, "folded"),
    "vgg16": (224, 1.0, "folded"),
}
# What PipeCNN measured on a DE1-SoC, in milliseconds an image.
PIPECNN = {("de1_soc", "alexnet"): 140, ("de1_soc", "vgg16"): 1928}
# Largest share of ALMs: by default, and where that is too little.
ALMS = (Caps().alms, 0.9)


@dataclass(frozen=True)
class Row:
    """A network on a board: milliseconds an image and the shares of ALMs, memory blocks and DSPs,
    or why it cannot be."""

    network: str
    board: str
    kind: str
    style: str
    milliseconds: float = 0.0
    shares: tuple[float, ...] = ()
    refusal: str = ""

    @property
    def text(self) -> str:
        """A row of the table."""
        measured = PIPECNN.get((self.board, self.network))
        start = f"| {self.network} | {self.board} | {self.kind} | {self.style} |"
        if self.refusal:
            return f"{start} {self.refusal} | | | | {measured or ''} |"
        used = " | ".join(f"{share:.0%}" for share in self.shares)
        return f"{start} {self.milliseconds:,.1f} | {used} | {measured or ''} |"


def rows(names: list[str], floats: bool) -> Iterator[Row]:
    """Every network on every board."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            size, width, style = NETWORKS[name]
            model = OWN[name]() if name in OWN else zoo_network(name, size, width)
            # As `hlsgen quantise` does: averages are convolutions, and a softmax gives float32.
            model = prepared(model)
            last = tuple(node.name for node in model.graph.node if node.op_type == "Softmax")
            whole = quantised_statically(model, Path(folder), np.uint8, last)
            graphs = {"int8": hlsgen.load_graph(whole)}
            graphs |= {"float32": hlsgen.load_graph(model)} if floats else {}
            for board in BOARDS:
                for kind, graph in graphs.items():
                    yield row(name, board, kind, style, graph)


def zoo_network(name: str, size: int, width: float) -> onnx.ModelProto:
    """A network of the zoo."""
    model: onnx.ModelProto = getattr(networks, name.partition("-")[0])(size, width, 0)
    return model


def alexnet() -> onnx.ModelProto:
    """AlexNet for pictures of 224x224 and 1,000 classes, without groups and normalisation: 714
    million multiply-accumulates. (The zoo's has 3x3 windows, for pictures of 32x32: at 224 it would
    do three times as much.)"""
    n = NetworkBuilder("alexnet", 3, 224, 0)
    x = "input"
    for index, (filters, kernel, stride, pad, pooled) in enumerate(
        ((64, 11, 4, 2, True), (192, 5, 1, 2, True), (384, 3, 1, 1, False), (256, 3, 1, 1, False),
         (256, 3, 1, 1, True)), start=1
    ):  # fmt: skip
        x = n.relu(
            n.conv(x, f"conv{index}", filters, kernel, stride=stride, pad=pad), f"relu{index}"
        )
        x = n.pool("MaxPool", x, f"pool{index}", 3, 2) if pooled else x
    x = n.flatten(x, 256 * 6 * 6)
    for index in (6, 7):
        x = n.relu(n.dense(x, f"fc{index}", 4096), f"relu{index}")
    return n.finish(n.dense(x, "fc8", 1000))


# Networks that are not the zoo's.
OWN = {"mnist": lambda: parse(MNIST), "alexnet": alexnet}


def row(name: str, board: str, kind: str, style: str, graph: hlsgen.graph.Graph) -> Row:
    """One of them, at most as large as designs are by default, or a little larger."""
    refusal, target = "", find_board(board)
    for alms in ALMS:
        try:
            goal = Goal(caps=replace(Caps(), alms=alms))
            plan = hlsgen.schedule(graph, board=board, style=style, goal=goal)
        except Infeasible as error:
            refusal = error.reason
            continue
        found = estimate(graph, plan, board=target)
        shares = tuple(found.resources.shares(target).values())
        beyond = f" (`--alms {alms}`)" if alms != ALMS[0] else ""
        return Row(name, board, kind, plan.style + beyond, 1000 / found.throughput, shares)
    return Row(name, board, kind, style, refusal=refusal)


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--no-float", action="store_true")
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    lines = [
        "| network | board | type | style | ms an image | ALMs | blocks | DSPs | PipeCNN, ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for found in rows(given.networks.split(","), not given.no_float):
        lines.append(found.text)
        print(found.text, flush=True)
    if given.write:
        put_into(given.write, "table", "\n".join(lines))


if __name__ == "__main__":
    main()
