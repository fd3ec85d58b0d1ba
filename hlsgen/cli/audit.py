"""`audit`: whether aoc would build a design's kernels as its model counts on, judged from their
text alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from hlsgen.audit.design import Audit
from hlsgen.audit.findings import ERROR, NOTE, Finding, KernelAudit
from hlsgen.cli.console import Console
from hlsgen.cli.designs import add_design, add_force, check_page, opened
from hlsgen.codegen.render import render
from hlsgen.files import write_output

NAME = "audit"
HELP = (
    "judge from the kernels' text whether aoc would build them at the pace and size "
    "that the model counts on"
)
EXAMPLE = "hlsgen audit design"
COLOURS = {ERROR: "red", NOTE: "dim"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_design(parser)
    parser.add_argument(
        "--html",
        metavar="FILE",
        nargs="?",
        const="",
        help="write a page too (default DIR/audit.html)",
    )
    add_force(parser)
    parser.add_argument(
        "--notes", action="store_true", help="list findings that cost next to nothing, too"
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Audit and print the verdict. Status 0 when nothing breaks what the model counts on, 1 when
    something does."""
    if options.html:
        check_page(Path(options.html), options.force, "--html")
    with opened(options) as accelerator, console.status("compiling the kernels"):
        found = accelerator.audit()
    describe(found, console, options.notes)
    result = found.to_dict()
    if options.html is not None:
        path = Path(options.html or accelerator.path / "audit.html")
        write_output(path, render("audit.html.j2", a=found) + "\n", f"--html {path}")
        console.say(f"page: {path}")
        result["page"] = str(path)
    console.result(result)
    return 0 if found.ok else 1


def describe(found: Audit, console: Console, notes: bool) -> None:
    """Print kernels, findings and the verdict."""
    columns = [
        ("kernel", "left"),
        *(
            (t, "right")
            for t in ("line", "DSP", "model", "II", "memories", "registers", "errors", "warnings")
        ),
    ]
    console.table(
        columns, [row(found, k) for k in found.kernels], [colour(found, k) for k in found.kernels]
    )
    shown = [f for f in found.findings if notes or f.severity != NOTE]
    if shown:
        console.say("")
        columns = [
            ("", "left"),
            ("rule", "left"),
            ("kernel", "left"),
            ("line", "right"),
            ("", "left"),
        ]
        rows = [(f.severity, f.rule, f.kernel, str(f.line), f.detail) for f in shown]
        console.table(columns, rows, [COLOURS.get(f.severity, "") for f in shown])
    if found.distances:
        proved = sum(d.proved for d in found.distances)
        console.say(f"{proved} of {len(found.distances)} promised distances were run to the end")
    model = sum(p.dsps for p in found.promises.values())
    console.say(f"{found.dsps:,g} DSPs in the text, {model:,} in the model")
    console.say(found.verdict, "bold green" if found.ok else "bold red")


def row(found: Audit, k: KernelAudit) -> tuple[str, ...]:
    """A kernel in the table."""
    promise, (low, high) = found.promises.get(k.name), k.interval
    mine = findings_of(found, k)
    return (
        k.name,
        str(k.line),
        f"{k.arithmetic.dsps * found.copies(k.name):g}",
        str(promise.dsps) if promise else "",
        str(high) if low == high else f"{low}-{high}",
        str(sum(not a.registers for a in k.arrays)),
        str(sum(a.registers for a in k.arrays)),
        *(str(sum(f.severity == s for f in mine) or "") for s in ("error", "warning")),
    )


def findings_of(found: Audit, k: KernelAudit) -> list[Finding]:
    """All findings about a kernel."""
    return [f for f in found.findings if f.kernel == k.name]


def colour(found: Audit, k: KernelAudit) -> str:
    """How a kernel's row is shown."""
    return COLOURS[ERROR] if any(f.severity == ERROR for f in findings_of(found, k)) else ""
