"""`report`: what a design is predicted to cost and to reach, as tables and as a page."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hlsgen.audit.verdict import line
from hlsgen.cli.console import Console
from hlsgen.codegen.render import render
from hlsgen.errors import OutputError
from hlsgen.model.calibration import load_calibration
from hlsgen.model.times import rate
from hlsgen.report import charts
from hlsgen.report.data import report_data

NAME = "report"
HELP = "print a design's predicted resources, times and bottlenecks, and write them as an HTML page"
EXAMPLE = "hlsgen report design"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("design", metavar="DIR", help="design directory that build wrote")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where the page goes (default DIR/report.html)"
    )
    parser.add_argument(
        "--aoc", metavar="REPORTDIR", help="set aoc's own report of this design beside the estimate"
    )
    parser.add_argument(
        "--calibration",
        metavar="FILE",
        help="use this calibration, as `hlsgen calibrate` writes it",
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Print tables, write the page."""
    data = report_data(options.design, load_calibration(options.calibration), options.aoc)
    path = Path(options.output or Path(options.design) / "report.html")
    try:
        path.write_text(page(data))
    except OSError as error:
        raise OutputError(
            f"cannot be written ({error.strerror})", where=f"--output {path}"
        ) from None
    describe(data, console)
    console.say(f"report: {path}")
    console.result({"ok": True, "page": str(path), **data})
    return 0


def page(data: dict[str, Any]) -> str:
    """The report as one HTML page that needs nothing else."""
    data = data | {"audit_line": line(data["audit"]) if data["audit"] else ""}
    pictures = {
        name: getattr(charts, name)(data)
        for name in ("network", "resource_bars", "roofline", "cycle_bars")
    }
    return render("report.html.j2", d=data, **pictures) + "\n"


def describe(data: dict[str, Any], console: Console) -> None:
    """Tables for the terminal."""
    r = data["resources"]
    console.say(f"{data['network']}: {data['style']} design for {data['board_title']}")
    console.say(data["reason"])
    columns = [
        ("layer", "left"),
        ("MACs", "right"),
        ("cycles", "right"),
        ("busy", "right"),
        ("MB", "right"),
        ("bound by", "left"),
        ("why idle", "left"),
    ]
    rows = [
        (
            layer["name"],
            f"{layer['macs']:,}",
            f"{layer['cycles']:,.0f}",
            f"{layer['utilisation']:.0%}" if layer["ideal_cycles"] else "",
            f"{layer['bytes'] / 1e6:.2f}",
            layer["bound"],
            layer["why"],
        )
        for layer in data["layers"]
    ]
    console.table(columns, rows)
    share, what = (
        data["shares"],
        f"a launch of {data['images']} images" if data["images"] > 1 else "an image",
    )
    console.say(
        f"{r['alms']:,} ALMs ({share['ALMs']:.0%}, band {r['alms_low']:,} to "
        f"{r['alms_high']:,}), {r['blocks']:,} memory blocks "
        f"({share['memory blocks']:.0%}), {r['dsps']:,} DSPs ({share['DSPs']:.0%}), "
        f"{r['fmax']:.0f} MHz (band {r['fmax_low']:.0f} to {r['fmax_high']:.0f})"
    )
    console.say(
        f"{rate(data['throughput_fps'])} images a second, {data['latency_ms']:.3g} ms "
        f"{what}; bottleneck {data['bottleneck']}; "
        f"{data['roofline_share']:.0%} of the roofline; at least "
        f"{data['least_bandwidth_gbs']:.3g} GB/s of external memory"
    )
    console.say(
        f"audit: {line(data['audit'])}"
        if data["audit"]
        else f"not audited yet: hlsgen audit {data['design']}"
    )
    if "aoc" in data:
        names = ("ALUT", "FF", "RAM", "DSP")
        columns = [("kernel", "left"), *((t, "right") for n in names for t in (n, "aoc"))]
        rows = [
            (k["name"], *(f"{v:,.0f}" for n in names for v in (k["ours"][n], k["aoc"][n])))
            for k in data["aoc"]["kernels"]
        ]
        console.table(columns, rows)
        if data["aoc"]["loops"]:
            console.say(f"aoc's loops: {data['aoc']['loops']}")
