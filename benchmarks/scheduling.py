"""How long schedules take and what they find: `python -m benchmarks.scheduling`, side by side with
another checkout with `--against PATH`.

Networks of the zoo, and chains of convolutions from which the exponent of the growth with layers
follows. Every schedule is made in a process of its own. Times are those of `schedule` alone: CPU
seconds (of all threads) and wall seconds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.designs import Job, made
from hlsgen.zoo import network

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = (
    "lenet5",
    "mobilenetv1",
    "mobilenetv2",
    "resnet18",
    "resnet34",
    "resnet50",
    "squeezenet",
    "vgg16",
)
CHAINS = (10, 20, 40, 80, 160)
STYLES = ("pipelined", "folded", "hybrid", "auto")
BOARD = "pac_d5005"


def chain(layers: int) -> onnx.ModelProto:
    """So many 3x3 convolutions one after another on 32x32 pixels, of 8, 16, 24 and 32 channels in
    turn."""
    random, nodes, weights, channels = np.random.default_rng(0), [], [], 8
    for number in range(layers):
        filters = 8 * (1 + (number + 1) % 4)
        array = random.standard_normal((filters, channels, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(array, f"w{number}"))
        nodes.append(
            helper.make_node(
                "Conv", [f"t{number}", f"w{number}"], [f"t{number + 1}"], pads=[1, 1, 1, 1]
            )
        )
        channels = filters
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, count, 32, 32))
        for name, count in (("t0", 8), (f"t{layers}", channels))
    ]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def measured(tree: Path, name: str, style: str) -> dict[str, Any]:
    """What `benchmarks.designs` tells of the schedule that a checkout makes of a network, or of a
    chain of as many layers as its name says."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / f"{name}.onnx"
        onnx.save(chain(int(name)) if name.isdigit() else network(name), model)
        (found,) = made(tree, model, [Job(BOARD, style)])
    return found


def described(found: dict[str, Any]) -> str:
    """Times and figures of one schedule."""
    if "failed" in found:
        return f"{'':17}  {found['failed'][:60]}"
    times = f"{found['cpu']:8.1f} {found['wall']:8.1f}"
    if "refused" in found:
        return f"{times}  {found['refused'][:60]:60}"
    r = found["estimate"]["resources"]
    return (
        f"{times}  {found['style']:10}{found['estimate']['throughput_fps']:12,.1f}"
        f"{r['alms']:10,}{r['blocks']:8,}{r['dsps']:7,}"
    )


def exponent(layers: list[int], seconds: list[float]) -> float:
    """Of the power of the number of layers with which seconds grow, by least squares of
    logarithms."""
    return float(np.polyfit(np.log(layers), np.log(seconds), 1)[0])


def compared(
    title: str, name: str, style: str, trees: dict[str, Path]
) -> dict[str, dict[str, Any]]:
    """Measure one schedule in all trees, and print it."""
    found = {label: measured(root, name, style) for label, root in trees.items()}
    for label, result in found.items():
        print(f"{title:16}{label:8}{described(result)}", flush=True)
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout, measured beside this one")
    parser.add_argument("--networks", nargs="*", default=NETWORKS, help="networks of the zoo")
    parser.add_argument(
        "--chains", nargs="*", type=int, default=CHAINS, help="numbers of layers of the chains"
    )
    parser.add_argument(
        "--styles", nargs="*", default=STYLES, choices=STYLES, help="styles to schedule in"
    )
    options = parser.parse_args()
    trees = ({"before": options.against.resolve()} if options.against else {}) | {"now": ROOT}
    for style in options.styles:
        print(
            f"\n{style} on {BOARD}\n{'':24}   CPU s   wall s  "
            f"{'style':10}{'images/s':>12}{'ALMs':>10}{'blocks':>8}{'DSPs':>7}"
        )
        for name in options.networks:
            compared(name, name, style, trees)
        results = [
            compared(f"chain of {count}", str(count), style, trees) for count in options.chains
        ]
        for label in trees if len(options.chains) > 1 else ():
            grown = exponent(
                list(options.chains), [found[label].get("cpu", float("nan")) for found in results]
            )
            print(f"{'exponent':16}{label:8}{grown:8.2f}")


if __name__ == "__main__":
    main()
