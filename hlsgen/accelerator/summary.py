"""What an accelerator is, reaches and costs, in a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hlsgen.accelerator.tables import LEFT, Table
from hlsgen.boards import board as find_board
from hlsgen.boards import older
from hlsgen.evidence import Evidence
from hlsgen.graph import Graph
from hlsgen.model.calibration import Calibration
from hlsgen.model.estimate import Estimate
from hlsgen.model.structure import structure
from hlsgen.model.times import rate
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.quantise.request import in_words
from hlsgen.report.on_host import cut_line
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.rewrites.weight_storage import kept_types
from hlsgen.schedule.explain import rate_with_band, within_shown
from hlsgen.schedule.provenance import as_searched
from hlsgen.words import counted

# Share of weights that are 0 from which on it is worth a word.
SPARSE = 0.05
# Versions of aoc that public reports (docs/quantisation.md) show to build products of integers from
# logic beyond a share of the DSPs: from the first one on, before the other.
FIRST_IN_LOGIC, AFTER_LOGIC, GIVEN_TO_INTEGERS = (17, 0), (19, 0), 0.5


def summary(
    graph: Graph,
    plan: Plan,
    predicted: Estimate,
    band: tuple[float, float],
    calibration: Calibration,
    host: Mapping[str, Any] | None,
    quantised: Mapping[str, Any] | None,
    validation: Mapping[str, Any] | None,
    audited: Mapping[str, Any] | None,
) -> Table:
    """A line for each of: accuracy, what stays on the host, style, images a second, latency,
    resources, bottleneck, search, validation, audit. `host` is what `on_host` tells, the last three
    arguments what lies in a design directory. `band`: the least and the most images a second that
    are likely."""
    searched = as_searched(graph, plan, calibration)
    evidence = plan.evidence if searched else Evidence()
    macs = sum(operator(layer.op).work(layer, graph).macs for layer in graph.layers)
    unit = f" a launch of {plan.images} images" if plan.images > 1 else ""
    lines = {
        "network": f"{graph.name}, {counted(len(graph.layers), 'layer')}, "
        f"{macs / 1e6:,.1f} M multiply-accumulates an image",
        "weights": weights(graph, plan),
        "accuracy": in_words(quantised) if quantised else "",
        "host": cut_line(host) if host else "",
        "board": find_board(plan.board).title,
        "style": f"{plan.style}{others(evidence, plan)}",
        "images/s": rate_with_band(predicted.throughput, *band),
        "latency": f"{predicted.latency * 1e3:.3g} ms{unit}",
        "resources": resources(plan, predicted),
        "caution": caution(plan, predicted),
        "products": products(graph, plan),
        "bottleneck": predicted.timing.bottleneck,
        "search": search(plan, evidence, searched),
        "validation": validated(validation),
        "audit": audit_text(audited),
    }
    rows = tuple((title, text) for title, text in lines.items() if text)
    wrong = {
        "validation": validation is not None and not validation["ok"],
        "audit": audited is not None and not audited["ok"],
    }
    marked = frozenset(n for n, (title, _) in enumerate(rows) if wrong.get(title))
    return Table((("", LEFT), ("", LEFT)), rows, marked)


def weights(graph: Graph, plan: Plan) -> str:
    """How many weights there are, and how many of them are 0 where that is many."""
    named = [item for layer in graph.layers for item in layer.weights.items()]
    total = sum(array.size for _, array in named)
    arrays = [array for kind, array in named if kind != "bias"]
    size = sum(array.size for array in arrays)
    zeros = 1 - sum(int(np.count_nonzero(array)) for array in arrays) / max(size, 1)
    sparse = f", {zeros:.1%} of them zero" if zeros >= SPARSE else ""
    kinds = " and ".join(kept_types(graph, plan.weights))
    return f"{total:,}, {kinds}{sparse}" if total else ""


def others(evidence: Evidence, plan: Plan) -> str:
    """The styles that were weighed against the one that was chosen."""
    known = [
        f"{other.style} {rate(other.throughput)}/s"
        for other in evidence.alternatives
        if not other.refusal and other.style != plan.style
    ]
    return f" ({', '.join(known)})" if known else ""


def resources(plan: Plan, predicted: Estimate) -> str:
    """Shares of the board, and the clock."""
    shares = predicted.resources.shares(find_board(plan.board))
    parts = ", ".join(f"{share:.0%} {name}" for name, share in shares.items())
    return f"{parts}, {predicted.resources.fmax:.0f} MHz"


def caution(plan: Plan, predicted: Estimate) -> str:
    """That more DSPs are used than published designs use, and what it costs not to."""
    found, most = within_shown(plan, predicted), find_board(plan.board).device.shown_dsps
    if found is None:
        return ""
    share, images = found
    return f"published designs use {most:.0%} of the DSPs; --dsps {share:g}: {rate(images)}/s"


def products(graph: Graph, plan: Plan) -> str:
    """That products of integers take more of the multipliers than some compilers give them: those
    build the rest from logic, which the resources above do not count."""
    target = find_board(plan.board)
    if not graph.integers or older(target.sdk, FIRST_IN_LOGIC):
        return ""
    kernels = structure(reshaped(graph, plan), plan).kernels
    dsps = sum(k.body.arithmetic.narrow_products for k in kernels) / target.device.int8_macs_per_dsp
    share = dsps / target.available_dsps
    if share <= GIVEN_TO_INTEGERS:
        return ""
    unknown = "" if older(target.sdk, AFTER_LOGIC) else f" (of aoc {target.sdk} it is unknown)"
    return (
        f"those of integers take {share:.0%} of the DSPs; beyond {GIVEN_TO_INTEGERS:.0%} aoc 17.0 "
        f"to 18.1 builds them from logic{unknown}; --dsps {GIVEN_TO_INTEGERS:g} stays below"
    )


def search(plan: Plan, evidence: Evidence, searched: bool) -> str:
    """How good the search has shown the plan to be."""
    if plan.evidence.digest and not searched:
        return "none: the plan was edited, or the board or calibration changed"
    if evidence.limited or evidence.proof == "open":
        gap = f", at most {evidence.gap:.1%} from the best" if evidence.gap else ""
        return f"stopped at the time limit{gap}"
    texts = {"optimal": "proven optimal", "near": f"within {evidence.gap:.1%} of the best"}
    return texts.get(evidence.proof) or (
        f"best of {counted(evidence.shapes, 'engine shape')}" if evidence.shapes else ""
    )


def validated(record: Mapping[str, Any] | None) -> str:
    """The verdict of the validation, in a few words."""
    if record is None:
        return "not yet"
    if record["ok"]:
        layers = counted(len(record["layers"]), "layer")
        return f"RIGHT: {layers}, {counted(record['images'], 'image')}"
    wrong = record.get("first_wrong_layer") or "the output"
    return "DEADLOCK" if "unfinished" in record else f"WRONG: {wrong}"


def audit_text(found: Mapping[str, Any] | None) -> str:
    """The verdict of the audit, in a few words."""
    if found is None:
        return "not yet"
    if found["ok"]:
        warnings = sum(found["warnings"].values())
        return f"CLEAN, {counted(warnings, 'warning')}" if warnings else "CLEAN"
    return f"BROKEN: {', '.join(f'{n} x {rule}' for rule, n in found['errors'].items())}"
