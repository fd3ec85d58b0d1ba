"""Charts of the report as SVG text. Coordinates are in pixels of a fixed view box; pages scale
them."""

from __future__ import annotations

import math
from html import escape
from typing import Any

BOX_WIDTH, BOX_HEIGHT, ROW, COLUMN = 210, 44, 74, 240


def svg(width: float, height: float, body: list[str], label: str) -> str:
    """A picture of natural size that shrinks with the page."""
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="width:{width:.0f}px;max-width:100%" role="img" '
        f'aria-label="{escape(label)}">{"".join(body)}</svg>'
    )


def text(
    x: float, y: float, content: str, size: int = 12, anchor: str = "start", extra: str = ""
) -> str:
    """One line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f"{extra}>{escape(content)}</text>"
    )


def shorten(name: str, most: int = 26) -> str:
    """A name that fits a box."""
    return name if len(name) <= most else name[: most - 1] + "…"


def network(data: dict[str, Any]) -> str:
    """Layers from top to bottom, branches side by side, with FIFO depths; the busiest layer is
    marked."""
    order = [
        "input",
        *dict.fromkeys(link["to"] for link in data["links"] if link["to"] != "output"),
        "output",
    ]
    level = {"input": 0}
    for _ in order:  # links are in topological order but for the first pass over joins
        for link in data["links"]:
            level[link["to"]] = max(level.get(link["to"], 0), level.get(link["from"], 0) + 1)
    rows: dict[int, list[str]] = {}
    for name in order:
        rows.setdefault(level.get(name, 0), []).append(name)
    place = {
        name: (20 + column * COLUMN, 10 + row * ROW)
        for row, names in rows.items()
        for column, name in enumerate(names)
    }
    times = {item["name"]: item for item in data["layers"]}
    slowest = max(times, key=lambda name: times[name]["cycles"])
    body = []
    for link in data["links"]:
        (x1, y1), (x2, y2) = place[link["from"]], place[link["to"]]
        bend = 0 if x1 == x2 and y2 - y1 <= ROW else 20
        a, b = x1 + BOX_WIDTH / 2, x2 + BOX_WIDTH / 2
        if x1 == x2 and bend:  # round the boxes between
            side = x1 + BOX_WIDTH
            path = (
                f"M{side},{y1 + BOX_HEIGHT / 2} C{side + 34},{y1 + BOX_HEIGHT} {side + 34},{y2} "
                f"{side},{y2 + BOX_HEIGHT / 2}"
            )
        else:
            path = f"M{a},{y1 + BOX_HEIGHT} C{a},{y1 + BOX_HEIGHT + bend} {b},{y2 - bend} {b},{y2}"
        depth = (
            f"{link['width']} lanes, {link['depth']} deep" if link["depth"] else "through memory"
        )
        body.append(
            f'<path d="{path}" class="link"><title>{escape(link["from"])} to '
            f"{escape(link['to'])}: {depth}</title></path>"
        )
        if link["depth"]:
            round_boxes = x1 == x2 and bend
            at = x1 + BOX_WIDTH + 30 if round_boxes else (a + b) / 2 + 6
            body.append(
                text(
                    at,
                    (y1 + BOX_HEIGHT + y2) / 2 + 4,
                    f"{link['width']}×{link['depth']}",
                    10,
                    extra='class="small"',
                )
            )
    for name, (x, y) in place.items():
        item = times.get(name)
        kind = "hot" if name == slowest else "box"
        title = (
            f"{name}: {item['cycles']:,.0f} cycles, {item['utilisation']:.0%} busy"
            if item
            else name
        )
        body.append(
            f'<g><title>{escape(title)}</title><rect x="{x}" y="{y}" width="{BOX_WIDTH}" '
            f'height="{BOX_HEIGHT}" rx="6" class="{kind}"/>'
        )
        body.append(text(x + BOX_WIDTH / 2, y + 18, shorten(name), 13, "middle"))
        if item:
            body.append(
                text(
                    x + BOX_WIDTH / 2,
                    y + 34,
                    f"{item['cycles']:,.0f} cycles",
                    11,
                    "middle",
                    'class="small"',
                )
            )
        body.append("</g>")
    width = 100 + max(x for x, _ in place.values()) + BOX_WIDTH
    return svg(width, 10 + (max(rows) + 1) * ROW, body, "network")


def resource_bars(data: dict[str, Any]) -> str:
    """Share of the device for each resource, ALMs with their band."""
    r, total = data["resources"], data["totals"]
    bars = [
        ("ALMs", r["alms"], total["alms"], (r["alms_low"], r["alms_high"])),
        ("memory blocks", r["blocks"], total["blocks"], None),
        ("DSPs", r["dsps"], total["dsps"], None),
    ]
    body = []
    for i, (name, used, of, band) in enumerate(bars):
        y = 8 + i * 46
        body.append(text(0, y + 12, f"{name}: {used:,} of {of:,} ({used / of:.0%})", 13))
        body.append(f'<rect x="0" y="{y + 18}" width="560" height="14" class="track"/>')
        body.append(
            f'<rect x="0" y="{y + 18}" width="{560 * min(used / of, 1):.1f}" height="14" '
            'class="bar"/>'
        )
        if band:
            low, high = (560 * min(v / of, 1) for v in band)
            body.append(
                f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + 25}" y2="{y + 25}" class="band"/>'
            )
    return svg(570, 150, body, "resources")


def roofline(data: dict[str, Any]) -> str:
    """Multiply-accumulates a second against those a byte of external memory, both logarithmic."""
    peak, bandwidth = data["peak"]["macs"], data["peak"]["bandwidth"]
    points = []
    clock = data["resources"]["fmax"] * 1e6
    for item in data["layers"]:
        if item["macs"] and item["bytes"]:
            points.append(
                (
                    item["name"],
                    item["macs"] / max(item["bytes"], 1),
                    item["macs"] / (item["cycles"] / clock),
                )
            )
    moved = data["least_bandwidth_gbs"] * 1e9 / data["throughput_fps"]  # bytes an image
    points.append(
        ("whole network", data["macs"] / max(moved, 1), data["macs"] * data["throughput_fps"])
    )
    low = math.floor(math.log10(min(p[1] for p in points) / 2))
    high = math.ceil(math.log10(max(*(p[1] for p in points), peak / bandwidth) * 2))
    top = math.ceil(math.log10(peak))
    bottom = math.floor(math.log10(min(p[2] for p in points)))

    def at(x: float, y: float) -> tuple[float, float]:
        return 60 + 480 * (math.log10(x) - low) / (high - low), 260 - 240 * (
            math.log10(y) - bottom
        ) / (top - bottom)

    ridge = peak / bandwidth
    corner, right = at(min(max(ridge, 10.0**low), 10.0**high), peak), at(10.0**high, peak)
    left = at(10.0**low, min(max(bandwidth * 10.0**low, 10.0**bottom), peak))
    body = [
        f'<polyline points="{left[0]:.1f},{left[1]:.1f} {corner[0]:.1f},{corner[1]:.1f} '
        f'{right[0]:.1f},{right[1]:.1f}" class="roof"/>'
    ]
    body.append(
        '<line x1="60" y1="260" x2="540" y2="260" class="axis"/><line x1="60" y1="20" '
        'x2="60" y2="260" class="axis"/>'
    )
    for decade in range(low, high + 1):
        body.append(text(at(10.0**decade, 1)[0], 276, f"1e{decade}", 10, "middle", 'class="small"'))
    for decade in range(bottom, top + 1):
        body.append(text(54, at(1, 10.0**decade)[1] + 4, f"1e{decade}", 10, "end", 'class="small"'))
    for name, x, y in points:
        cx, cy = at(x, y)
        kind = "dot hotdot" if name == "whole network" else "dot"
        body.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="5" class="{kind}"><title>{escape(name)}: '
            f"{x:,.3g} MAC a byte, {y / 1e9:,.3g} GMAC/s</title></circle>"
        )
    body.append(text(300, 296, "multiply-accumulates a byte of external memory", 11, "middle"))
    body.append(text(64, 14, "multiply-accumulates a second; red: the whole network", 11))
    return svg(560, 304, body, "roofline")


def cycle_bars(data: dict[str, Any]) -> str:
    """Cycles of every layer; the filled part is when its multipliers work."""
    most = max(item["cycles"] for item in data["layers"])
    body = []
    for i, item in enumerate(data["layers"]):
        y, width = 4 + i * 22, 300 * item["cycles"] / most
        body.append(text(206, y + 13, shorten(item["name"], 30), 11, "end"))
        body.append(
            f"<g><title>{escape(item['name'])}: {item['cycles']:,.0f} cycles, "
            f"{item['utilisation']:.0%} busy, {escape(item['bound'])}</title>"
        )
        body.append(f'<rect x="212" y="{y + 2}" width="{width:.1f}" height="14" class="track"/>')
        body.append(
            f'<rect x="212" y="{y + 2}" width="{width * item["utilisation"]:.1f}" height="14" '
            'class="bar"/></g>'
        )
    return svg(530, 8 + 22 * len(data["layers"]), body, "cycles")
