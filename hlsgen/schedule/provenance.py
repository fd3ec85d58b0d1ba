"""Ties what a search showed to the plan that it chose, so that nothing of it is said of an edited
one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from math import inf

import numpy as np

from hlsgen.boards import board as find_board
from hlsgen.evidence import Evidence
from hlsgen.graph import Graph
from hlsgen.model.calibration import Calibration
from hlsgen.model.estimate import Estimate, estimate
from hlsgen.model.timing import design_timing
from hlsgen.plan import Plan
from hlsgen.rewrites.weight_storage import with_storage


def digest(graph: Graph, plan: Plan, calibration: Calibration) -> str:
    """A hash of the decisions and of all that the search weighed them by. (What a plan calls its
    network is no decision.)"""
    graph = with_storage(graph, plan.weights)
    decisions = replace(plan, evidence=Evidence(), network="").to_json()
    network = [
        (
            layer.name,
            layer.op,
            layer.attributes,
            graph.output_tensor(layer).shape,
            nonzeros(layer.weights),
        )
        for layer in graph.layers
    ]
    text = repr((decisions, network, find_board(plan.board), calibration))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def nonzeros(weights: Mapping[str, np.ndarray]) -> list[tuple[str, int]]:
    """How many weights of each kind are not zero."""
    return [(name, int(np.count_nonzero(array))) for name, array in weights.items()]


def sealed(graph: Graph, plan: Plan, calibration: Calibration) -> Plan:
    """The plan with its evidence tied to it."""
    evidence = replace(plan.evidence, digest=digest(graph, plan, calibration))
    return replace(plan, evidence=evidence)


def as_searched(graph: Graph, plan: Plan, calibration: Calibration) -> bool:
    """Whether a plan is the one that its evidence is of."""
    return plan.evidence.digest == digest(graph, plan, calibration)


def headline(graph: Graph, plan: Plan, calibration: Calibration) -> Estimate:
    """The estimate of a plan, its rate that of the design with its FIFOs where these were simulated
    in the search."""
    predicted = estimate(graph, plan, calibration)
    return as_simulated(plan, predicted) if as_searched(graph, plan, calibration) else predicted


def as_simulated(plan: Plan, predicted: Estimate) -> Estimate:
    """The estimate of a plan as it was searched, no faster than its simulation."""
    most = simulated_rate(plan, predicted.resources.fmax)
    timing = predicted.timing
    return replace(predicted, timing=replace(timing, throughput=min(timing.throughput, most)))


def simulated_rate(plan: Plan, clock: float) -> float:
    """Images a second of its simulation at `clock` MHz, infinite where there is none. (That of a
    hybrid design is of its prefix alone.)"""
    if plan.engines is not None or not plan.evidence.interval:
        return inf
    return plan.copies * clock * 1e6 / plan.evidence.interval


def throughput_band(
    graph: Graph, plan: Plan, predicted: Estimate, calibration: Calibration
) -> tuple[float, float]:
    """The least and the most images a second that are likely, at II 1: at the lowest clock with
    much logic, external memory giving the least that was measured; and at the highest clock,
    memory giving the most that so many kernels were measured at."""
    board, r = find_board(plan.board), predicted.resources
    searched = as_searched(graph, plan, calibration)
    low, high = (
        min(
            design_timing(graph, plan, target, clock).throughput,
            simulated_rate(plan, clock) if searched else inf,
        )
        for clock, target in ((r.fmax_low, board.at_worst()), (r.fmax_high, board.at_best()))
    )
    return low, high
