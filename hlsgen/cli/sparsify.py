"""`sparsify`: an ONNX network with fewer weights."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from hlsgen.cli.accuracy import add_calibrate, add_data, add_metric, interval_text, largest_loss
from hlsgen.cli.console import Console
from hlsgen.cli.designs import add_force, add_prepare
from hlsgen.cli.names import names_of
from hlsgen.cli.sparsify_options import (
    CALIBRATION,
    METHOD,
    RATE,
    check_options,
    training_folder,
    with_defaults,
)
from hlsgen.data.evaluate import Evaluator, Score, input_shape
from hlsgen.data.parts import parted
from hlsgen.data.pictures import Pictures, read_pictures
from hlsgen.errors import HlsgenError, PlanError
from hlsgen.frontend.model import read_model, write_model
from hlsgen.host.pictures import read_preparation
from hlsgen.sparsify.apply import Sparsified, sparsify
from hlsgen.sparsify.methods import METHODS
from hlsgen.sparsify.norms import input_norms
from hlsgen.sparsify.patterns import Pattern, parse_pattern
from hlsgen.sparsify.reconstruct import Calibration
from hlsgen.sparsify.report import write_curves
from hlsgen.sparsify.search import Found, Searcher, curves
from hlsgen.train import INSTALL_TORCH
from hlsgen.words import counted

NAME = "sparsify"
HELP = "zero small weights of an ONNX network, without retraining"
EXAMPLE = (
    "hlsgen sparsify net.onnx -o sparse.onnx --method relative --max-loss 5% "
    "--metric top5 --data pictures/"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_goal(parser)
    add_ways(parser)


def add_goal(parser: argparse.ArgumentParser) -> None:
    """The network, the method, and how sparse it is to be."""
    parser.add_argument("model", metavar="MODEL", help="ONNX file")
    parser.add_argument(
        "-o",
        "--out",
        metavar="FILE",
        help="the sparse network; needed unless --curves is all that is wanted",
    )
    add_force(parser)
    parser.add_argument(
        "--method", choices=tuple(METHODS), default=METHOD, help=f"default {METHOD}"
    )
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument(
        "--sparsity",
        type=float,
        metavar="S",
        help="share of the weights that is to be zero, met exactly",
    )
    goal.add_argument(
        "--threshold",
        metavar="T[,T2]",
        help="zero weights up to this size; for triangular of the first and last layer",
    )
    goal.add_argument(
        "--max-loss",
        metavar="5%",
        help="search the sparsest network that loses at most so many points of accuracy",
    )


def add_ways(parser: argparse.ArgumentParser) -> None:
    """What weights are judged by, and what follows."""
    parser.add_argument(
        "--pattern",
        metavar="N:M",
        help="where zeros may be: 2:4, at most 2 of 4 neighbouring input channels (n:4: as many as "
        "a layer's share says; 2:4:output: output channels); balanced:8, as many in each of 8 "
        "banks of input channels; channels:8: whole ones, which leave the network, a multiple of 8 "
        "stays",
    )
    add_metric(parser)
    add_data(parser, "without labels the dense network's answers count")
    add_prepare(parser)
    parser.add_argument(
        "--reconstruct",
        action="store_true",
        help="choose weights by what their loss costs when the others make up for it, and fit "
        "those to the dense network's results, layer by layer; needs --data, without labels",
    )
    add_calibrate(parser, CALIBRATION, "--reconstruct fits on, and Wanda looks at")
    parser.add_argument(
        "--curves",
        metavar="DIR",
        help="write accuracy against sparsity of all methods there, CSV and PNG",
    )
    parser.add_argument(
        "--fine-tune",
        type=int,
        default=0,
        metavar="N",
        help="train N epochs on --data's training pictures, zeros kept",
    )
    parser.add_argument(
        "--lr", type=float, metavar="R", help=f"learning rate of fine-tuning (default {RATE})"
    )
    parser.add_argument("--depthwise", action="store_true", help="sparsify depthwise filters too")
    parser.add_argument(
        "--spare",
        default="",
        metavar="NODE,...",
        help="leave these layers alone (a name with commas in double quotes)",
    )
    # None: not given. What is given and not used is refused.
    parser.set_defaults(metric=None, calibrate=None)


def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    check_options(options)
    options = with_defaults(options)
    model = read_model(options.model)
    inputs, pictures = read_data(options, model) if options.data else (None, None)
    norms = None
    if inputs is not None and (options.method == "wanda" or options.curves):
        norms = input_norms(model, inputs)
    evaluator: Evaluator | None = None
    found: Found | None = None
    files: list[Path] = []
    if pictures is not None:
        evaluator, found, files = searched(options, console, model, inputs, pictures, norms)
    result = found.result if found else None
    if result is None and options.out:
        result = sparsified(options, console, model, inputs, norms)
    if result is not None and options.fine_tune:
        result = replace(result, model=fine_tuned(result.model, options, console))
        files.append(training_folder(options))
    score = None
    if result is not None:
        if found and not options.fine_tune:
            score = found.score
        elif evaluator is not None:
            sparse = result.model
            score = evaluator("result", lambda: sparse)
        write_model(result.model, options.out)
        show(console, result, options.out)
    if evaluator is not None:
        tell(console, evaluator, score, found, options.metric)
    for file in files:
        console.say(f"curves: {file}")
    console.result(as_json(options, result, evaluator, score, found, files))
    return 0


def pattern_of(options: argparse.Namespace) -> Pattern | None:
    """Where zeros may be, if that is asked for. Raises PlanError."""
    return parse_pattern(options.pattern) if options.pattern else None


def fitting(
    options: argparse.Namespace, inputs: np.ndarray | None, progress: Callable[[int, int], None]
) -> Calibration | None:
    """What weights are fitted on, where that is asked for."""
    return Calibration(inputs, progress) if options.reconstruct and inputs is not None else None


def searched(
    options: argparse.Namespace,
    console: Console,
    model: onnx.ModelProto,
    inputs: np.ndarray | None,
    pictures: Pictures,
    norms: Mapping[str, np.ndarray] | None,
) -> tuple[Evaluator, Found | None, list[Path]]:
    """The judge of networks, what it found within the loss that is allowed, and the files of the
    curves, as far as these are asked for."""
    found, files = None, []
    with console.status("evaluating") as update:
        calibration = fitting(
            options, inputs, lambda done, of: update(f"fitting, layer {done + 1} of {of}")
        )
        evaluator = Evaluator(
            model,
            pictures,
            options.metric,
            lambda n: update(f"evaluating, {counted(n, 'network')} so far"),
        )
        searcher = Searcher(
            model,
            evaluator,
            largest_loss(options),
            norms,
            options.depthwise,
            names_of(options.spare, "--spare"),
            calibration,
            pattern_of(options),
        )
        if options.max_loss is not None:
            found = searcher.search(options.method)
        if options.curves:
            count = counted(len(pictures.inputs), "picture")
            title = f"{Path(options.model).stem}: {options.metric} of {count}"
            files = write_curves(curves(searcher), Path(options.curves), title)
    return evaluator, found, files


def sparsified(
    options: argparse.Namespace,
    console: Console,
    model: onnx.ModelProto,
    inputs: np.ndarray | None,
    norms: Mapping[str, np.ndarray] | None,
) -> Sparsified:
    """The network of a given sparsity or threshold."""
    with console.progress("fitting") as move:
        return sparsify(
            model,
            options.method,
            sparsity=options.sparsity,
            threshold=None if options.threshold is None else numbers(options.threshold),
            norms=norms,
            depthwise=options.depthwise,
            spare=names_of(options.spare, "--spare"),
            calibration=fitting(options, inputs, move),
            pattern=pattern_of(options),
        )


def numbers(text: str) -> list[float]:
    """Comma-separated numbers. Raises PlanError."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise PlanError(f"{text!r} is not one or two numbers", where="--threshold") from None


