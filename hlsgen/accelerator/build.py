"""`compile`: from a model to an accelerator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import onnx

from hlsgen.accelerator.accelerator import Accelerator, predicted
from hlsgen.accelerator.sources import Source, as_onnx, name_of
from hlsgen.boards import board as find_board
from hlsgen.codegen.generate import check_target, generate
from hlsgen.errors import ModelError, UsageError, did_you_mean
from hlsgen.files import Scratch
from hlsgen.frontend.cut import Ends, load_network
from hlsgen.frontend.inputs import bind_shapes
from hlsgen.frontend.model import read_model
from hlsgen.graph import Graph
from hlsgen.host.bench import PREDICTION
from hlsgen.left import QUANTISATION, leave
from hlsgen.model.calibration import load_calibration
from hlsgen.model.resources import Caps
from hlsgen.plan import Plan, check_names
from hlsgen.progress import stage
from hlsgen.quantise.request import Outcome, QuantiseOptions
from hlsgen.quantise.request import quantise as quantise_model
from hlsgen.rewrites.weight_storage import with_storage
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.goal import SECONDS, Goal, check_goal
from hlsgen.schedule.knobs import parse_pins
from hlsgen.schedule.provenance import headline
from hlsgen.schedule.scheduler import schedule
from hlsgen.sparsify.apply import sparsify
from hlsgen.style import AUTO
from hlsgen.types import FLOAT32

BOARD = "pac_d5005"
Shapes = Mapping[str, Sequence[int]]


def compile(
    model: Source,
    *,
    board: str = BOARD,
    style: str = AUTO,
    out: str | Path | None = None,
    example: Any = None,
    shapes: Shapes | None = None,
    name: str = "",
    objective: str = "throughput",
    fps: float = 0.0,
    images: int = 1,
    copies: int = 1,
    weights: str = FLOAT32.name,
    cut: Sequence[str] = (),
    cut_start: Sequence[str] = (),
    pins: Sequence[str] = (),
    disable: Sequence[str] = (),
    caps: Mapping[str, float] | None = None,
    time_limit: float = SECONDS,
    sparsify: str = "",
    quantise: str | Path | QuantiseOptions | None = None,
    plan: str | Path | Plan | None = None,
    calibration: str | Path | None = None,
    device: str = "emulator",
    timeout: float = 120.0,
) -> Accelerator:
    """Lower a network to OpenCL kernels for a board.

    `model` is an ONNX file, an onnx.ModelProto, or a torch.nn.Module with an `example` input. The
    design is written to the directory `out`; without one it lives as long as the accelerator.
    `shapes` fixes dynamic input shapes by input name. `style` is auto, base, pipelined, folded or
    hybrid. `objective` is throughput, latency, or resources for `fps` images a second; a folded
    design takes `images` images a launch, a pipelined one stands on the board in `copies`; weights
    lie in memory as `weights`. Where a part of the network cannot be built, the host computes it
    before and behind the design; `cut` and `cut_start` name the values that the design ends with
    and begins behind. `pins` fixes decisions, as in `["conv2.unroll_oc=8"]`; `disable`
    lists optimisations to switch off; `caps` are the shares of "alms", "blocks" and "dsps" that the
    design may use; each call of the solver may take `time_limit` seconds.
    `sparsify` zeroes weights on the way, as in "relative:0.5"; `quantise` makes 8-bit integers of
    the network then, calibrated on the pictures there; what it costs in accuracy is in the summary
    and in quantisation.json. `plan` is built as it is, and decides the design alone. `device` and
    `timeout` are the accelerator's.

    Raises ModelError or UnsupportedError for models that cannot be built, UsageError for decisions
    that cannot be, Infeasible where no style fits the board, OutputError.
    """
    find_board(board)
    check_names(AUTO if plan else style, tuple(disable))
    goal = check_goal(
        Goal(
            objective,
            fps,
            pins=parse_pins(list(pins)),
            calibration=load_calibration(calibration),
            seconds=time_limit,
            caps=caps_of(caps or {}),
            images=images,
            copies=copies,
            weights=weights,
        )
    )
    if out is not None:
        check_target(Path(out))
    ends = Ends(tuple(cut_start), tuple(cut))
    graph, quantised = read(model, example, shapes, name, sparsify, quantise, ends)
    stage("scheduling")
    if plan is None:
        decided = schedule(graph, board, style, disable, goal)
    else:
        decided = check_plan(graph, plan if isinstance(plan, Plan) else Plan.load(plan))
    stage("generating kernels")
    folder = Scratch() if out is None else None
    place = Path(folder.name) / f"{graph.name}_design" if folder else Path(out or "")
    stored = with_storage(graph, decided.weights)
    estimated = headline(stored, decided, goal.calibration)
    prediction = predicted(stored, decided, estimated, goal.calibration)

    def finish(directory: Path) -> None:
        (directory / PREDICTION).write_text(prediction.to_json())
        if quantised is not None:
            leave(directory, QUANTISATION, quantised.to_dict())

    design = generate(graph, decided, place, finish, goal.calibration)
    made = Accelerator(place, device=device, timeout=timeout, calibration=calibration)
    made.set_aside, made._folder = design.set_aside, folder
    # All are known, and need not be worked out again.
    made.graph, made.plan, made.estimate, made.prediction = stored, decided, estimated, prediction
    return made


def caps_of(shares: Mapping[str, float]) -> Caps:
    """The caps with these shares in place of the usual ones. Raises UsageError for other names."""
    known = [f.name for f in fields(Caps)]
    for name in shares:
        if name not in known:
            raise UsageError(
                f"there is no cap {name!r}{did_you_mean(name, known)}",
                where="caps",
                remedy=f"choose from {', '.join(known)}",
            )
    return Caps(**shares)


def read(
    model: Source,
    example: Any,
    shapes: Shapes | None,
    name: str,
    sparsity: str,
    quantise: str | Path | QuantiseOptions | None,
    ends: Ends,
) -> tuple[Graph, Outcome | None]:
    """The network, or the part of it that is built, sparsified and quantised if that is wanted, and
    what quantising came to."""
    stage("reading the network")
    source, name = as_onnx(model, example), name or name_of(model)
    outcome = None
    if sparsity:
        given = source if isinstance(source, onnx.ModelProto) else read_model(source)
        stage("sparsifying")
        source = sparse_model(given, sparsity)
    if quantise is not None:
        given = source if isinstance(source, onnx.ModelProto) else read_model(source)
        outcome = quantised_model(given, shapes or {}, quantise)
        source = outcome.model
    return load_network(source, shapes, name, ends), outcome


def quantised_model(
    model: onnx.ModelProto, shapes: Shapes, wanted: str | Path | QuantiseOptions
) -> Outcome:
    """The model quantised, for inputs of these shapes. Raises what `quantise` of the command line
    does, for the option `--quantise`."""
    options = wanted if isinstance(wanted, QuantiseOptions) else QuantiseOptions(wanted)
    stage("quantising")
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    if shapes:
        bind_shapes(fixed, [tensor.name for tensor in fixed.graph.initializer], shapes)
    try:
        return quantise_model(
            fixed,
            options,
            lambda done, of: stage(f"quantising, picture {done} of {of}"),
            lambda text: stage(f"quantising, {text}"),
        )
    except ModelError as error:
        where = error.where.replace("--data", "--quantise", 1)
        raise ModelError(error.reason, where=where, remedy=error.remedy) from None


def sparse_model(model: onnx.ModelProto, text: str) -> onnx.ModelProto:
    """The model with small weights zeroed, as METHOD:SHARE says. Raises UsageError."""
    method, _, share = text.partition(":")
    try:
        return sparsify(model, method, sparsity=float(share)).model
    except ValueError:
        raise UsageError(
            f"{text!r} is not METHOD:SHARE", where="--sparsify", remedy="for example relative:0.5"
        ) from None
