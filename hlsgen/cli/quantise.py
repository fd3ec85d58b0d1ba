"""`quantise`: a float ONNX network as 8-bit integers."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hlsgen.cli.accuracy import (
    add_calibrate,
    add_data,
    add_metric,
    check_accuracy,
    interval_text,
    largest_loss,
    score_json,
)
from hlsgen.cli.console import Console
from hlsgen.cli.designs import add_force, add_prepare, check_absent
from hlsgen.data.evaluate import Evaluator, input_shape
from hlsgen.data.parts import parted
from hlsgen.data.pictures import read_preparation
from hlsgen.errors import PlanError
from hlsgen.frontend.model import read_model, write_model
from hlsgen.quantise.flow import Judged, Quantiser, judged, within
from hlsgen.quantise.static import METHODS, tools

NAME = "quantise"
HELP = "turn a float ONNX network into 8-bit integers (QDQ), calibrated on pictures"
EXAMPLE = "hlsgen quantise net.onnx --data pictures/ --max-loss 1% -o net_int8.onnx"
CALIBRATION = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("model", metavar="MODEL", help="ONNX file, float32")
    parser.add_argument(
        "-o", "--out", metavar="FILE", help="the quantised network (default MODEL_int8.onnx)"
    )
    add_force(parser)
    add_data(parser, "labels are used where there are some", required=True)
    add_prepare(parser)
    add_calibrate(parser, CALIBRATION, "set the ranges")
    parser.add_argument(
        "--method",
        choices=tuple(METHODS),
        default="minmax",
        help="what a range holds: all values, or 99.999%% of them (default minmax)",
    )
    keep = parser.add_mutually_exclusive_group()
    keep.add_argument(
        "--keep-float", type=int, metavar="N", help="leave the N noisiest layers in float"
    )
    keep.add_argument("--keep", metavar="NODE,...", help="leave these layers in float")
    keep.add_argument(
        "--max-loss",
        metavar="1%",
        help="leave as many layers in float as it takes to lose at most so much accuracy",
    )
    add_metric(parser)
    parser.add_argument(
        "--no-bias-correction",
        action="store_true",
        help="leave biases as they are, though rounded weights shift means",
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    out = Path(options.out or f"{Path(options.model).stem}_int8.onnx")
    check_options(options, out)
    tools()
    model = read_model(options.model)
    preparation = read_preparation(options.prepare)
    calibration, pictures = parted(options.data, input_shape(model), preparation, options.calibrate)
    if calibration is pictures.inputs:
        console.warn("one picture calibrates and judges: give more")
    evaluator = Evaluator(model, pictures, options.metric)
    with console.progress("calibrating") as update:
        quantiser = Quantiser(
            model, calibration, options.method, not options.no_bias_correction, update
        )
        found = chosen(options, quantiser, evaluator, lambda text: update(0, None, text))
    write_model(found.quantised.model, out)
    show(console, options, found, evaluator, len(calibration), out)
    console.result(as_json(options, found, evaluator, len(calibration), out))
    return 0


def check_options(options: argparse.Namespace, out: Path) -> None:
    """Raise PlanError or OutputError for options that cannot be followed."""
    check_accuracy(options)
    if options.keep_float is not None and options.keep_float < 0:
        raise PlanError(
            f"{options.keep_float} layers", where="--keep-float", remedy="for example 2"
        )
    check_absent(out, options.force, "-o")


def chosen(
    options: argparse.Namespace,
    quantiser: Quantiser,
    evaluator: Evaluator,
    say: Callable[[str], None],
) -> Judged:
    """The network that the options ask for."""
    if options.max_loss is not None:
        return within(quantiser, evaluator, largest_loss(options), say)
    kept = quantiser.noisiest(options.keep_float or 0)
    if options.keep:
        kept = tuple(name for name in options.keep.split(",") if name)
    return judged(quantiser, quantiser.network(kept), kept, evaluator)


def show(
    console: Console,
    options: argparse.Namespace,
    found: Judged,
    evaluator: Evaluator,
    calibrated: int,
    out: Path,
) -> None:
    """The table of layers, and accuracy before and after."""
    titles = [
        ("layer", "left"),
        ("operator", "left"),
        ("weights", "right"),
        ("own noise, dB", "right"),
        ("with all before, dB", "right"),
    ]
    rows = [
        (
            layer.name,
            layer.op_type,
            f"{layer.weights:,}",
            "in float" if layer.own is None else f"{-layer.own:.1f}",
            "" if layer.carried is None else f"{-layer.carried:.1f}",
        )
        for layer in found.quantised.layers
    ]
    console.table(titles, rows)
    kind = options.metric if evaluator.pictures.labels is not None else "agreement"
    for name, score in (("float32", evaluator.reference), ("int8", found.score)):
        console.say(
            f"{name}: {kind} {score.share:.1%} of {score.pictures} pictures "
            f"({interval_text(score)})"
        )
    console.say(f"noise of the network's results: {found.noise:.3f} of their deviation")
    console.say(
        f"{out}: calibrated on {calibrated} pictures, {out.stat().st_size / 1e6:.1f} MB in place "
        f"of {Path(options.model).stat().st_size / 1e6:.1f} MB"
    )


def as_json(
    options: argparse.Namespace, found: Judged, evaluator: Evaluator, calibrated: int, out: Path
) -> dict[str, Any]:
    """The command's JSON object."""
    scores = {"float32": evaluator.reference, "int8": found.score}
    return {
        "ok": True,
        "model": options.model,
        "out": str(out),
        "method": options.method,
        "calibration_pictures": calibrated,
        "metric": options.metric,
        "labels": evaluator.pictures.labels is not None,
        **{name: score_json(score) for name, score in scores.items()},
        "noise": found.noise,
        "kept_float": list(found.quantised.kept),
        "layers": [asdict(layer) for layer in found.quantised.layers],
    }
