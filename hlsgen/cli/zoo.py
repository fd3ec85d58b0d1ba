"""`zoo`: writes a well-known network with seeded weights."""

from __future__ import annotations

import argparse
from pathlib import Path

import onnx

from hlsgen.cli.console import Console, command
from hlsgen.cli.designs import add_force, check_absent
from hlsgen.files import write_output
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
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="ONNX file to write (default NAME.onnx)"
    )
    add_force(parser)


def execute(options: argparse.Namespace, console: Console) -> int:
    """Write the network."""
    model = network(options.network, options.size, options.width, options.seed)
    target = Path(options.output or f"{options.network}.onnx")
    content = model.SerializeToString()
    # The same network again is no other file.
    if not (target.is_file() and target.read_bytes() == content):
        check_absent(target, options.force, "-o")
        write_output(target, content, f"-o {target}")
    weights = sum(max(1, _size(t)) for t in model.graph.initializer)
    console.say(
        f"{target}: {options.network}, {len(model.graph.node)} nodes, {weights:,} "
        f"weights, {len(content) / 1e6:.1f} MB. Next: {command('build', target)}"
    )
    console.result(
        {"ok": True, "output": str(target), "nodes": len(model.graph.node), "weights": weights}
    )
    return 0


def _size(tensor: onnx.TensorProto) -> int:
    count = 1
    for n in tensor.dims:
        count *= n
    return count
