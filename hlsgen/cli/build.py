"""`build`: from an ONNX file to a design directory."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import onnx

from hlsgen.audit.compiler import check_installed
from hlsgen.audit.design import audit
from hlsgen.audit.verdict import leave, line, verdict
from hlsgen.boards import board
from hlsgen.cli.console import Console
from hlsgen.codegen.generate import check_target, generate
from hlsgen.errors import HlsgenError, UsageError
from hlsgen.frontend.load import load
from hlsgen.graph import Graph
from hlsgen.model.calibration import load_calibration
from hlsgen.ops import operator
from hlsgen.plan import OPTIMISATIONS, Plan, check_names
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.explain import explain
from hlsgen.schedule.goal import OBJECTIVES, SECONDS, Goal, check_goal
from hlsgen.schedule.knobs import KNOBS, parse_pins
from hlsgen.schedule.provenance import headline
from hlsgen.schedule.scheduler import schedule
from hlsgen.sparsify.apply import sparsify
from hlsgen.style import AUTO, SELECTABLE
from hlsgen.types import FLOAT32, STORAGE_TYPES

NAME = "build"
HELP = "lower an ONNX network to Intel-FPGA OpenCL kernels"
# Options that a plan decides.
DECIDED = (
    "board", "style", "disable", "objective", "fps", "copies", "images", "set", "time_limit",
    "weights",
)  # fmt: skip
EXAMPLE = "hlsgen build mobilenet.onnx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("model", metavar="MODEL", help="ONNX file, opset 7 or later")
    parser.add_argument(
        "--board",
        help="a name from `hlsgen boards`, its own or aoc's, or a JSON file (default pac_d5005)",
    )
    parser.add_argument("--style", choices=SELECTABLE, help="execution style (default auto)")
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="design directory (default NAME_design); an earlier design there is replaced",
    )
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="NAME=1,3,224,224",
        help="fix a dynamic input shape",
    )
    parser.add_argument(
        "--disable",
        default="",
        metavar="OPT,...",
        help=f"switch optimisations off: {', '.join(OPTIMISATIONS)}",
    )
    parser.add_argument(
        "--objective", choices=OBJECTIVES, help="what the search wants most (default throughput)"
    )
    parser.add_argument(
        "--fps",
        type=float,
        metavar="N",
        help="images a second that --objective resources must reach",
    )
    parser.add_argument(
        "--copies",
        type=int,
        metavar="N",
        help="copies of a pipelined design, which work on different images (default 1)",
    )
    parser.add_argument(
        "--images",
        type=int,
        metavar="N",
        help="images a launch of a folded or hybrid design: they share weights, for "
        "throughput at the price of latency (default 1)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="LAYER.FIELD=N",
        help=f"pin a decision, for example conv2.unroll_oc=8 or engines.width=8; {knob_names()}",
    )
    parser.add_argument(
        "--weights",
        choices=STORAGE_TYPES,
        help="type of weights in memory; they are multiplied in float32 (default float32)",
    )
    parser.add_argument(
        "--time-limit",
        type=float,
        metavar="S",
        help="seconds that each call of the solver may take; the best design so far is built "
        "then (default 5)",
    )
    parser.add_argument(
        "--sparsify",
        metavar="METHOD:SHARE",
        help="zero that share of the weights on the way, for example relative:0.5",
    )
    parser.add_argument(
        "--calibration",
        metavar="FILE",
        help="use this calibration, as `hlsgen calibrate` writes it",
    )
    parser.add_argument(
        "--plan", metavar="FILE", help="use this plan (a saved, perhaps edited plan.json) as it is"
    )
    parser.add_argument(
        "--audit",
        action="store_true",
        help="audit the design, as `hlsgen audit` does; status 1 where something breaks",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="list layers and the plan's reasons"
    )


def knob_names() -> str:
    """What `--set` takes, by owner."""
    owners = {"": "LAYER", **{knob.owner: knob.owner for knob in KNOBS if knob.owner}}
    return "; ".join(
        f"{title}: {', '.join(knob.name for knob in KNOBS if knob.owner == owner)}"
        for owner, title in owners.items()
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Build the design and describe it."""
    started = time.perf_counter()
    disabled = tuple(name for name in options.disable.split(",") if name)
    check_names(AUTO, disabled)
    check_options(options)
    options.out = options.out or default_out(options.model)
    target = options.board or "pac_d5005"
    board(target)
    goal = check_goal(
        Goal(
            options.objective or "throughput",
            0.0 if options.fps is None else options.fps,
            pins=parse_pins(options.set),
            calibration=load_calibration(options.calibration),
            seconds=SECONDS if options.time_limit is None else options.time_limit,
            images=1 if options.images is None else options.images,
            copies=1 if options.copies is None else options.copies,
            weights=options.weights or FLOAT32.name,
        )
    )
    check_target(Path(options.out))
    if options.audit:
        check_installed()
    with console.status("reading the network") as update:
        graph = load(options.model, parse_shapes(options.shape))
        if options.sparsify:
            update("sparsifying")
            graph = load(
                sparse_model(graph.model, options.sparsify, console),
                parse_shapes(options.shape),
                graph.name,
            )
        update("scheduling")
        if options.plan:
            plan = check_plan(graph, Plan.load(options.plan))
        else:
            plan = schedule(graph, target, options.style or AUTO, disabled, goal)
        update("generating kernels")
        design = generate(graph, plan, options.out)
    seconds = time.perf_counter() - started
    predicted = headline(graph, plan, goal.calibration)
    reason = explain(graph, plan, predicted, goal.calibration)
    describe(graph, reason, console, options.verbose)
    if graph.precision:
        console.say(
            f"note: the network computes in {' and '.join(graph.precision)}, the design in float32"
        )
    if not board(plan.board).opencl:
        console.say(
            f"note: {plan.board} is not supported by the OpenCL SDK: the design can be "
            "emulated and estimated, not compiled"
        )
    if design.set_aside:
        console.say(
            f"note: what aoc made of earlier kernels is in {options.out}/{design.set_aside}; "
            "compile this design anew"
        )
    console.say(
        f"{options.out}: {plan.style} design for {plan.board}, {seconds:.1f} s. Check it "
        f"with: hlsgen validate {options.out}"
    )
    found = audited(options.out, console) if options.audit else None
    console.result(
        {
            "ok": found is None or found["ok"],
            "out": str(options.out),
            "network": graph.name,
            "board": plan.board,
            "style": plan.style,
            "disabled": list(plan.disabled),
            "reason": reason,
            "layers": len(graph.layers),
            "kernels": design.source.count("__kernel "),
            "throughput_fps": predicted.throughput,
            "latency_ms": predicted.latency * 1e3,
            "seconds": seconds,
            "audit": found,
        }
    )
    return 0 if found is None or found["ok"] else 1


