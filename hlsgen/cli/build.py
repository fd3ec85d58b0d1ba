"""`build`: from an ONNX file to a design directory."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from hlsgen.accelerator.accelerator import Accelerator
from hlsgen.accelerator.build import compile
from hlsgen.audit.compiler import check_installed
from hlsgen.boards import board
from hlsgen.cli.build_boards import add_boards, build_boards
from hlsgen.cli.console import Console, aside_note, command
from hlsgen.cli.names import names_of
from hlsgen.cli.quantising import add_quantising, quantising
from hlsgen.errors import HlsgenError, UsageError
from hlsgen.graph import Graph
from hlsgen.model.resources import Caps
from hlsgen.ops import operator
from hlsgen.plan import OPTIMISATIONS
from hlsgen.quantise.request import QuantiseOptions
from hlsgen.report.on_host import cut_lines, on_host
from hlsgen.schedule.goal import ANY_COPIES, OBJECTIVES
from hlsgen.schedule.knobs import KNOBS
from hlsgen.style import SELECTABLE
from hlsgen.types import STORAGE_TYPES

NAME = "build"
HELP = "lower an ONNX network to Intel-FPGA OpenCL kernels"
# Options that a plan decides.
DECIDED = (
    "board", "style", "disable", "objective", "fps", "copies", "images", "set", "time_limit",
    "weights", "alms", "blocks", "dsps",
)  # fmt: skip
# Caps of the search: option, and what it is of.
CAPPED = {"alms": "ALMs", "blocks": "memory blocks", "dsps": "DSPs"}
EXAMPLE = "hlsgen build mobilenet.onnx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_network(parser)
    add_goal(parser)
    add_decisions(parser)
    add_steps(parser)


def add_network(parser: argparse.ArgumentParser) -> None:
    """The network, the board, the style, and where the design goes."""
    parser.add_argument("model", metavar="MODEL", help="ONNX file, opset 7 or later")
    parser.add_argument(
        "--board",
        help="a name from `hlsgen boards`, its own or aoc's, or a JSON file (default pac_d5005)",
    )
    add_boards(parser)
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
        "--cut",
        default="",
        metavar="TENSOR,...",
        help="end the design with these values; the host computes what follows, in onnxruntime "
        "(default: only what cannot be built)",
    )
    parser.add_argument(
        "--cut-start",
        default="",
        metavar="TENSOR,...",
        help="begin the design behind these values, which the host computes",
    )


def add_goal(parser: argparse.ArgumentParser) -> None:
    """What the search is for."""
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
        type=copies,
        metavar="N",
        help="copies of a pipelined design, which work on different images, or auto: as many as "
        "make it faster, or as reach --fps with --objective resources (default 1)",
    )
    parser.add_argument(
        "--images",
        type=int,
        metavar="N",
        help="images a launch of a folded or hybrid design: they share weights, for "
        "throughput at the price of latency (default 1)",
    )


def add_decisions(parser: argparse.ArgumentParser) -> None:
    """Caps, pins, and how long the search may take."""
    for name, title in CAPPED.items():
        parser.add_argument(
            f"--{name}",
            type=float,
            metavar="SHARE",
            help=f"the share of the {title} that the design may use "
            f"(default {getattr(Caps(), name):g})",
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


def add_steps(parser: argparse.ArgumentParser) -> None:
    """What else happens on the way, and what is told of it."""
    parser.add_argument(
        "--sparsify",
        metavar="METHOD:SHARE",
        help="zero that share of the weights on the way, for example relative:0.5",
    )
    parser.add_argument(
        "--quantise",
        metavar="DIR|FILE",
        help="make 8-bit integers of the network on the way, calibrated on pictures there, as "
        "`hlsgen quantise` does",
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
        "--validate",
        action="store_true",
        help="check every layer on the emulator, as `hlsgen validate` does",
    )
    parser.add_argument(
        "--explain", action="store_true", help="say in sentences why the design is as it is"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="list layers, too, and explain the design"
    )
    add_quantising(parser.add_argument_group("with --quantise"))


def copies(text: str) -> int:
    """A number of copies, or "auto". Raises ValueError."""
    return ANY_COPIES if text == "auto" else int(text)


def knob_names() -> str:
    """What `--set` takes, by owner."""
    owners = {"": "LAYER", **{knob.owner: knob.owner for knob in KNOBS if knob.owner}}
    return "; ".join(
        f"{title}: {', '.join(knob.name for knob in KNOBS if knob.owner == owner)}"
        for owner, title in owners.items()
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Build the design and describe it. Status 1 where a check that was asked for fails."""
    started = time.perf_counter()
    check_options(options)
    if options.boards:
        return build_boards(options, settings(options), console)
    if options.topology:
        raise UsageError("is how --boards are cabled", where="--topology", remedy="give --boards")
    if options.audit:
        check_installed()
    options.out = options.out or default_out(options.model)
    with console.status("reading the network"):
        accelerator = compile(options.model, **settings(options))
    seconds = time.perf_counter() - started
    with accelerator:
        checks(accelerator, options, console)
        describe(accelerator, options, console)
        data = accelerator.data()
    console.say(f"{options.out}: built in {seconds:.1f} s. Next: {next_step(data)}")
    passed = [verdict["ok"] for verdict in (data["validation"], data["audit"]) if verdict]
    console.result({"ok": all(passed), "out": options.out, "seconds": seconds, **data})
    return 0 if all(passed) else 1


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """The options as `compile` takes them; what is not given is left to it."""
    given = {
        "out": options.out,
        "board": options.board,
        "style": options.style,
        "shapes": parse_shapes(options.shape),
        "cut": names_of(options.cut, "--cut"),
        "cut_start": names_of(options.cut_start, "--cut-start"),
        "disable": names_of(options.disable, "--disable"),
        "objective": options.objective,
        "fps": options.fps,
        "copies": options.copies,
        "images": options.images,
        "pins": options.set,
        "weights": options.weights,
        "time_limit": options.time_limit,
        "sparsify": options.sparsify,
        "quantise": quantising(options, options.quantise) if options.quantise else None,
        "calibration": options.calibration,
        "caps": {name: cap for name in CAPPED if (cap := getattr(options, name)) is not None}
        or None,
        "plan": options.plan,
    }
    return {name: value for name, value in given.items() if value is not None}


