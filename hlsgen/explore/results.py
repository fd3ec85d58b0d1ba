"""Results of an exploration as CSV, JSON, PNG plots and one HTML page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hlsgen.explore.points import distinct, front
from hlsgen.host.files import whole, write_whole
from hlsgen.report.page import EXPLORATION, document

COLUMNS = (
    "key",
    "board",
    "style",
    "objective",
    "share",
    "images",
    "copies",
    "built",
    "throughput_fps",
    "throughput_low_fps",
    "throughput_high_fps",
    "latency_ms",
    "alms",
    "blocks",
    "dsps",
    "fmax",
    "bottleneck",
    "roofline_share",
    "pareto",
    "error",
)
# Pictures: x, y, and their titles.
PLOTS = (
    ("dsps", "throughput_fps", "DSPs", "images a second"),
    ("blocks", "throughput_fps", "memory blocks", "images a second"),
    ("alms", "throughput_fps", "ALMs", "images a second"),
    ("latency_ms", "throughput_fps", "ms an image", "images a second"),
)
COLOURS = ("#3b6fd4", "#d4553b", "#2b8a4b", "#9a5bd0", "#c98a1b", "#1f9aa8", "#c2467f", "#6b7280")


def write_results(results: Sequence[dict[str, Any]], out: Path, title: str) -> list[Path]:
    """Write results.csv, results.json, pareto.png (where matplotlib is installed) and explore.html;
    returns what was written."""
    best = {r["key"] for r in front(results)}
    marked = [r | {"pareto": r["key"] in best} for r in results]
    paths = [out / "results.csv", out / "results.json", out / "explore.html"]
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS, extrasaction="ignore", restval="")
    writer.writeheader()
    writer.writerows(marked)
    write_whole(paths[0], table.getvalue())
    write_whole(paths[1], json.dumps(marked, indent=1) + "\n")
    designs = distinct(marked)
    write_whole(paths[2], page(designs, title) + "\n")
    return paths + plot(designs, out / "pareto.png", title)


def plot(results: Sequence[dict[str, Any]], path: Path, title: str) -> list[Path]:
    """The four pictures as one PNG; nothing where matplotlib is not installed or nothing could be
    built."""
    valid = [r for r in results if not r["error"]]
    path.unlink(missing_ok=True)  # of an earlier run
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return []
    if not valid:
        return []
    figure = Figure(figsize=(11, 8), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for axis, (x, y, x_title, y_title) in zip(figure.subplots(2, 2).ravel(), PLOTS, strict=True):
        for colour, name in zip(colours(valid).values(), colours(valid), strict=True):
            mine = [r for r in valid if r["board"] == name]
            for pareto, size in ((False, 18), (True, 60)):
                chosen = [r for r in mine if r["pareto"] == pareto]
                axis.scatter(
                    [r[x] for r in chosen],
                    [r[y] for r in chosen],
                    s=size,
                    c=colour,
                    label=name if pareto else None,
                    alpha=0.8,
                )
        axis.set(xlabel=x_title, ylabel=y_title, xscale="log", yscale="log")
        axis.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=8)
    with whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    return [path]


def colours(results: Sequence[dict[str, Any]]) -> dict[str, str]:
    """A colour for each board."""
    names = list(dict.fromkeys(r["board"] for r in results))
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}


def page(results: Sequence[Mapping[str, Any]], title: str) -> str:
    """One HTML page with the pictures and the table, of designs as `distinct` gives them."""
    order = sorted(
        results, key=lambda r: (not r["pareto"], bool(r["error"]), -r.get("throughput_fps", 0))
    )
    plots = [
        {"x": x, "y": y, "xTitle": x_title, "yTitle": y_title} for x, y, x_title, y_title in PLOTS
    ]
    return document(title, {"title": title, "plots": plots, "results": order}, EXPLORATION)
