"""Everything that `report` shows of a design, as one JSON-ready dictionary."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hlsgen.audit.verdict import read_verdict
from hlsgen.boards import board as find_board
from hlsgen.calibrate.loops import interval_text, read_loops, summary
from hlsgen.calibrate.samples import area_kernels, load_lenient, read_clock
from hlsgen.errors import HlsgenError, OutputError
from hlsgen.graph import Graph
from hlsgen.host.errors import HostError
from hlsgen.host.manifest import read_manifest
from hlsgen.kernel.hardware import Structure
from hlsgen.model.calibration import Calibration
from hlsgen.model.resources import kernel_cost
from hlsgen.model.structure import structure
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.quantise.request import read_quantisation
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.schedule.explain import explain
from hlsgen.schedule.provenance import headline, throughput_band

RESOURCES = ("ALUT", "FF", "RAM", "DSP", "MLAB")
# A layer that keeps its multipliers busy for less than this share of its time gets an explanation.
LOW_UTILISATION = 0.5


def report_data(
    folder: Path, graph: Graph, plan: Plan, calibration: Calibration, aoc: str | Path | None = None
) -> dict[str, Any]:
    """The report of a design in a directory. Raises HlsgenError for an `aoc` that holds no
    reports."""
    target = find_board(plan.board)
    shaped = reshaped(graph, plan)
    predicted, design = headline(graph, plan, calibration), structure(shaped, plan)
    low, high = throughput_band(graph, plan, predicted, calibration)
    verdict = read_verdict(folder)
    interval = (verdict["interval"] or (1, 1))[1] if verdict else 1
    data = predicted.to_dict() | {
        "throughput_low_fps": low / interval,
        "throughput_high_fps": high,
        "roofline_clock": target.device.roofline_clock,
        "design": str(folder),
        "network": plan.network,
        "board": plan.board,
        "board_title": target.title,
        "style": plan.style,
        "disabled": list(plan.disabled),
        "images": plan.images,
        "copies": plan.copies,
        "reason": explain(graph, plan, predicted, calibration),
        "shares": predicted.resources.shares(target),
        "totals": {
            "alms": target.device.alms,
            "blocks": target.device.blocks,
            "dsps": target.available_dsps,
        },
        "unverified": sorted({*target.unverified, *target.device.unverified}),
        "kernels": kernel_rows(design, target),
        "fifos": [
            asdict(fifo) | {"copies": copies} for fifo, copies in Counter(design.fifos).items()
        ],
        "links": links(shaped, plan),
        "peak": {
            "macs": target.available_dsps
            / target.device.multiply_add_dsps
            * predicted.resources.fmax
            * 1e6,
            "bandwidth": target.bandwidth * 1e9,
        },
        "quantisation": read_quantisation(folder),
        "validation": read_validation(folder),
        "audit": verdict,
    }
    macs = {layer.name: operator(layer.op).work(layer, graph).macs for layer in graph.layers}
    for item in data["layers"]:
        item["macs"] = macs.get(item["name"], 0)
        item["milliseconds"] = item["cycles"] / predicted.resources.fmax / 1e3
        item["why"] = explanation(item)
    if aoc is not None:
        data["aoc"] = aoc_rows(Path(aoc), data["kernels"])
    return data


def built_shapes(folder: Path) -> dict[str, list[int]]:
    """The input shapes that a design was built for, which the network may leave open. Raises
    OutputError."""
    try:
        return {port.name: list(port.model_shape) for port in read_manifest(folder).inputs}
    except HostError as error:
        raise OutputError(error.reason, remedy=error.remedy) from None


def explanation(item: dict[str, Any]) -> str:
    """Why a layer's multipliers idle for most of its time; empty where they do not, or where it has
    none."""
    if not item["ideal_cycles"] or item["utilisation"] >= LOW_UTILISATION:
        return ""
    bound: str = item["bound"]
    reasons = {
        "external memory": "waits for external memory",
        "weight stream": "weights arrive more slowly than they are used",
        "output stream": "results leave at one vector a cycle",
        "input stream": "inputs arrive at one vector a cycle",
        "compute": "its channels or pixels do not fill the unrolled lanes, or another layer sets "
        "the pace",
        "memory": "every operand comes from external memory",
        "additions": "each addition waits for the one before it",
    }
    return reasons.get(bound, bound)


def kernel_rows(design: Structure, target: Any) -> list[dict[str, Any]]:
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


def links(graph: Graph, plan: Plan) -> list[dict[str, Any]]:
    """Edges of the drawn network: from layer or input, to layer or output, with the FIFO's depth
    where there is one."""
    depths = {(e.tensor, e.consumer, e.position): (e.width, e.depth) for e in plan.edges}
    found = []
    for layer in graph.layers:
        for position, name in enumerate(layer.inputs):
            producer = graph.producers.get(name)
            width, depth = depths.get((name, layer.name, position), (0, 0))
            found.append(
                {
                    "from": producer.name if producer else "input",
                    "to": layer.name,
                    "width": width,
                    "depth": depth,
                }
            )
    for position, port in enumerate(graph.outputs):
        producer = graph.producers.get(port.tensor)
        width, depth = depths.get((port.tensor, "", position), (0, 0))
        found.append(
            {
                "from": producer.name if producer else "input",
                "to": "output",
                "width": width,
                "depth": depth,
            }
        )
    return found


def read_validation(folder: Path) -> dict[str, Any] | None:
    """The verdict that `validate` left in the design directory, if any."""
    try:
        verdict: dict[str, Any] = json.loads((folder / "validation.json").read_text())
        return verdict
    except (OSError, ValueError):
        return None


def aoc_rows(folder: Path, kernels: list[dict[str, Any]]) -> dict[str, Any]:
    """Our estimate beside aoc's, kernel by kernel, and the loops that it did not pipeline as
    counted on. Raises HlsgenError without an area.json."""
    area = next(iter(sorted(folder.rglob("area.json"))), None)
    if area is None:
        raise HlsgenError(
            "holds no area.json",
            where=f"--aoc {folder}",
            remedy="give the reports folder that aoc made of this design",
        )
    theirs = area_kernels(load_lenient(area))
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
