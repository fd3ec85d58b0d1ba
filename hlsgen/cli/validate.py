"""`validate`: runs a design and checks every layer against numpy, and the output against
onnxruntime."""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from typing import Any

from hlsgen.audit.verdict import line, read_verdict
from hlsgen.cli.console import Console
from hlsgen.cli.images import random_images, read_images
from hlsgen.host.compare import TOLERANCE
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from hlsgen.host.finite import warning
from hlsgen.host.validation import validate
from hlsgen.validation import Reference

NAME = "validate"
HELP = "run a design on the emulator (or a device) and check every layer"
EXAMPLE = "hlsgen validate design --samples 3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("design", metavar="DIR", help="design directory that build wrote")
    parser.add_argument(
        "--device",
        default="emulator",
        help="emulator, cpu, pocl, or a number from `hlsgen doctor` (default emulator)",
    )
    parser.add_argument(
        "--input", metavar="FILE", help=".npz or .npy with images (N, ...); random images otherwise"
    )
    parser.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="number of random images, or of images taken from --input",
    )
    parser.add_argument(
        "--strict", action="store_true", help="all kernels at once over FIFOs of their true depth"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=120.0,
        metavar="S",
        help="seconds until a run counts as deadlocked (default 120)",
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Validate and print the verdict. Status 0 when everything is right, 1 when not."""
    if options.timeout <= 0:
        raise HostError(f"--timeout {options.timeout:g} is not a positive number of seconds")
    if options.samples is not None and options.samples < 1:
        raise HostError(f"--samples {options.samples} is not a positive number of images")
    design = HostDesign(options.design)
    if options.input:
        inputs = {k: v[: options.samples] for k, v in read_images(design, options.input).items()}
    else:
        inputs = random_images(design, options.samples or 1)
    with console.status("computing references") as update:
        reference = Reference(design, inputs)

        def show(event: dict[str, Any]) -> None:
            texts = {
                "build": "compiling the kernels",
                "built": "running",
                "image": f"image {event.get('index', 0) + 1} done",
            }
            update(texts[event["event"]])

        verdict, outputs = validate(
            design,
            inputs,
            reference,
            device=options.device,
            strict=options.strict,
            timeout=options.timeout,
            progress=show,
        )
        verdict["onnxruntime"] = reference.against_onnxruntime(outputs) if outputs else None
        verdict["onnxruntime_refusal"] = reference.refusal
        verdict["onnxruntime_note"] = reference.note
    comparison = verdict["onnxruntime"]
    if comparison is not None and not comparison["ok"]:
        verdict["ok"] = False
    describe(verdict, console)
    if audited := read_verdict(design.path):
        console.say(f"audit: {line(audited)}")
    # For the report; a design directory that cannot be written is still validated.
    with suppress(OSError):
        (design.path / "validation.json").write_text(json.dumps(verdict, indent=1) + "\n")
    console.result(verdict)
    return 0 if verdict["ok"] else 1


def describe(verdict: dict[str, Any], console: Console) -> None:
    """Print the layers and the verdict."""
    if "unfinished" in verdict:
        console.say(f"DEADLOCK: {verdict['error']}", "bold red")
        return
    rows = [
        (
            layer["name"],
            layer["op"],
            number(layer["max_abs_error"]),
            number(layer["max_rel_error"]),
            "ok" if layer["ok"] else "WRONG",
        )
        for layer in verdict["layers"]
    ]
    columns = [
        ("layer", "left"),
        ("operator", "left"),
        ("max abs error", "right"),
        ("relative", "right"),
        ("", "left"),
    ]
    console.table(columns, rows, ["" if layer["ok"] else "red" for layer in verdict["layers"]])
    output, ort = verdict["output"], verdict["onnxruntime"]
    console.say(f"output against numpy: relative error {number(output['max_rel_error'])}")
    if ort is None:
        console.say(verdict["onnxruntime_refusal"])
    else:
        if verdict["onnxruntime_note"]:
            console.say(f"note: {verdict['onnxruntime_note']}")
        agree = (
            f", same top-1 on {ort['top1_equal']} of {verdict['images']} images"
            if "top1_equal" in ort
            else ""
        )
        doubt = ort["ok"] and float(ort["max_rel_error"]) > max(TOLERANCE.values())
        own = ", within what onnxruntime itself is off by" if doubt else ""
        console.say(
            f"output against onnxruntime: relative error {number(ort['max_rel_error'])}{own}{agree}"
        )
    if verdict["non_finite"]:
        console.warn(warning(verdict["non_finite"]))
    device = (
        f"{verdict['device']}, {verdict['mode']} mode, {verdict['images']} image(s), "
        f"{verdict['seconds']:.1f} s"
    )
    if verdict["ok"]:
        console.say(
            f"RIGHT: all {len(rows)} layers checked; {device}"
            if rows
            else f"RIGHT: the output; {device}",
            "bold green",
        )
    else:
        console.say(
            f"WRONG: the first wrong layer is {verdict['first_wrong_layer'] or 'the output'}; "
            f"{device}",
            "bold red",
        )


def number(value: float | str) -> str:
    """An error for a table."""
    return value if isinstance(value, str) else f"{value:.1e}"
