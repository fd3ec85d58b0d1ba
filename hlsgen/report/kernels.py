"""What each kernel of a design takes of the device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hlsgen.boards import Board
from hlsgen.engines import engine
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import Structure
from hlsgen.model.calibration import Calibration
from hlsgen.model.resources import kernel_cost, system_cost
from hlsgen.plan import Plan

# Constructs as aoc counts them, and what the fitter counts.
RESOURCES = ("ALUT", "FF", "RAM", "DSP", "MLAB")
AREA = ("alms", "blocks", "dsps")


def kernel_rows(design: Structure, target: Board) -> list[dict[str, Any]]:
    """aoc's kind of estimate of every kernel, all its copies together."""
    rows = []
    for kernel, copies in Counter(design.kernels).items():
        cost = np.ceil(kernel_cost(kernel, target) * copies)
        figures = {name: int(v) for name, v in zip(RESOURCES, cost, strict=True)}
        lsus = len(kernel.lsus) * copies
        rows.append(
            {
                "name": kernel.name,
                "copies": copies,
                "autorun": kernel.autorun,
                "lsus": lsus,
                **figures,
            }
        )
    return rows


def area(cost: Iterable[float], calibration: Calibration) -> dict[str, float]:
    """ALMs, memory blocks and DSPs of an estimate (ALUT, FF, RAM, DSP, MLAB)."""
    logic, (_, _, blocks, dsps, _) = np.dot(calibration.alm, list(cost)), cost
    return {"alms": float(logic), "blocks": float(blocks), "dsps": float(dsps)}


def shares(
    rows: list[dict[str, Any]], design: Structure, target: Board, calibration: Calibration
) -> list[dict[str, Any]]:
    """The area of every kernel, of what lies between kernels, and of the static region: together
    the whole design, but for rounding."""
    device = target.device
    found = [
        {"name": row["name"], **area([row[name] for name in RESOURCES], calibration)}
        for row in rows
    ]
    between = area(system_cost(design, device), calibration)
    static = {"alms": target.reserved_alms, "blocks": target.reserved_blocks, "dsps": 0}
    return [
        *found,
        {"name": "channels and interconnect", **between},
        {"name": "static region", **static},
    ]


def layer_kernels(graph: Graph, plan: Plan) -> dict[str, frozenset[str]]:
    """The names of the kernels that compute each layer: its own, or those of its engine, which
    others share."""
    own = {k.layer: (k.layer, f"{k.layer}_collect", f"{k.layer}_filters") for k in plan.kernels}
    shared = {name: engine_kernels(name, graph, plan) for name in {s.engine for s in plan.steps}}
    steps = {step.layer: shared[step.engine] for step in plan.steps}
    return {name: frozenset(kernels) for name, kernels in (steps | own).items()}


def engine_kernels(name: str, graph: Graph, plan: Plan) -> tuple[str, ...]:
    """Those of an engine; none of a plain pass through the epilogue."""
    if not name:
        return ("epilogue",)
    known = engine(name)
    kernels = (*known.described(graph, plan), *known.readers(graph, plan))
    return tuple(kernel.name for kernel in kernels)


def area_of(names: Iterable[str], areas: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The area of several kernels together."""
    known = [areas[name] for name in names if name in areas]
    return {what: sum(found[what] for found in known) for what in AREA}
