"""`schema`: the JSON Schemas of the files that people write or edit."""

from __future__ import annotations

import argparse
import json
from typing import Any

from hlsgen.boards import Board, Device
from hlsgen.cli.console import Console
from hlsgen.model.calibration import SCHEMA as CALIBRATION_SCHEMA
from hlsgen.model.calibration import Calibration
from hlsgen.plan import SCHEMA as PLAN_SCHEMA
from hlsgen.plan import Plan
from hlsgen.schema import json_schema

NAME = "schema"
HELP = "print the JSON Schema of a file: plan, board, device, calibration"
EXAMPLE = "hlsgen schema plan > plan.schema.json"
# Types of files, and the number that stands in them as `schema`, 0 where none does.
KINDS: dict[str, tuple[Any, int]] = {
    "plan": (Plan, PLAN_SCHEMA),
    "board": (Board, 0),
    "device": (Device, 0),
    "calibration": (Calibration, CALIBRATION_SCHEMA),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("kind", choices=KINDS, help="the file that is described")


def execute(options: argparse.Namespace, console: Console) -> int:
    """Print it."""
    found = described(options.kind)
    console.say(json.dumps(found, indent=1))
    console.result({"ok": True, "schema": found})
    return 0


def described(name: str) -> dict[str, Any]:
    """The JSON Schema of a kind of file."""
    kind, number = KINDS[name]
    found = json_schema(kind)
    fields = found["properties"]
    if number:
        fields["schema"] = {"const": number}
        found["required"] = ["schema", *found.get("required", ())]
    if "device" in fields:  # by name, or described in place
        fields["device"] = {"anyOf": [{"type": "string"}, fields["device"]]}
    return found
