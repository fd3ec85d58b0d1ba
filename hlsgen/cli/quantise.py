"""`quantise`: a float ONNX network as 8-bit integers."""

from __future__ import annotations

import argparse
from pathlib import Path

from hlsgen.cli.accuracy import add_data, interval_text
from hlsgen.cli.console import Console
from hlsgen.cli.designs import add_force, check_absent
from hlsgen.cli.quantising import add_quantising, quantising
from hlsgen.frontend.model import read_model, write_model
from hlsgen.quantise.flow import Layer
from hlsgen.quantise.request import Outcome, quantise
from hlsgen.words import counted

NAME = "quantise"
HELP = "turn a float ONNX network into 8-bit integers (QDQ), calibrated on pictures"
EXAMPLE = "hlsgen quantise net.onnx --data pictures/ --max-loss 1% -o net_int8.onnx"
TITLES = (
    ("layer", "left"),
    ("operator", "left"),
    ("weights", "right"),
    ("own noise, dB", "right"),
    ("with all before, dB", "right"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("model", metavar="MODEL", help="ONNX file, float32")
    parser.add_argument(
        "-o", "--out", metavar="FILE", help="the quantised network (default MODEL_int8.onnx)"
    )
    add_force(parser)
    add_data(parser, "labels are used where there are some", required=True)
    add_quantising(parser)


def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    out = Path(options.out or f"{Path(options.model).stem}_int8.onnx")
    wanted = quantising(options, options.data)
    check_absent(out, options.force, "-o")
    model = read_model(options.model)
    with console.progress("calibrating") as update:
        outcome = quantise(model, wanted, update, lambda text: update(0, None, text))
    if outcome.caution:
        console.warn(outcome.caution)
    write_model(outcome.model, out)
    show(console, outcome)
    console.say(
        f"{out}: calibrated on {counted(outcome.calibrated, 'picture')}, "
        f"{out.stat().st_size / 1e6:.1f} MB in place of "
        f"{Path(options.model).stat().st_size / 1e6:.1f} MB"
    )
    told = {"ok": True, "model": options.model, "out": str(out)}
    console.result(told | outcome.to_dict())
    return 0


def show(console: Console, outcome: Outcome) -> None:
    """The table of layers, and accuracy before and after."""
    console.table(TITLES, [row(layer) for layer in outcome.judged.quantised.layers])
    kind = outcome.options.metric if outcome.labels else "agreement"
    for name, score in (("float32", outcome.reference), ("int8", outcome.judged.score)):
        console.say(
            f"{name}: {kind} {score.share:.1%} of {counted(score.pictures, 'picture')} "
            f"({interval_text(score)})"
        )
    console.say(f"noise of the network's results: {outcome.judged.noise:.3f} of their deviation")


def row(layer: Layer) -> tuple[str, ...]:
    """A layer in the table."""
    own = "in float" if layer.own is None else f"{-layer.own:.1f}"
    carried = "" if layer.carried is None else f"{-layer.carried:.1f}"
    return (layer.name, layer.op_type, f"{layer.weights:,}", own, carried)
