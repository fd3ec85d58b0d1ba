"""`validate`: runs a design and checks every layer against numpy, and the output against
onnxruntime."""

from __future__ import annotations

import argparse
from typing import Any

from hlsgen.accelerator.results import Validation
from hlsgen.audit.verdict import line
from hlsgen.cli.console import Console
from hlsgen.cli.designs import add_design, add_device, add_images, images_of, opened
from hlsgen.host.finite import warning
from hlsgen.left import AUDIT, left

NAME = "validate"
HELP = "run a design on the emulator (or a device) and check every layer"
EXAMPLE = "hlsgen validate design --samples 3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_design(parser)
    add_device(parser)
    add_images(parser)
    parser.add_argument(
        "--strict", action="store_true", help="all kernels at once over FIFOs of their true depth"
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Validate and print the verdict. Status 0 when everything is right, 1 when not."""
    with opened(options) as accelerator:
        images = images_of(options, accelerator.design)
        with console.status("computing references") as update:
            found = accelerator.validate(
                images, strict=options.strict, progress=lambda event: update(step(event))
            )
        describe(found, console)
        if audited := left(accelerator.path, AUDIT):
            console.say(f"audit: {line(audited)}")
    console.result(dict(found.record))
    return 0 if found.ok else 1


def step(event: dict[str, Any]) -> str:
    """A step of the run in words."""
    texts = {
        "build": "compiling the kernels",
        "built": "running",
        "image": f"image {event.get('index', 0) + 1} done",
    }
    return texts[event["event"]]


def describe(found: Validation, console: Console) -> None:
    """Print the layers and the verdict."""
    if found.layers:
        console.show(found.table)
    for note in found.notes:
        console.say(note)
    if found.record.get("non_finite"):
        console.warn(warning(found.record["non_finite"]))
    console.say(found.verdict, "bold green" if found.ok else "bold red")
