"""Advice is what the model says of designs that can be built as it says."""

from dataclasses import replace

import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.model.calibration import default_calibration
from hlsgen.model.estimate import estimate
from hlsgen.model.pipelined_timing import kernel_times
from hlsgen.model.resources import Caps
from hlsgen.report.advice import advice
from hlsgen.report.neighbours import cheaper_kernels, quicker_kernels
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.knobs import parse_pins
from hlsgen.zoo import network


@pytest.fixture(scope="module")
def graph():
    return hlsgen.load_graph(network("lenet5"))


def given(graph, plan):
    calibration = default_calibration()
    return advice(graph, plan, estimate(graph, plan, calibration), calibration)


def goal_of(flags):
    """What `build` makes of a piece's options."""
    words = [flag.split() for flag in flags]
    named = {flag[2:]: int(value) for flag, value in words if flag in ("--copies", "--images")}
    return Goal(pins=parse_pins([value for flag, value in words if flag == "--set"]), **named)


@pytest.mark.parametrize("style", ["pipelined", "folded"])
def test_a_build_with_the_options_is_as_good(graph, style):
    """The search, which is free in all else, does not do worse than the piece says."""
    plan = hlsgen.schedule(graph, style=style)
    found = [row for row in given(graph, plan) if row["fits"] and row["board"] == plan.board]
    assert found
    for row in found:
        built = hlsgen.schedule(graph, style=style, goal=goal_of(row["flags"]))
        assert estimate(graph, built).throughput >= row["throughput_fps"] * (1 - 1e-9)


def slowed(graph):
    """A plan made worse by hand: the window of one convolution is not unrolled."""
    plan = hlsgen.schedule(graph, style="pipelined")
    kernel = replace(plan.kernel("conv2"), unroll_window=False)
    kernels = tuple(kernel if k.layer == "conv2" else k for k in plan.kernels)
    return replace(plan, kernels=kernels)


def test_a_slow_kernel_is_found(graph):
    """The advice is to undo it."""
    slow, calibration = slowed(graph), default_calibration()
    (first, *_) = quicker_kernels(graph, slow, board(slow.board), calibration)
    assert estimate(graph, first.plan).throughput > estimate(graph, slow).throughput * 1.01
    rows = given(graph, slow)
    assert any(row["kind"].startswith("faster") and "conv2" in row["change"] for row in rows)


def test_cheaper_kernels_keep_the_pace(graph):
    """Beside so slow a kernel the others are needlessly large."""
    slow, calibration = slowed(graph), default_calibration()
    (found,) = cheaper_kernels(graph, slow, board(slow.board), calibration)
    before, after = (
        max(t.cycles for t in kernel_times(graph, plan, board(plan.board)))
        for plan in (slow, found.plan)
    )
    assert after <= before
    assert estimate(graph, found.plan).resources.dsps < estimate(graph, slow).resources.dsps
    assert any(row["saves"] for row in given(graph, slow))


def test_what_does_not_fit_says_so(graph):
    """With caps as tight as the design, no faster one fits, and each says what it needs."""
    plan = hlsgen.schedule(graph, style="pipelined")
    used = estimate(graph, plan).resources
    target = board(plan.board)
    caps = Caps(1.0, 1.0, used.dsps / target.available_dsps)
    tight = replace(plan, evidence=replace(plan.evidence, caps=tuple(vars(caps).values())))
    rows = [row for row in given(graph, tight) if row["dsps"] > 0]
    assert rows and not any(row["fits"] for row in rows)
    assert all("DSPs" in row["short"] for row in rows)
