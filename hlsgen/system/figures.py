"""What a system is predicted to reach, as data for tables, pages and JSON."""

from __future__ import annotations

from typing import Any

from hlsgen.model.links import packing, word_seconds
from hlsgen.system.search import SystemPlan


def system_figures(plan: SystemPlan) -> dict[str, Any]:
    """Rate, latency, what limits; a record a board, and one a link. Shares of a board are of all
    that it has; a link's `busy` is the share of the time of an image that it takes."""
    return {
        "topology": plan.topology.name,
        "copies": plan.copies,
        "throughput_fps": plan.throughput,
        "latency_ms": plan.latency * 1e3,
        "bottleneck": plan.limit,
        "weights_on_chip": not any(k.row_tiles for p in plan.plans for k in p.kernels),
        "boards": [board_figures(plan, number) for number in range(len(plan.plans))],
        "links": [link_figures(plan, number) for number in range(len(plan.plans) - 1)],
    }


def board_figures(plan: SystemPlan, number: int) -> dict[str, Any]:
    """One board's."""
    found, layers = plan.estimates[number], plan.graphs[number].layers
    return {
        "board": plan.boards[number].name,
        "layers": len(layers),
        "first_layer": layers[0].name,
        "last_layer": layers[-1].name,
        "throughput_fps": found.throughput,
        "bottleneck": found.timing.bottleneck,
        "fmax": found.resources.fmax,
        "shares": found.resources.shares(plan.boards[number]),
    }


def link_figures(plan: SystemPlan, writer: int) -> dict[str, Any]:
    """One link's."""
    own, link = plan.plans[writer], plan.plans[writer].leaving
    assert link
    words = packing(plan.graphs[writer], own, link).words
    rate = plan.throughput / plan.copies
    return {
        "tensors": list(link.tensors),
        "channels": len(link.channels),
        "gbits": words * link.word * rate / 1e9,
        "busy": words * word_seconds(plan.boards[writer]) * rate,
    }
