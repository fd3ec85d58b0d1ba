"""aoc's own report of a design, to be set beside the estimate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hlsgen.calibrate.loops import interval_text, read_loops, summary
from hlsgen.calibrate.nodes import read_nodes
from hlsgen.calibrate.samples import area_kernels, read_clock
from hlsgen.errors import HlsgenError
from hlsgen.report.kernels import RESOURCES

# What tells a folder that aoc made.
AREA_FILE = "area.json"


def aoc_rows(folder: Path, kernels: list[dict[str, Any]]) -> dict[str, Any]:
    """Our estimate beside aoc's, kernel by kernel, and the loops that it did not pipeline as
    counted on. Raises HlsgenError without an area.json."""
    area = next(iter(sorted(folder.rglob(AREA_FILE))), None)
    if area is None:
        raise HlsgenError(
            "holds no area.json",
            where=f"--aoc {folder}",
            remedy="give the reports folder that aoc made of this design",
        )
    theirs = area_kernels(read_nodes(area))
    rows = []
    for kernel in kernels:
        if kernel["name"] in theirs:
            figures = dict(zip(RESOURCES, theirs[kernel["name"]], strict=True))
            rows.append(
                {"name": kernel["name"], "ours": {n: kernel[n] for n in RESOURCES}, "aoc": figures}
            )
    loops = read_loops(folder)
    for row in rows:
        mine = [loop for loop in loops or () if loop.kernel == row["name"]]
        row["intervals"] = [interval_text(loop) for loop in mine]
    text = next(iter(sorted(folder.rglob("acl_quartus_report.txt"))), None)
    clock = read_clock(folder.name, text) if text else None
    return {
        "kernels": rows,
        "missing": sorted(set(theirs) - {r["name"] for r in rows}),
        "fmax": clock.fmax if clock else None,
        "loops": summary(loops) if loops is not None else None,
    }
