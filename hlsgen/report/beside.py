"""Two designs side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Data = Mapping[str, Any]
# What is compared: a name, and the figure of a design.
FIGURES: tuple[tuple[str, Callable[[Data], float]], ...] = (
    ("images a second", lambda d: d["throughput_fps"]),
    ("latency, ms", lambda d: d["latency_ms"]),
    ("clock, MHz", lambda d: d["resources"]["fmax"]),
    ("ALMs", lambda d: d["resources"]["alms"]),
    ("memory blocks", lambda d: d["resources"]["blocks"]),
    ("DSPs", lambda d: d["resources"]["dsps"]),
    ("least memory bandwidth, GB/s", lambda d: d["least_bandwidth_gbs"]),
    ("share of the roofline", lambda d: d["roofline_share"]),
)


def beside(first: Data, second: Data) -> dict[str, Any]:
    """Both designs' data, and what is compared of them: figures with the second's share of the
    first, and the cycles of the layers that either has, None where one has not."""
    cycles = of_layers(first), of_layers(second)
    names = dict.fromkeys((*cycles[0], *cycles[1]))
    return {
        "designs": [first, second],
        "figures": [
            {"figure": name, **pair(figure(first), figure(second))} for name, figure in FIGURES
        ],
        "layers": [
            {"layer": name, **pair(*(found.get(name) for found in cycles))} for name in names
        ],
    }


def of_layers(data: Data) -> dict[str, float]:
    """Cycles of a design's layers."""
    return {layer["name"]: layer["cycles"] for layer in data["layers"]}


def pair(first: float | None, second: float | None) -> dict[str, float | None]:
    """Two figures, and the second over the first."""
    ratio = second / first if first and second is not None else None
    return {"first": first, "second": second, "ratio": ratio}
