"""Everything that `report` shows of a design, as one JSON-ready dictionary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hlsgen.audit.verdict import line
from hlsgen.boards import Board
from hlsgen.boards import board as find_board
from hlsgen.errors import HlsgenError, OutputError
from hlsgen.graph import Graph
from hlsgen.host.errors import HostError
from hlsgen.host.manifest import Manifest, read_manifest
from hlsgen.left import AUDIT, QUANTISATION, VALIDATION, left
from hlsgen.model.calibration import Calibration
from hlsgen.model.estimate import Estimate
from hlsgen.model.structure import structure
from hlsgen.ops import operator
from hlsgen.ops.arrays import vectors
from hlsgen.plan import Plan
from hlsgen.quantise.request import in_words
from hlsgen.report.advice import advice
from hlsgen.report.aoc import AREA_FILE, aoc_rows
from hlsgen.report.idle import kernel_reason, step_reason
from hlsgen.report.kernels import kernel_rows, shares
from hlsgen.report.network import engine_network, network
from hlsgen.report.on_host import cut_lines, on_host
from hlsgen.report.timeline import simulated, simulation_data, steps_data
from hlsgen.report.verdicts import validation_lines
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.rewrites.weight_storage import kept_types
from hlsgen.schedule.explain import explain
from hlsgen.schedule.provenance import headline, throughput_band


def report_data(
    folder: Path, graph: Graph, plan: Plan, calibration: Calibration, aoc: str | Path | None = None
) -> dict[str, Any]:
    """The report of a design in a directory, beside aoc's where that lies in the directory too, or
    in `aoc`. Raises HlsgenError for an `aoc` that holds no reports; those in the directory that
    cannot be read (aoc may be writing them) are left out, as `aoc_note` says."""
    target = find_board(plan.board)
    shaped = reshaped(graph, plan)
    predicted, design = headline(graph, plan, calibration), structure(shaped, plan)
    kernels = kernel_rows(design, target)
    areas = shares(kernels, design, target, calibration)
    run = simulated(shaped, plan)
    data = about(folder, graph, plan, predicted, calibration) | {
        "kernels": kernels,
        "areas": areas,
        "fifos": [
            asdict(fifo) | {"copies": copies} for fifo, copies in Counter(design.fifos).items()
        ],
        "peak": peak(graph, plan, predicted, target),
        "simulation": simulation_data(run) if run else None,
    }
    data["layers"] = layer_rows(shaped, plan, predicted, data["simulation"])
    data["steps"] = steps_data(plan, data["layers"])
    held = dict(enumerate(run.simulation.occupancy)) if run else {}
    data["graph"] = network(shaped, plan, data["layers"], areas, held)
    data["engine_graph"] = engine_network(shaped, plan, data["layers"], areas, data["fifos"])
    data["advice"] = advice(graph, plan, predicted, calibration)
    made = folder / "bin"  # where its Makefile has aoc put things
    data["aoc_note"] = ""
    if aoc is not None:
        data["aoc"] = aoc_rows(Path(aoc), kernels)
    elif any(made.rglob(AREA_FILE)):
        try:
            data["aoc"] = aoc_rows(made, kernels)
        except HlsgenError as error:
            data["aoc_note"] = f"aoc's reports are left out: {error.where} {error.reason}"
    return data


def about(
    folder: Path, graph: Graph, plan: Plan, predicted: Estimate, calibration: Calibration
) -> dict[str, Any]:
    """What the design is, reaches and costs as a whole, and the verdicts on it."""
    target = find_board(plan.board)
    low, high = throughput_band(graph, plan, predicted, calibration)
    verdict, validation = left(folder, AUDIT), left(folder, VALIDATION)
    quantised = left(folder, QUANTISATION)
    cut = on_host(manifest_of(folder))
    interval = (verdict["interval"] or (1, 1))[1] if verdict else 1
    return predicted.to_dict() | {
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
        "weights": " and ".join(kept_types(graph, plan.weights)),
        "reason": explain(graph, plan, predicted, calibration),
        "shares": predicted.resources.shares(target),
        "totals": {
            "alms": target.device.alms,
            "blocks": target.device.blocks,
            "dsps": target.available_dsps,
        },
        "unverified": sorted({*target.unverified, *target.device.unverified}),
        "on_host": cut,
        "on_host_lines": cut_lines(cut),
        "quantisation": quantised,
        "accuracy_line": in_words(quantised) if quantised else "",
        "validation": validation,
        "validation_lines": validation_lines(validation),
        "audit": verdict,
        "audit_line": line(verdict) if verdict else "",
    }


def peak(graph: Graph, plan: Plan, predicted: Estimate, target: Board) -> dict[str, float]:
    """The roofs: multiply-accumulates a second of all DSPs in reach and of those that are used,
    bytes a second of external memory, and of all FIFOs together."""
    hertz, each = predicted.resources.fmax * 1e6, target.device.multiply_add_dsps
    bits = sum(edge.width * graph.tensors[edge.tensor].type.bits for edge in plan.edges)
    return {
        "macs": target.available_dsps / each * hertz,
        "used_macs": predicted.resources.dsps / each * hertz,
        "bandwidth": target.bandwidth * 1e9,
        "channels": plan.copies * bits / 8 * hertz,
    }


def layer_rows(
    graph: Graph, plan: Plan, predicted: Estimate, simulation: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """A dictionary a layer. `load` is its share of the time between two images, of which a
    pipeline's slowest kernel takes all."""
    clock = predicted.resources.fmax * 1e6
    interval = clock * plan.copies / predicted.throughput
    kernels = {kernel.layer: kernel for kernel in plan.kernels}
    piped = {edge.consumer for edge in plan.edges} & set(kernels)
    tracks = {track["name"]: track["waits"] for track in (simulation or {}).get("kernels", ())}
    rows = []
    for time in predicted.timing.layers:
        layer, name = graph.layer(time.name), time.name
        row = asdict(time) | {
            "utilisation": time.utilisation,
            "macs": operator(layer.op).work(layer, graph).macs,
            "milliseconds": time.cycles / clock * 1e3,
            "load": min(time.cycles / interval, 1.0),
            "pipelined": name in piped,
            "channel_bytes": channel_bytes(name, graph, plan),
            "waits": tracks.get(name),
        }
        row["why"] = (
            kernel_reason(
                row, layer, graph, kernels[name], predicted.timing.bottleneck, row["waits"]
            )
            if name in piped
            else step_reason(row)
        )
        rows.append(row)
    return rows


def channel_bytes(name: str, graph: Graph, plan: Plan) -> int:
    """Bytes an image that a layer's kernel takes from FIFOs and gives to them, whole vectors."""
    output = graph.layer(name).output
    total = 0
    for edge in plan.edges:
        if edge.consumer == name or edge.tensor == output:
            tensor = graph.tensors[edge.tensor]
            total += (
                tensor.pixels
                * vectors(tensor.channels, edge.width)
                * edge.width
                * (tensor.type.bytes)
            )
    return total


def manifest_of(folder: Path) -> Manifest:
    """The manifest of a design. Raises OutputError."""
    try:
        return read_manifest(folder)
    except HostError as error:
        raise OutputError(error.reason, remedy=error.remedy) from None
