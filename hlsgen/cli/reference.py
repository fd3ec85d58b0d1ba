"""`reference`: stores what a design should compute, for checking it on a machine without the
compiler."""

from __future__ import annotations

import argparse
from pathlib import Path

from hlsgen.cli.console import Console
from hlsgen.cli.designs import add_design, add_force, add_images, check_absent, images_of, opened
from hlsgen.host.errors import HostError
from hlsgen.host.reference import save_reference
from hlsgen.validation import Reference
from hlsgen.words import counted

NAME = "reference"
HELP = "store inputs and all layers' results, to check a design where hlsgen is not installed"
EXAMPLE = (
    "hlsgen reference design -o reference.npz   (then: python -m hlsgen.host check "
    "design reference.npz)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_design(parser)
    add_images(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help=".npz file to write (default reference.npz)"
    )
    add_force(parser)


def execute(options: argparse.Namespace, console: Console) -> int:
    """Write what the design should compute. Raises HostError, OutputError."""
    target = Path(options.output or "reference.npz")
    if target.suffix != ".npz":
        raise HostError(f"--output {target}: use a name that ends in .npz")
    check_absent(target, options.force, "--output")
    design = opened(options).design
    inputs = images_of(options, design)
    reference = Reference(design, inputs)
    save_reference(target, inputs, reference, (layer.tensor for layer in design.manifest.layers))
    count = len(next(iter(inputs.values())))
    console.say(f"{target}: references of {counted(count, 'image')}")
    console.result({"ok": True, "output": str(target), "images": count})
    return 0
