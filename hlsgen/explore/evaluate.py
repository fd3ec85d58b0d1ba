"""Predicts one point, in whatever process or on whatever machine the executor chose."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

from hlsgen.errors import HlsgenError
from hlsgen.evidence import Evidence
from hlsgen.explore.identity import identity, model_digest
from hlsgen.explore.points import Point, goal_of
from hlsgen.frontend.load import load
from hlsgen.graph import Graph
from hlsgen.plan import Plan
from hlsgen.schedule.explain import explain
from hlsgen.schedule.provenance import headline, throughput_band
from hlsgen.schedule.scheduler import schedule


@lru_cache(maxsize=2)
def graph_of(model: str, digest: str) -> Graph:
    """The network of a file, read once a process. Raises HlsgenError for another content than the
    digest's."""
    if model_digest(model) != digest:
        raise HlsgenError(
            "has changed since the exploration began",
            where=f"model {model}",
            remedy="explore it again",
        )
    return load(model)


def evaluate(model: str, digest: str, point: Point, name: str) -> dict[str, Any]:
    """Schedule and predict one point, whose identity is `name`. A point that cannot be built is a
    result too: its `error` says why.

    Raises HlsgenError where this process sees another model, board or calibration, or runs another
    hlsgen.
    """
    graph = graph_of(model, digest)
    if identity(point, digest) != name:
        raise HlsgenError(
            "a worker runs another hlsgen, or reads another board or calibration file of this name",
            where=f"point {point.key}",
            remedy="let all workers see the same files, and restart them",
        )
    result: dict[str, Any] = {
        "key": point.key,
        "identity": name,
        **asdict(point),
        "disable": list(point.disable),
        "error": "",
    }
    try:
        goal = goal_of(point)
        plan = schedule(graph, point.board, point.style, point.disable, goal)
        predicted = headline(graph, plan, goal.calibration)
    except HlsgenError as error:
        return result | {"error": f"{error.where}: {error.reason}" if error.where else error.reason}
    r = predicted.resources
    low, high = throughput_band(graph, plan, predicted, goal.calibration)
    return result | {
        "design": design_digest(plan),
        "built": plan.style,
        "throughput_fps": predicted.throughput,
        "throughput_low_fps": low,
        "throughput_high_fps": high,
        "latency_ms": predicted.latency * 1e3,
        "alms": r.alms,
        "alms_low": r.alms_low,
        "alms_high": r.alms_high,
        "blocks": r.blocks,
        "dsps": r.dsps,
        "fmax": r.fmax,
        "bottleneck": predicted.timing.bottleneck,
        "roofline_share": predicted.throughput / predicted.roofline_fps,
        "reason": explain(graph, plan, predicted, goal.calibration),
    }


def design_digest(plan: Plan) -> str:
    """A hash of a plan's decisions: points with the same one ask for the same design."""
    text = replace(plan, evidence=Evidence()).to_json()
    return hashlib.sha256(text.encode()).hexdigest()[:16]