def checks(accelerator: Accelerator, options: argparse.Namespace, console: Console) -> None:
    """Validate and audit the design as far as that was asked for."""
    if options.audit:
        with console.status("auditing the kernels"):
            accelerator.audit()
    if options.validate:
        with console.status("validating"):
            accelerator.validate()


def next_step(data: dict[str, Any]) -> str:
    """What to do after a build."""
    name = "report" if data["validation"] else "validate"
    return command(name, data["design"])


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
    if not options.quantise and quantising(options, "") != QuantiseOptions(""):
        raise UsageError(
            "there is nothing to quantise",
            where="options of --quantise",
            remedy="name the pictures with --quantise",
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


def describe(accelerator: Accelerator, options: argparse.Namespace, console: Console) -> None:
    """Print what was built, its layers and reasons if they were asked for."""
    if options.verbose:
        console.table(*layer_table(accelerator.graph))
        console.say("")
    console.show(accelerator.summary)
    if options.explain or options.verbose:
        console.say("")
        console.prose(accelerator.reason)
    for line in cut_lines(on_host(accelerator.design.manifest))[1:]:
        console.say(f"note: {line}")
    if accelerator.graph.precision:
        types = " and ".join(accelerator.graph.precision)
        console.say(f"note: the network computes in {types}, the design in float32")
    if not board(accelerator.plan.board).opencl:
        console.say(
            f"note: {accelerator.plan.board} is not supported by the OpenCL SDK: the design can be "
            "emulated and estimated, not compiled"
        )
    if accelerator.set_aside:
        console.say(aside_note(options.out, accelerator.set_aside))


def layer_table(graph: Graph) -> tuple[list[tuple[str, str]], list[tuple[str, ...]]]:
    """All layers with their work."""
    rows: list[tuple[str, ...]] = []
    for layer in graph.layers:
        work = operator(layer.op).work(layer, graph)
        shape = "x".join(map(str, graph.output_tensor(layer).shape))
        fused = layer.activation.kind if layer.activation else ""
        rows.append((layer.name, layer.op, fused, shape, f"{work.macs:,}", f"{work.weights:,}"))
    titles = ("layer", "operator", "activation")
    columns = [(title, "left") for title in titles]
    return [*columns, *((title, "right") for title in ("output", "MACs", "weights"))], rows
