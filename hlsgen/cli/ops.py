"""`ops`: lists the ONNX operators that hlsgen takes."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from hlsgen.cli.console import Console
from hlsgen.ops.table import entries, markdown

NAME = "ops"
HELP = "list the ONNX operators that can be built, with what is supported of them"
EXAMPLE = "hlsgen ops"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The form of the output."""
    parser.add_argument(
        "--markdown", action="store_true", help="print the table as docs/operators.md has it"
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Print all operators."""
    if options.markdown:
        console.say(markdown().rstrip("\n"))
    else:
        titles = ("operator", "supported", "styles", "data types")
        rows = [(e.name, e.supported, ", ".join(e.styles), ", ".join(e.dtypes)) for e in entries()]
        console.table([(title, "left") for title in titles], rows)
    console.result({"ok": True, "operators": [asdict(e) for e in entries()]})
    return 0
