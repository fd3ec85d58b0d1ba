"""The zoo's networks, quantised as `hlsgen quantise` does, on the emulator: `python -m
benchmarks.quantise.equality [--style STYLE] [NETWORK...]` prints the table of docs/quantisation.md,
of pipelined designs unless another style is named.

Equality, not tolerance: every layer of integers is held against the formulas in numpy, the outputs
against onnxruntime. Networks that do not fit the board at full width are built narrower. Exit
status 1 where a value differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

import hlsgen
from hlsgen.data.evaluate import input_shape
from hlsgen.errors import HlsgenError
from hlsgen.host.design import HostDesign
from hlsgen.host.validation import validate
from hlsgen.model.times import rate
from hlsgen.quantise.flow import Quantiser
from hlsgen.validation import Reference
from hlsgen.zoo import network

STYLE, BOARD = "pipelined", "pac_d5005"
# Network -> pixels of a side, and the widths to try until one fits.
NETWORKS = {
    "lenet5": (28, (1.0,)),
    "squeezenet": (224, (1.0, 0.5)),
    "mobilenetv1": (224, (1.0, 0.5)),
    "mobilenetv2": (224, (1.0, 0.5)),
    "resnet18": (224, (1.0, 0.5, 0.25)),
    "resnet34": (224, (1.0, 0.5, 0.25)),
}
CALIBRATION, IMAGES = 4, 1
HEAD = (
    "| network | width | integer layers, all equal | values | outputs against onnxruntime "
    "| images/s | DSPs | blocks |\n|---|---|---|---|---|---|---|---|"
)


def quantised(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network as integers, calibrated on seeded noise, biases corrected."""
    shape = (CALIBRATION, *input_shape(model)[1:])
    noise = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return Quantiser(model, noise).network()


def row(name: str, size: int, width: float, style: str, folder: Path) -> tuple[str, bool]:
    """A line of the table, and whether everything is equal. Raises Infeasible where the network
    does not fit."""
    model = quantised(network(name, size, width))
    graph = hlsgen.load_graph(model, name=name)
    plan = hlsgen.schedule(graph, board=BOARD, style=style)
    predicted = hlsgen.estimate(graph, plan)
    design = HostDesign(hlsgen.generate(graph, plan, folder / name).path)
    port = design.manifest.inputs[0]
    shape = (IMAGES, *port.shape[1:])
    images = np.random.default_rng(1).standard_normal(shape, dtype=np.float32)
    reference = Reference(design, {port.name: images})
    verdict, outputs = validate(design, {port.name: images}, reference, timeout=3600)
    errors = {layer["name"]: layer["max_abs_error"] for layer in verdict["layers"]}
    checked = [x for x in graph.layers if graph.output_tensor(x).type.integer and x.name in errors]
    values = sum(graph.output_tensor(layer).size for layer in checked) * IMAGES
    wrong = [layer.name for layer in checked if errors[layer.name] != 0]
    witness = reference.against_onnxruntime(outputs)
    assert witness is not None, reference.refusal
    right = verdict["ok"] and not wrong and witness["ok"]
    shares = predicted.resources.shares(hlsgen.boards.board(BOARD))
    cells = [
        f"{name}, {size}x{size}",
        f"{width:g}",
        f"{len(checked)}" if not wrong else f"WRONG: {wrong[0]}",
        f"{values:,}",
        "equal" if witness["max_abs_error"] == 0 else f"off by {witness['max_rel_error']:.1e}",
        rate(predicted.throughput),
        f"{shares['DSPs']:.0%}",
        f"{shares['memory blocks']:.0%}",
    ]
    return f"| {' | '.join(cells)} |", bool(right)


def widest(name: str, style: str, folder: Path) -> tuple[str, bool]:
    """The row of the widest network that fits."""
    size, widths = NETWORKS[name]
    for width in widths:
        try:
            return row(name, size, width, style, folder)
        except HlsgenError as error:
            refusal = str(error).splitlines()[0]
            print(f"{name}, width {width:g}: {refusal}", file=sys.stderr, flush=True)
    return f"| {name}, {size}x{size} | | does not fit: {refusal} |", True


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--style", default=STYLE)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    given, right = parser.parse_args(), True
    print(HEAD, flush=True)
    for name in given.networks:
        with tempfile.TemporaryDirectory() as folder:
            line, equal = widest(name, given.style, Path(folder))
        print(line, flush=True)
        right &= equal
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
