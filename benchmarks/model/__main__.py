"""Predicted against measured: published whole designs (designs.json), and kernels of a CSV of aoc
estimates and fits.

None of these designs was made by hlsgen, so structures are not predicted from a plan: for whole
designs the model's laws are tried (units to DSPs, work over units and clock, bytes over bandwidth,
clock from utilisation), for kernels the step from aoc's estimate to the fit, each design left out
of the coefficients that predict it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.model import geometries, plain_kernels
from hlsgen.boards import board
from hlsgen.calibrate.fit import fit, overall
from hlsgen.calibrate.samples import read_sources
from hlsgen.model.calibration import default_calibration
from hlsgen.model.resources import clock_of

GOALS = {
    "time, compute-bound": 0.10,
    "time, compute-bound, at the predicted clock": 0.10,
    "time, memory-bound": 0.15,
    "DSP": 0.02,
    "clock": 0.10,
    "ALM": 0.20,
    "RAM": 0.10,
}


def seconds(design: dict[str, Any]) -> tuple[float, float] | None:
    """Predicted and measured run time; None where none was published."""
    target, clock = board(design["board"]), design["fmax"] * 1e6
    if design["kind"] == "memory":
        return 1 / (target.bandwidth * target.bank_efficiency), 1 / design["gbytes"]
    if design["kind"] == "clock":
        return None
    predicted = design["macs"] / (design["macs_a_cycle"] * clock)
    if design["kind"] == "layers":  # fully connected layers wait for their weights
        predicted += design["weight_bytes"] / (target.bandwidth * target.bank_efficiency * 1e9)
    measured = (
        design["milliseconds"] / 1e3
        if "milliseconds" in design
        else 2 * design["macs"] / (design["gflops"] * 1e9)
    )
    return predicted, measured


def clock(design: dict[str, Any]) -> float | None:
    """Predicted clock from the fitted utilisation; None where ALMs were not published."""
    if "alms" not in design:
        return None
    return clock_of(
        design["alms"],
        design["blocks"],
        design["dsps"],
        board(design["board"]),
        default_calibration(),
    )


def whole_designs(console: Console) -> dict[str, list[float]]:
    """The table of published designs; errors by what was predicted."""
    errors: dict[str, list[float]] = {
        "time, compute-bound": [],
        "time, compute-bound, at the predicted clock": [],
        "time, memory-bound": [],
        "DSP": [],
        "clock": [],
    }
    table = Table(
        "design",
        "board",
        "clock: predicted / measured",
        "DSPs",
        "run time: predicted / measured",
        title="Published designs",
    )
    for design in json.loads((Path(__file__).parent / "designs.json").read_text()):
        cells = [design["design"], design["board"]]
        found = clock(design)
        if found:
            errors["clock"].append(abs(found / design["fmax"] - 1))
            cells.append(f"{found:.0f} / {design['fmax']:g}  ({found / design['fmax'] - 1:+.1%})")
        else:
            cells.append(f"- / {design['fmax']:g}")
        if "units" in design:
            errors["DSP"].append(abs(design["units"] / design["dsps"] - 1))
            cells.append(
                f"{design['units']} / {design['dsps']}  "
                f"({design['units'] / design['dsps'] - 1:+.1%})"
            )
        else:
            cells.append("")
        times = seconds(design)
        if times:
            kind = (
                "time, memory-bound"
                if design["kind"] in ("memory", "layers")
                else "time, compute-bound"
            )
            errors[kind].append(abs(times[0] / times[1] - 1))
            if found and kind == "time, compute-bound":
                end_to_end = times[0] * design["fmax"] / found
                errors[f"{kind}, at the predicted clock"].append(abs(end_to_end / times[1] - 1))
            cells.append(
                f"{times[0] * 1e3:.4g} / {times[1] * 1e3:.4g} ms  ({times[0] / times[1] - 1:+.1%})"
            )
        table.add_row(*cells)
    console.print(table)
    return errors


def main() -> int:
    """Print both tables and how the goals are met."""
    console = Console(width=140)
    means = {name: sum(e) / len(e) for name, e in whole_designs(console).items()}
    if len(sys.argv) > 1:
        samples, clocks, _ = read_sources(sys.argv[1:])
        _, errors = fit(samples, clocks)
        table = Table(
            "design",
            "kernels",
            "ALM",
            "RAM",
            "DSP",
            title="Kernels: from aoc's estimate to the fit, each design left out",
        )
        for e in errors:
            table.add_row(
                e.design,
                str(e.kernels),
                *("" if v is None else f"{v:.1%}" for v in (e.alm, e.ram, e.dsp)),
            )
        console.print(table)
        means |= {f"{name} (kernels)": value for name, value in overall(errors).items()}
    geometries.table(console)
    plain_kernels.table(console)
    for name, value in means.items():
        goal = GOALS[name.removesuffix(" (kernels)")]
        console.print(
            f"{name}: mean error {value:.1%}, goal {goal:.0%}: "
            f"{'met' if value <= goal else 'MISSED'}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
