"""`flow`: from a network to a judged design as a project that one file describes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hlsgen.cli.console import Console
from hlsgen.cli.flow_file import read_flow
from hlsgen.cli.flow_run import MODEL, Project, accuracy_text
from hlsgen.flow import MANIFEST

NAME = "flow"
HELP = "train, sparsify, quantise, build and judge as one file says; go on where it was left"
EXAMPLE = "hlsgen flow lenet5.toml --dry-run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("flow", metavar="FLOW.toml", help="the steps and their options")
    parser.add_argument(
        "--dry-run", action="store_true", help="say which steps would run, and why, and run none"
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the steps that are not up to date. Status 1 where a verdict says that something is
    wrong."""
    project = Project(read_flow(Path(options.flow)), console)
    project.check()
    if options.dry_run:
        forecast(project, console)
        return 0
    ok = project.run()
    summary(project, console)
    return 0 if ok else 1


def forecast(project: Project, console: Console) -> None:
    """Say what would run."""
    found = project.forecast()
    columns = [("step", "left"), ("would", "left"), ("because", "left")]
    rows = [(step.name, "run" if why else "stay", why or "it is up to date") for step, why in found]
    console.table(columns, rows)
    steps = [{"step": step.name, "runs": bool(why), "why": why} for step, why in found]
    console.result({"ok": True, "dry_run": True, "steps": steps})


def summary(project: Project, console: Console) -> None:
    """All steps, what they made and how right it is."""
    names = [MODEL] * bool(project.flow.model) + [step.name for step in project.steps]
    rows, told = [], []
    for name in names:
        record, ran = project.manifest.steps.get(name), project.ran.get(name)
        state = "ran" if ran else "" if name == MODEL else "up to date"
        if record is None:
            state = "WRONG" if ran else "not reached"
        entry: dict[str, Any] = {"step": name, "state": state}
        if record is not None:
            accuracy = dict(record.accuracy)
            entry |= {"accuracy": accuracy, "seconds": record.seconds, "command": record.command}
        seconds = f"{record.seconds:.1f}" if record and record.command else ""
        rows.append((name, state, seconds, accuracy_text(entry.get("accuracy"))))
        told.append(entry)
    console.say("")
    columns = [("step", "left"), ("", "left"), ("s", "right"), ("right, test pictures", "left")]
    console.table(columns, rows)
    path = project.flow.out / MANIFEST
    console.say(f"what made what: {path}")
    ok = all(entry["state"] not in ("WRONG", "not reached") for entry in told)
    console.result({"ok": ok, "manifest": str(path), "steps": told})
