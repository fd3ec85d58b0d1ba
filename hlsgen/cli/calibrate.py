"""`calibrate`: refits the resource model to the user's own compiles, or measures its errors on
them."""

from __future__ import annotations

import argparse
from pathlib import Path

from hlsgen.accelerator.tables import LEFT, RIGHT, Table
from hlsgen.calibrate.fit import Errors, evaluate, fit, overall
from hlsgen.calibrate.loops import read_loops, summary
from hlsgen.calibrate.nodes import ReportError
from hlsgen.calibrate.samples import read_sources
from hlsgen.cli.console import Console
from hlsgen.cli.designs import add_force, check_absent
from hlsgen.files import write_output
from hlsgen.model.calibration import load_calibration

NAME = "calibrate"
HELP = "fit the resource model to aoc's reports, or measure its errors on them"
EXAMPLE = "hlsgen calibrate reports/design1 reports/design2 earlier.csv -o mine.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="REPORTS",
        help="folders that aoc made, or CSV files of estimates and fits",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write the calibration, for --calibration of other commands",
    )
    add_force(parser)
    parser.add_argument(
        "--evaluate",
        metavar="FILE",
        help="print the present coefficients' errors on a CSV or folder; fit nothing",
    )
    parser.add_argument(
        "--calibration",
        metavar="FILE",
        help="with --evaluate: these coefficients in place of the shipped ones",
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Fit or evaluate."""
    check_options(options)
    sources = [options.evaluate] if options.evaluate else options.sources
    samples, clocks, notes = read_sources(sources)
    tell_sources(sources, notes, console)
    if options.evaluate:
        if not samples:
            raise ReportError(
                "holds no kernel with both an estimate and a fit", where=options.evaluate
            )
        calibration = load_calibration(options.calibration)
        errors = evaluate(samples, calibration.packing)
    else:
        calibration, errors = fit(
            samples,
            clocks,
            source=f"{len(samples)} kernels of {len({s.design for s in samples})} designs",
        )
    total = overall(errors)
    console.show(errors_table(errors))
    title = "present calibration" if options.evaluate else "each design left out of its fit"
    figures = ", ".join(f"{name} {value:.1%}" for name, value in total.items())
    console.say(f"mean relative error, {title}: {figures}")
    if options.output:
        write_output(Path(options.output), calibration.to_json(), f"--output {options.output}")
        console.say(f"{options.output}: written. Use it with --calibration {options.output}")
    console.result(
        {
            "ok": True,
            "errors": total,
            "designs": [vars(e) for e in errors],
            "packing": calibration.packing,
            "band": list(calibration.band),
        }
    )
    return 0


def check_options(options: argparse.Namespace) -> None:
    """Raise ReportError or OutputError for options that cannot be followed."""
    if bool(options.evaluate) == bool(options.sources):
        raise ReportError("give either reports to fit, or --evaluate FILE", where="calibrate")
    if options.evaluate and options.output:
        raise ReportError(
            "--evaluate fits nothing that could be written",
            where="--output",
            remedy="leave it out, or give the reports without --evaluate",
        )
    if options.calibration and not options.evaluate:
        raise ReportError(
            "a fit starts from the reports alone",
            where="--calibration",
            remedy="leave it out, or add --evaluate FILE",
        )
    if options.output:
        check_absent(Path(options.output), options.force, "--output")


def tell_sources(sources: list[str], notes: list[str], console: Console) -> None:
    """Print what was left out of the reports, and their loops."""
    for note in notes:
        console.say(f"note: {note}")
    for source in sources:
        if Path(source).is_dir() and (loops := read_loops(Path(source))) is not None:
            console.say(f"{source}: {summary(loops)}")


def errors_table(errors: list[Errors]) -> Table:
    """A line a design."""
    titles = ("kernels", "ALM error", "RAM error", "DSP error")
    rows = (
        (e.design, str(e.kernels), *(percent(value) for value in (e.alm, e.ram, e.dsp)))
        for e in errors
    )
    return Table((("design", LEFT), *((title, RIGHT) for title in titles)), tuple(rows))


def percent(value: float | None) -> str:
    """A share as text; a dash where there is none."""
    return "-" if value is None else f"{value:.1%}"
