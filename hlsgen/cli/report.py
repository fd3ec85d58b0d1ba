"""`report`: what a design is predicted to cost and to reach, as tables and as a page."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hlsgen.accelerator.tables import LEFT, RIGHT, Table
from hlsgen.audit.verdict import line
from hlsgen.cli.build_boards import report_boards
from hlsgen.cli.console import Console, command
from hlsgen.cli.designs import add_design, add_force, check_page, opened
from hlsgen.errors import UsageError
from hlsgen.host.system import SystemDesign
from hlsgen.model.times import rate

NAME = "report"
HELP = "print a design's predicted resources, times and bottlenecks, and write them as an HTML page"
EXAMPLE = "hlsgen report design"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_design(parser)
    parser.add_argument(
        "other", metavar="OTHER", nargs="?", help="another design, to be set beside the first"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where the page goes (default DIR/report.html)"
    )
    add_force(parser)
    parser.add_argument(
        "--aoc", metavar="REPORTDIR", help="set aoc's own report of this design beside the estimate"
    )
    parser.add_argument(
        "--explain", action="store_true", help="say in sentences why the design is as it is"
    )
    parser.add_argument(
        "--calibration",
        metavar="FILE",
        help="use this calibration, as `hlsgen calibrate` writes it",
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Print tables, write the page."""
    if options.other and options.explain:
        raise UsageError(
            "two designs are compared by their figures",
            where="--explain",
            remedy="leave it out, or report one design",
        )
    if options.output:
        check_page(Path(options.output), options.force, "--output")
    with opened(options) as accelerator:
        if isinstance(accelerator.design, SystemDesign):
            return report_boards(accelerator, options, console)
        if options.other:
            with opened(options, options.other) as other:
                found = accelerator.report(options.output, aoc=options.aoc, beside=other)
            console.show(figures_table(found.data))
        else:
            found = accelerator.report(options.output, aoc=options.aoc)
            describe(dict(found.data), accelerator.summary, options.explain, console)
    console.say(f"report: {found.page}")
    console.result({"ok": True, "page": str(found.page), **found.data})
    return 0


def figures_table(data: Mapping[str, Any]) -> Table:
    """Two designs, a line a figure."""
    titles = (*(str(design["design"]) for design in data["designs"]), "ratio")
    columns = (("", LEFT), *((title, RIGHT) for title in titles))
    rows = (
        (
            row["figure"],
            rate(row["first"]),
            rate(row["second"]),
            "" if row["ratio"] is None else f"{row['ratio']:.2f}",
        )
        for row in data["figures"]
    )
    return Table(columns, tuple(rows))


def describe(data: dict[str, Any], lines: Table, why: bool, console: Console) -> None:
    """Tables for the terminal."""
    console.show(lines)
    if why:
        console.say("")
        console.prose(data["reason"])
    console.say("")
    console.show(layers_table(data["layers"]))
    console.say("")
    for text in costs(data):
        console.say(text)
    console.say(
        f"audit: {line(data['audit'])}"
        if data["audit"]
        else f"not audited yet: {command('audit', data['design'])}"
    )
    if data["advice"]:
        console.say("")
        console.show(advice_table(data["advice"]))
    if data["aoc_note"]:
        console.warn(data["aoc_note"])
    if "aoc" in data:
        console.show(aoc_table(data["aoc"]["kernels"]))
        if data["aoc"]["loops"]:
            console.say(f"aoc's loops: {data['aoc']['loops']}")


def layers_table(layers: list[dict[str, Any]]) -> Table:
    """A line a layer."""
    titles = ("MACs", "cycles", "busy", "MB")
    columns = (
        ("layer", LEFT),
        *((title, RIGHT) for title in titles),
        ("bound by", LEFT),
        ("why idle", LEFT),
    )
    rows = (
        (
            layer["name"],
            f"{layer['macs']:,}",
            f"{layer['cycles']:,.0f}",
            f"{layer['utilisation']:.0%}" if layer["ideal_cycles"] else "",
            f"{layer['bytes'] / 1e6:.2f}",
            layer["bound"],
            layer["why"],
        )
        for layer in layers
    )
    return Table(columns, tuple(rows))


def costs(data: dict[str, Any]) -> tuple[str, str]:
    """What the design takes of the board, and how near it comes to the roofline."""
    r, share = data["resources"], data["shares"]
    return (
        f"{r['alms']:,} ALMs ({share['ALMs']:.0%}, band {r['alms_low']:,} to "
        f"{r['alms_high']:,}), {r['blocks']:,} memory blocks "
        f"({share['memory blocks']:.0%}), {r['dsps']:,} DSPs ({share['DSPs']:.0%}), "
        f"{r['fmax']:.0f} MHz (band {r['fmax_low']:.0f} to {r['fmax_high']:.0f})",
        f"{data['roofline_share']:.0%} of the roofline, {data['fixed_roofline_share']:.0%} of that "
        f"at {data['roofline_clock']:g} MHz; needs at least "
        f"{data['least_bandwidth_gbs']:.3g} GB/s of external memory",
    )


def advice_table(advice: list[dict[str, Any]]) -> Table:
    """What would be better by the model, a line each."""
    titles = ("images/s", "DSPs", "blocks", "ALMs")
    columns = (("instead", LEFT), *((title, RIGHT) for title in titles), ("fits", LEFT))
    rows = (
        (
            piece["change"],
            rate(piece["throughput_fps"]),
            *(f"{piece[name]:+,}" for name in ("dsps", "blocks", "alms")),
            "yes" if piece["fits"] else piece["short"],
        )
        for piece in advice
    )
    return Table(columns, tuple(rows))


def aoc_table(kernels: list[dict[str, Any]]) -> Table:
    """The estimate and aoc's own, a line a kernel."""
    names = ("ALUT", "FF", "RAM", "DSP")
    columns = (("kernel", LEFT), *((title, RIGHT) for n in names for title in (n, "aoc")))
    rows = (
        (k["name"], *(f"{v:,.0f}" for n in names for v in (k["ours"][n], k["aoc"][n])))
        for k in kernels
    )
    return Table(columns, tuple(rows))
