"""Hybrid designs: depthwise layers stream into the 1x1 convolutions after them, on the emulator, at
true FIFO depth too."""

from dataclasses import replace

import pytest

import hlsgen
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.model.estimate import estimate
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.folded.steps import feeding_layers
from hlsgen.schedule.goal import Goal
from hlsgen.zoo import network
from tests.support.networks import (
    NO_PREFIX,
    assert_right,
    assert_right_in_both_modes,
    build,
    parse,
    verdict_of,
)

# Strides, pads on one side, a window smaller than the engine's on a narrow map, activations of
# either layer, a residual, a plain depthwise layer, a pair whose middle is also an output (no
# pair), vectors that are not full.
NETWORKS = {
    "separable": """(float[1,20,13,11] x, float[20,1,3,3] d, float[20] db, float[36,20,1,1] p,
float[36] pb) => (float[1,36,7,6] y) {
        a = Conv<group=20, strides=[2,2], pads=[1,1,1,1]>(x, d, db) b = Relu(a)
        c = Conv(b, p, pb) y = LeakyRelu(c) }""",
    "two_kinds": """(float[1,16,9,9] x, float[16,1,3,3] d, float[16] db, float[16,16,1,1] p,
float[16,1,5,5] e, float[24,16,1,1] q,
        float[24,1,3,3] f) => (float[1,24,9,9] y) {
        a = Conv<group=16, pads=[0,2,2,0]>(x, d, db) s = Sigmoid(a) b = Conv(s, p) r = Add(b, x)
        c = Conv<group=16, pads=[2,2,2,2]>(r, e) g = Conv(c, q)
        y = Conv<group=24, pads=[1,1,1,1]>(g, f) }""",
    "narrow": """(float[1,16,6,2] x, float[16,1,3,1] d, float[16,16,1,1] p, float[16,1,1,1] e,
float[16,16,1,1] q, float[16,1,3,3] f,
        float[8,16,1,1] r) => (float[1,8,6,2] y) {
        a = Conv<group=16, pads=[1,0,1,0]>(x, d) b = Conv(a, p) c = Conv<group=16>(b, e)
        g = Conv(c, q)
        h = Conv<group=16, pads=[1,1,1,1]>(g, f) y = Conv(h, r) }""",
    "shared": """(float[1,16,8,8] x, float[16,1,3,3] d, float[16,16,1,1] p, float[16,1,3,3] e,
float[16,16,1,1] q)
        => (float[1,16,8,8] y, float[1,16,8,8] b) {
        a = Conv<group=16, pads=[1,1,1,1]>(x, d) y = Conv(a, p)
        b = Conv<group=16, pads=[1,1,1,1]>(y, e) c = Conv(b, q) }""",
}
BOARDS = ("pac_d5005", "pac_a10", "de5_net")


@pytest.mark.emulator
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", ["separable", "two_kinds", "narrow"])
def test_right(name, board, tmp_path):
    design = build(
        parse(NETWORKS[name]), tmp_path / "design", "hybrid", board=board, pins=NO_PREFIX
    )
    assert "depthwise_to_convolution" in design.source
    assert_right(design, images=2)


@pytest.mark.emulator
@pytest.mark.parametrize("name", ["separable", "two_kinds", "narrow"])
def test_right_at_true_fifo_depth(name, tmp_path):
    assert_right(
        build(parse(NETWORKS[name]), tmp_path / "design", "hybrid", pins=NO_PREFIX),
        images=2,
        strict=True,
    )


def cut_up(plan, height):
    """The same plan with every fed convolution in tiles of so many rows."""
    return replace(
        plan, steps=tuple(replace(s, tile_height=height) if s.feeder else s for s in plan.steps)
    )


@pytest.mark.emulator
def test_many_tiles(tmp_path):
    """The next tile comes through the depthwise engine while this one is multiplied; the last one
    reaches over the edge."""
    graph = hlsgen.load_graph(parse(NETWORKS["separable"]))
    plan = cut_up(hlsgen.schedule(graph, style="hybrid", goal=Goal(pins=NO_PREFIX)), 2)
    hlsgen.generate(graph, check_plan(graph, plan), tmp_path / "design")
    assert_right_in_both_modes(HostDesign(tmp_path / "design"), images=2)


@pytest.mark.emulator
@pytest.mark.parametrize(
    "disable", ["autorun", "cached_writes", "unroll", "fuse", "tile", "concurrent_queues"]
)
def test_switched_off(disable, tmp_path):
    assert_right(
        build(
            parse(NETWORKS["two_kinds"]),
            tmp_path / "design",
            "hybrid",
            disable=[disable],
            pins=NO_PREFIX,
        )
    )


def test_only_pairs_that_have_the_tensor_to_themselves():
    graph = hlsgen.load_graph(parse(NETWORKS["shared"]))
    assert list(feeding_layers(graph).values()) == ["a"]
    with pytest.raises(PlanError, match="no depthwise layer"):
        hlsgen.schedule(
            hlsgen.load_graph(network("lenet5")), style="hybrid", goal=Goal(pins=NO_PREFIX)
        )
    plan = hlsgen.schedule(graph, style="hybrid", goal=Goal(pins=NO_PREFIX))
    wrong = replace(
        plan, steps=tuple(replace(s, feeder="b") if s.feeder else s for s in plan.steps)
    )
    with pytest.raises(PlanError, match="cannot feed"):
        check_plan(graph, wrong)


@pytest.mark.emulator
def test_a_broken_pair_is_found(tmp_path):
    design = build(parse(NETWORKS["separable"]), tmp_path / "design", "hybrid", pins=NO_PREFIX)
    file = design.path / design.manifest.kernels[0]
    text = file.read_text()
    assert "vec value = product + weights[9];" in text
    file.write_text(text.replace("vec value = product + weights[9];", "vec value = product;"))
    verdict = verdict_of(design)
    assert verdict["ok"] is False and verdict["first_wrong_layer"] == "c"


@pytest.mark.slow
def test_auto_takes_the_best_by_the_model():
    graph = hlsgen.load_graph(network("mobilenetv1"))
    plan = hlsgen.schedule(graph, board="pac_a10")
    others = {other.style: other.throughput for other in plan.evidence.alternatives}
    assert plan.style == "hybrid" and {"pipelined", "folded"} < set(others)
    assert estimate(graph, plan).throughput >= max(others.values()) > others["folded"] > 0