def audited(out: str, console: Console) -> dict[str, Any]:
    """Audit the design and print the verdict, which stays in the design directory."""
    with console.status("auditing the kernels"):
        seen = audit(out)
        found = verdict(seen.findings, seen.interval)
    leave(Path(out), found)
    console.say(f"audit: {line(found)}", "green" if found["ok"] else "red")
    return found


def sparse_model(model: onnx.ModelProto, text: str, console: Console) -> onnx.ModelProto:
    """The model with small weights zeroed, as METHOD:SHARE says. Raises UsageError."""
    method, _, share = text.partition(":")
    try:
        result = sparsify(model, method, sparsity=float(share))
    except ValueError:
        raise UsageError(
            f"{text!r} is not METHOD:SHARE", where="--sparsify", remedy="for example relative:0.5"
        ) from None
    console.say(f"{result.method}: {result.sparsity:.1%} of {result.weights:,} weights are zero")
    return result.model


def check_options(options: argparse.Namespace) -> None:
    """Raise UsageError for options that contradict each other."""
    given = [
        f"--{name.replace('_', '-')}"
        for name in DECIDED
        if getattr(options, name) not in (None, "", [])
    ]
    if options.plan and given:
        raise UsageError(
            "the plan already decides that",
            where=", ".join(given),
            remedy="leave it out, or edit the plan",
        )


def default_out(model: str) -> str:
    """The design directory of a model where no other is named: in the current folder, called after
    the model's file."""
    return f"{Path(model).stem}_design"


def parse_shapes(texts: list[str]) -> dict[str, list[int]]:
    """`["x=1,3,8,8"]` as `{"x": [1, 3, 8, 8]}`. Raises HlsgenError."""
    shapes = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        try:
            shapes[name] = [int(size) for size in sizes.split(",")]
        except ValueError:
            shapes[name] = []
        if not name or not shapes[name]:
            raise HlsgenError(
                f"{text!r} is not NAME=SIZE,SIZE,...",
                where="--shape",
                remedy="for example --shape input=1,3,224,224",
            )
    return shapes


def describe(graph: Graph, reason: str, console: Console, verbose: bool) -> None:
    """Print what the plan is and why, and all layers if asked to."""
    if verbose:
        rows = []
        for layer in graph.layers:
            work = operator(layer.op).work(layer, graph)
            shape = "x".join(map(str, graph.output_tensor(layer).shape))
            fused = layer.activation.kind if layer.activation else ""
            rows.append((layer.name, layer.op, fused, shape, f"{work.macs:,}", f"{work.weights:,}"))
        columns = [
            ("layer", "left"),
            ("operator", "left"),
            ("activation", "left"),
            ("output", "right"),
            ("MACs", "right"),
            ("weights", "right"),
        ]
        console.table(columns, rows)
    total = sum(operator(layer.op).work(layer, graph).macs for layer in graph.layers)
    console.say(
        f"{graph.name}: {len(graph.layers)} layers, {total / 1e6:,.1f} M "
        "multiply-accumulates an image"
    )
    console.say(reason)
