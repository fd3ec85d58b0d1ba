"""`zoo`: writes a well-known network with seeded weights."""

from __future__ import annotations

import argparse
from pathlib import Path

import onnx

from hlsgen.cli.console import Console
from hlsgen.zoo import network
from hlsgen.zoo.networks import NETWORKS

NAME = "zoo"
HELP = "write a well-known network with seeded weights as ONNX"
EXAMPLE = "hlsgen zoo mobilenetv1 --size 32 --width 0.25 -o small.onnx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("network", metavar="NAME", help=", ".join(NETWORKS))
    parser.add_argument(
        "--size",
        type=int,
        metavar="N",
        help="height and width of the input (default: the network's own)",
    )
    parser.add_argument(
        "--width",
        type=float,
        default=1.0,
        metavar="W",
        help="multiplier of all channels (default 1.0)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="seed of the weights (default 0)"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="ONNX file to write")


def execute(options: argparse.Namespace, console: Console) -> int:
    """Write the network."""
    model = network(options.network, options.size, options.width, options.seed)
    onnx.save(model, options.output)
    weights = sum(max(1, _size(t)) for t in model.graph.initializer)
    size = Path(options.output).stat().st_size
    console.say(
        f"{options.output}: {options.network}, {len(model.graph.node)} nodes, {weights:,} "
        f"weights, {size / 1e6:.1f} MB"
    )
    console.result(
        {"ok": True, "output": options.output, "nodes": len(model.graph.node), "weights": weights}
    )
    return 0


def _size(tensor: onnx.TensorProto) -> int:
    count = 1
    for n in tensor.dims:
        count *= n
    return count
