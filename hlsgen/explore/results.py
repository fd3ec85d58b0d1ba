"""Results of an exploration as CSV, JSON, PNG plots and one HTML page."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from hlsgen.codegen.render import render
from hlsgen.explore.points import front
from hlsgen.model.times import rate
from hlsgen.report.charts import svg, text

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
    with open(paths[0], "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(marked)
    paths[1].write_text(json.dumps(marked, indent=1) + "\n")
    paths[2].write_text(page(marked, title) + "\n")
    return paths + plot(marked, out / "pareto.png", title)


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
    figure.savefig(path, dpi=120)
    return [path]


def colours(results: Sequence[dict[str, Any]]) -> dict[str, str]:
    """A colour for each board."""
    names = list(dict.fromkeys(r["board"] for r in results))
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}


def page(results: Sequence[dict[str, Any]], title: str) -> str:
    """One HTML page with the pictures (hover names a point) and the table."""
    valid = [r for r in results if not r["error"]]
    pictures = [scatter(valid, *axes) for axes in PLOTS] if valid else []
    order = sorted(
        results, key=lambda r: (not r["pareto"], bool(r["error"]), -r.get("throughput_fps", 0))
    )
    return render(
        "explore.html.j2", title=title, pictures=pictures, results=order, colours=colours(valid)
    )


def scatter(results: Sequence[dict[str, Any]], x: str, y: str, x_title: str, y_title: str) -> str:
    """One picture: points of the front are large."""
    width, height, left, top = 520, 330, 70, 16
    low = [min(r[n] for r in results) * 0.9 for n in (x, y)]
    high = [max(r[n] for r in results) * 1.05 for n in (x, y)]

    def at(r: dict[str, Any]) -> tuple[float, float]:
        spans = [(r[n] - a) / ((b - a) or 1) for n, a, b in zip((x, y), low, high, strict=True)]
        return left + spans[0] * (width - left - 20), height - 50 - spans[1] * (height - 50 - top)

    body = [
        f'<line x1="{left}" y1="{height - 50}" x2="{width - 10}" y2="{height - 50}" class="axis"/>'
    ]
    body.append(f'<line x1="{left}" y1="{top}" x2="{left}" y2="{height - 50}" class="axis"/>')
    for i in range(5):
        value = [a + (b - a) * i / 4 for a, b in zip(low, high, strict=True)]
        body.append(
            text(
                left + (width - left - 20) * i / 4,
                height - 34,
                f"{value[0]:,.4g}",
                10,
                "middle",
                'class="small"',
            )
        )
        body.append(
            text(
                left - 6,
                height - 46 - (height - 50 - top) * i / 4,
                f"{value[1]:,.4g}",
                10,
                "end",
                'class="small"',
            )
        )
    body.append(text((width + left) / 2, height - 14, f"{x_title} (up: {y_title})", 12, "middle"))
    colour = colours(results)
    for r in sorted(results, key=lambda r: r["pareto"]):
        cx, cy = at(r)
        label = (
            f"{r['key']}: {rate(r['throughput_fps'])} images a second, {r['latency_ms']:.3g} "
            f"ms, {r['dsps']:,} DSPs, {r['blocks']:,} blocks, {r['alms']:,} ALMs"
        )
        body.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{7 if r["pareto"] else 4}" '
            f'fill="{colour[r["board"]]}" '
            f'fill-opacity="0.8"><title>{escape(label)}</title></circle>'
        )
    return svg(width, height, body, f"{y_title} against {x_title}")
