"""`compare`: a design's model and audit beside aoc's own report of it, kernel by kernel."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hlsgen.boards import board as find_board
from hlsgen.calibrate.anonymous import anonymous
from hlsgen.calibrate.aoc_report import read_report
from hlsgen.calibrate.comparison import RESOURCES, RULES, Check, Comparison, compare
from hlsgen.cli.console import Console
from hlsgen.cli.designs import add_design, add_force, check_absent, opened
from hlsgen.files import write_output
from hlsgen.model.structure import structure
from hlsgen.report.kernels import kernel_rows
from hlsgen.rewrites.dense_as_convolution import reshaped

NAME = "compare"
HELP = "set a design's model and audit beside aoc's own report of it; say where aoc contradicts"
EXAMPLE = "hlsgen compare design reports --send facts.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_design(parser)
    parser.add_argument(
        "reports",
        metavar="REPORTDIR",
        help="folder that aoc made of the design; `aoc -rtl` is enough, which needs no board",
    )
    parser.add_argument(
        "--send",
        metavar="FILE",
        help="write the comparison without names of yours, to be sent to hlsgen's developers",
    )
    add_force(parser)


def execute(options: argparse.Namespace, console: Console) -> int:
    """Compare and print. Status 0 when aoc does as hlsgen says, 1 when it does otherwise."""
    if options.send:
        check_absent(Path(options.send), options.force, "--send")
    report = read_report(Path(options.reports))
    with opened(options) as accelerator, console.status("compiling the kernels"):
        found, plan = accelerator.audit(), accelerator.plan
    shaped = reshaped(accelerator.graph, plan)
    rows = kernel_rows(structure(shaped, plan), find_board(plan.board))
    compared = compare(found, rows, report)
    describe(compared, console)
    if options.send:
        content = anonymous(compared, found.style, shaped, plan.board)
        text = json.dumps(content, indent=1) + "\n"
        write_output(Path(options.send), text, f"--send {options.send}")
        console.say(f"{options.send}: the same without names of yours")
    console.result({"ok": not compared.contradictions, **compared.to_dict()})
    return 1 if compared.contradictions else 0


def describe(compared: Comparison, console: Console) -> None:
    """Print areas, rules and contradictions."""
    console.say(
        f"aoc {compared.aoc}" if compared.aoc else "aoc, of a version that it does not tell"
    )
    columns = [("kernel", "left"), *((t, "right") for n in RESOURCES for t in (n, "aoc"))]
    console.table(
        columns,
        [
            (area.kernel, *(f"{v:,.0f}" for n in RESOURCES for v in (area.ours[n], area.aoc[n])))
            for area in compared.areas
        ],
    )
    console.say("")
    columns = [("rule", "left"), ("aoc agrees", "right"), ("", "left")]
    counts = compared.by_rule()
    console.table(
        columns, [(rule, "{} of {}".format(*counts[rule]), RULES[rule]) for rule in counts]
    )
    if compared.contradictions:
        console.say("")
        columns = [(t, "left") for t in ("contradicted", "kernel", "", "hlsgen says", "aoc says")]
        console.table(columns, [row(check) for check in compared.contradictions])
    else:
        console.say("aoc contradicts no rule")


def row(check: Check) -> tuple[str, ...]:
    """A contradiction in the table."""
    return check.rule, check.kernel, check.what, check.ours, check.aoc
