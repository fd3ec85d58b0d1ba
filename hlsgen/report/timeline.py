"""What every kernel or engine does in the course of time, JSON-ready."""

from __future__ import annotations

from typing import Any

import numpy as np

from hlsgen.graph import Graph
from hlsgen.model.timeline import INPUT, ROOM, Timeline, Track, timeline
from hlsgen.plan import Plan
from hlsgen.rewrites.prefix import halves, has_prefix
from hlsgen.schedule.pipelined.depths import LEAST_IMAGES, WORK, edge_tokens, images_a_run
from hlsgen.style import having

# Equal parts of a simulation's time.
SPANS = 160


def simulated(graph: Graph, plan: Plan) -> Timeline | None:
    """The simulation of a pipeline, or of a hybrid design's prefix; None where there is none, or
    where it is too large."""
    if plan.style not in having("edges") or not plan.edges:
        return None
    part, ahead = halves(graph, plan)[0] if has_prefix(plan) else (graph, plan)
    if LEAST_IMAGES * sum(edge_tokens(part, ahead)) > WORK:
        return None
    return timeline(part, ahead, images_a_run(part, ahead), SPANS)


def simulation_data(found: Timeline) -> dict[str, Any]:
    """Cycles at which images are complete, and every kernel's waits: percent of each part of the
    time, and shares of the time between images."""
    return {
        "cycles": found.cycles,
        "completions": list(found.simulation.completions),
        "blocked": dict(found.simulation.blocked),
        "kernels": [track_data(track) for track in found.tracks],
    }


def track_data(track: Track) -> dict[str, Any]:
    """One kernel."""
    return {
        "name": track.name,
        "input": percent(track.input),
        "room": percent(track.room),
        "end": track.end,
        "waits": {"input": track.steady[INPUT], "room": track.steady[ROOM]},
        "blockers": [
            {"for": kind, "kernel": name, "share": share}
            for (kind, name), share in track.blockers.items()
            if share > 0
        ],
    }


def percent(shares: np.ndarray) -> list[int]:
    """Shares in whole percent."""
    return [int(share) for share in np.rint(100 * shares)]


def steps_data(plan: Plan, layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The layers that are computed one after another: on which engine, from which cycle of an image
    on, for how long."""
    engines = {step.layer: step.engine or "epilogue" for step in plan.steps}
    found, start = [], 0.0
    for item in layers:
        if item["name"] in engines:
            found.append(
                {
                    "name": item["name"],
                    "engine": engines[item["name"]],
                    "start": start,
                    "cycles": item["cycles"],
                }
            )
            start += item["cycles"]
    return found