def fine_tuned(
    model: onnx.ModelProto, options: argparse.Namespace, console: Console
) -> onnx.ModelProto:
    """The sparse network, trained on. Raises HlsgenError."""
    try:
        from hlsgen.train.fine_tune import fine_tune
    except ImportError as error:
        if error.name != "torch":
            raise
        raise HlsgenError(
            "training needs torch", where="--fine-tune", remedy=INSTALL_TORCH
        ) from None
    with console.progress("fine-tuning") as update:
        return fine_tune(
            model,
            options.data,
            read_preparation(options.prepare),
            options.fine_tune,
            options.lr,
            training_folder(options),
            update,
        )


def read_data(options: argparse.Namespace, model: onnx.ModelProto) -> tuple[np.ndarray, Pictures]:
    """Inputs that a network is calibrated on, and pictures that judge it; with `--reconstruct`
    these took no part in it."""
    shape, preparation = input_shape(model), read_preparation(options.prepare)
    if options.reconstruct:
        return parted(options.data, shape, preparation, options.calibrate)
    pictures = read_pictures(options.data, shape, preparation)
    return pictures.inputs[: options.calibrate], pictures


def show(console: Console, result: Sparsified, out: str) -> None:
    """The table of layers."""
    titles = [
        ("layer", "left"),
        ("weights", "right"),
        ("zero", "right"),
        ("up to", "right"),
        ("largest", "right"),
        ("bytes", "right"),
    ]
    rows = [
        (
            r.name,
            f"{r.weights:,}",
            f"{1 - r.kept / r.weights:.1%}",
            f"{r.threshold:.3g}",
            f"{r.span:.3g}",
            f"{r.bytes:,}",
        )
        for r in result.layers
    ]
    rows += [(name, why, "", "", "", "") for name, why in result.left_out.items()]
    console.table(titles, rows)
    data = result.to_dict()
    console.say(
        f"{out}: {result.method}, {result.sparsity:.2%} of {result.weights:,} weights are "
        f"zero, {data['compression']:.2f} times fewer; "
        f"compressed {data['compressed_bytes'] / 1e6:.2f} MB in place of "
        f"{data['dense_bytes'] / 1e6:.2f} MB"
    )


def tell(
    console: Console, evaluator: Evaluator, score: Score | None, found: Found | None, metric: str
) -> None:
    """Accuracy before and after, and how sure that is."""
    kind = (
        metric
        if evaluator.pictures.labels is not None
        else f"{metric} agreement with the dense network"
    )
    dense = evaluator.reference
    console.say(
        f"dense: {kind} {dense.share:.1%} of {dense.pictures} pictures ({interval_text(dense)})"
    )
    if score is not None:
        console.say(f"sparse: {kind} {score.share:.1%} ({interval_text(score)})")
    if found is not None:
        console.say(f"found with {counted(found.evaluations, 'evaluation')}: {found.settings}")


def as_json(
    options: argparse.Namespace,
    result: Sparsified | None,
    evaluator: Evaluator | None,
    score: Score | None,
    found: Found | None,
    files: list[Path],
) -> dict[str, Any]:
    """The command's JSON object."""
    data: dict[str, Any] = {
        "ok": True,
        "model": options.model,
        "out": options.out,
        "curves": [str(f) for f in files],
    }
    if result is not None:
        data |= result.to_dict()
    if evaluator is not None:
        for name, value in (("dense_accuracy", evaluator.reference), ("accuracy", score)):
            if value is not None:
                data[name] = value.to_dict()
        data["metric"] = options.metric
    if found is not None:
        data |= {"settings": found.settings, "evaluations": found.evaluations}
    return data
