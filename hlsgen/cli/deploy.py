"""`deploy`: packs a design with all that the machine with the board needs."""

from __future__ import annotations

import argparse
from pathlib import Path

from hlsgen.accelerator.deploy import suffix_of
from hlsgen.cli.console import Console
from hlsgen.cli.designs import (
    add_design,
    add_force,
    add_images,
    add_prepare,
    check_absent,
    images_of,
    opened,
)

NAME = "deploy"
HELP = "pack a design, its host and references for the machine with the board"
EXAMPLE = "hlsgen deploy design -o cats.tar.gz --labels labels.txt --prepare imagenet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_design(parser)
    add_images(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="ARCHIVE",
        help="file to write, .tar.gz or .zip (default NAME_deploy.tar.gz)",
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="names of the classes, a line each (default labels.txt in DIR, where it is there)",
    )
    add_prepare(parser)
    add_force(parser)


def execute(options: argparse.Namespace, console: Console) -> int:
    """Write the archive."""
    with opened(options) as accelerator:
        target = Path(options.output or f"{accelerator.name}_deploy.tar.gz")
        suffix_of(target)
        check_absent(target, options.force, "-o")
        images = images_of(options, accelerator.design)
        with console.status("computing references"):
            accelerator.deploy(target, images, labels=options.labels, preparation=options.prepare)
        compiled = accelerator.compiled
    size = target.stat().st_size
    note = "" if compiled else "; not compiled yet: the board needs `make hardware` in it"
    console.say(f"{target}: {size / 1e6:.1f} MB{note}. Next: copy it, unpack it, read README.md")
    console.result({"ok": True, "output": str(target), "bytes": size, "compiled": compiled})
    return 0
