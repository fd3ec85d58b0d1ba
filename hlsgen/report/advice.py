"""What would make a design better: plans near it, each predicted by the model, ranked.

Nothing is guessed: a piece of advice is the difference between two estimates, of the design and of
one that differs in a decision. FIFOs stay as deep as they are, so that both rates are those of
kernels that never wait for room; the search, asked with the flags given, may find better still.
"""

from __future__ import annotations

from typing import Any

from hlsgen.boards import board as find_board
from hlsgen.errors import HlsgenError
from hlsgen.graph import Graph
from hlsgen.model.calibration import Calibration
from hlsgen.model.estimate import Estimate, estimate
from hlsgen.model.resources import Caps
from hlsgen.plan import Plan
from hlsgen.report.neighbours import Neighbour, neighbours
from hlsgen.rewrites.weight_storage import with_storage
from hlsgen.schedule.check import check_plan

# Pieces that are shown; a change in the rate, and in a share of a resource, that is worth one.
MOST, NOTABLE = 8, 0.01


def advice(
    graph: Graph, plan: Plan, predicted: Estimate, calibration: Calibration
) -> list[dict[str, Any]]:
    """The best pieces, those first that fit the board. `predicted` is what the report says of the
    plan; gains are relative to it."""
    graph = with_storage(graph, plan.weights)
    now = estimate(graph, plan, calibration)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for neighbour in neighbours(graph, plan, calibration):
        try:
            check_plan(graph, neighbour.plan)
            then = estimate(graph, neighbour.plan, calibration)
        except HlsgenError:
            continue
        row = piece(neighbour, now, then, plan, predicted)
        if worthwhile(row, then):
            best = found.setdefault((row["kind"], row["fits"]), row)
            if row["gain"] > best["gain"]:
                found[row["kind"], row["fits"]] = row
    ranked = sorted(found.values(), key=lambda row: (not row["fits"], -row["gain"]))
    return ranked[:MOST]


def piece(
    neighbour: Neighbour, now: Estimate, then: Estimate, plan: Plan, predicted: Estimate
) -> dict[str, Any]:
    """One neighbour beside the design: the gain of its rate, what more it takes, whether it
    fits."""
    board = find_board(neighbour.plan.board)
    caps = Caps(*plan.evidence.caps) if plan.evidence.caps else Caps()
    gain = then.throughput / now.throughput - 1
    before, after = now.resources.capped(), then.resources.capped()
    most = caps.units(board)
    short = [
        f"needs {used:,} {name}, {int(most[name]):,} may be used"
        for name, used in after.items()
        if used > most[name]
    ]
    return {
        "kind": neighbour.kind,
        "change": neighbour.change,
        "flags": list(neighbour.flags),
        "gain": gain,
        "throughput_fps": predicted.throughput * (1 + gain),
        "latency_ms": then.latency * 1e3,
        "alms": then.resources.alms - now.resources.alms,
        "blocks": after["memory blocks"] - before["memory blocks"],
        "dsps": after["DSPs"] - before["DSPs"],
        "fmax": then.resources.fmax,
        "bottleneck": then.timing.bottleneck,
        "fits": not short,
        "short": "; ".join(short),
        "board": neighbour.plan.board,
        "saves": saves(now, then, neighbour, plan),
    }


def saves(now: Estimate, then: Estimate, neighbour: Neighbour, plan: Plan) -> bool:
    """Whether a plan for the same board is as fast and takes notably less of something, and of
    nothing notably more."""
    if neighbour.plan.board != plan.board or then.throughput < now.throughput * (1 - 1e-9):
        return False
    board = find_board(plan.board)
    before, after = now.resources.shares(board), then.resources.shares(board)
    changes = [after[name] - before[name] for name in before]
    return min(changes) < -NOTABLE and max(changes) < NOTABLE


def worthwhile(row: dict[str, Any], then: Estimate) -> bool:
    """Whether a piece is worth showing: faster, or as fast for less; a design that no caps let fit
    is not."""
    if not then.resources.fits(find_board(row["board"]), Caps(1, 1, 1)):
        return False
    return bool(row["gain"] >= NOTABLE or row["saves"])
