"""The laws of plain loops (hlsgen/model/plain_loops.py), held against kernels timed on a board.

tvm_kernels.csv: kernels that TVM generated of ResNet-50, and two versions optimised by hand, timed
by CustoNN2 (Paderborn University, https://github.com/pc2/CustoNN2, directory Performance_Model) on
a Stratix 10 (520N, aoc 19.1, `-fp-relaxed -fpc`). The loops of each kernel's longest nest
(`entries` values or sums, `runs` of the innermost loop where there is no sum, `sums` iterations of
the loops that a sum passes through) are those that the audit finds in the source beside the times;
`window_bytes` is how far the window moves from sum to sum. Kernels without a time are left out;
times are as printed, misprints included.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hlsgen.boards import devices
from hlsgen.kernel.plain import PlainNest
from hlsgen.model.plain_loops import nest_cycles

FILE = Path(__file__).parent / "tvm_kernels.csv"
# The constants of the laws were fitted on this design; all others are predictions.
FITTED = ("Resnet_Baseline_PerformanceModel", "block1")
VERSIONS = {
    "Resnet_Baseline_PerformanceModel": "as TVM wrote them",
    "Resnet_opt_v1_performance_model": "optimised, first version",
    "Resnet_units_opv1_Performance_Model": "optimised, split into 16 designs",
}
DEVICE = "stratix10_2800"
# Microseconds from enqueueing a kernel to its start and from its end to its event, by the kernels
# of the fitted design that do an iteration a cycle.
LAUNCH = 13.0
LINE = 64
GOAL = 0.30


@dataclass(frozen=True)
class Timed:
    """A kernel, its time and the prediction, in milliseconds."""

    version: str
    design: str
    kernel: str
    kind: str
    measured: float
    predicted: float

    @property
    def error(self) -> float:
        """Relative error of the prediction."""
        return self.predicted / self.measured - 1


def kernels() -> list[Timed]:
    """All timed kernels with their predictions."""
    with open(FILE, newline="") as file:
        return [timed(row) for row in csv.DictReader(file)]


def timed(row: dict[str, str]) -> Timed:
    """A row of the file."""
    sums = tuple(int(trips) for trips in row["sums"].split())
    nest = PlainNest(int(row["entries"]), sums, int(row["runs"] or 1))
    missed = min(1.0, int(row["window_bytes"] or 0) / LINE)
    cycles = nest_cycles(nest, devices()[DEVICE].add_latency, missed)
    predicted = cycles / float(row["MHz"]) / 1e3 + LAUNCH / 1e3
    version, design = row["document"], row["design"]
    return Timed(version, design, row["kernel"], row["kind"], float(row["milliseconds"]), predicted)


def share_within(found: Iterable[Timed]) -> float:
    """The share of kernels whose time is predicted within the goal."""
    errors = [abs(k.error) <= GOAL for k in found]
    return sum(errors) / len(errors)


def table(console: Console) -> None:
    """Print how the laws do, by version and kind of kernel."""
    found = kernels()
    rows = Table("kernels", "kind", "timed", "within 30 %", "median error", title="Plain kernels")
    for version, title in VERSIONS.items():
        of_version = [k for k in found if k.version == version]
        groups = {kind: [k for k in of_version if k.kind == kind] for kind in kinds(of_version)}
        for kind, group in (groups | {"all": of_version}).items():
            rows.add_row(title, kind, str(len(group)), f"{share_within(group):.0%}", middle(group))
    console.print(rows)
    others = [k for k in found if (k.version, k.design) != FITTED]
    console.print(
        f"all {len(found)} kernels: {share_within(found):.1%} within 30 %; "
        f"without the design that the laws were fitted on {share_within(others):.1%}"
    )


def kinds(found: Iterable[Timed]) -> list[str]:
    """Kinds in the order of the file."""
    return list(dict.fromkeys(k.kind for k in found))


def middle(group: list[Timed]) -> str:
    """The median error as text."""
    errors = sorted(k.error for k in group)
    return f"{errors[len(errors) // 2]:+.0%}"
