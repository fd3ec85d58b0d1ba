"""1x1 convolutions of pipelined designs that multiply several input vectors a turn: right on the emulator, as long as the model says, chosen
where that pays."""

from dataclasses import replace

import numpy as np
import pytest
from hlsgen.host.design import HostDesign

import hlsgen
from hlsgen.errors import PlanError
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan
from hlsgen.schedule.choices import Choice, plan_kernels, tensor_classes
from hlsgen.schedule.estimate import estimate
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined import complete
from hlsgen.schedule.scheduler import check_plan, schedule
from hlsgen.schedule.simulate import simulate
from hlsgen.zoo import network
from tests.networks import assert_right, parse

# Words that pixels fill and words that they do not, with and without bias and activation, a branch, and a window before them.
NETWORK = """(float[1,8,6,5] x, float[40,8,3,3] k, float[48,40,1,1] a, float[48] ab, float[64,48,1,1] b, float[64,48,1,1] c, float[56,64,1,1] d,
float[56] db) => (float[1,56,6,5] y) { v = Conv<pads=[1,1,1,1]>(x, k) p = Conv(v, a, ab) q = Relu(p) s = Conv(q, b) u = Conv(q, c)
t = Add(s, u) y = Conv(t, d, db) }"""


def planned(*counts, disable=(), width=8):
    """A plan with vectors of `width` channels, whose 1x1 convolutions multiply so many at once."""
    graph = hlsgen.load(parse(NETWORK))
    wide = [layer for layer in graph.layers if layer.op == "conv" and layer.attributes.window.taps == 1]
    plan = schedule(graph, "pac_d5005", "pipelined", disable)
    choice = Choice(
        dict.fromkeys(graph.tensors, width),
        frozenset(),
        at_onces={layer.name: n for layer, n in zip(wide, counts, strict=True)},
    )
    return graph, check_plan(graph, complete(graph, plan, tensor_classes(graph), choice))


@pytest.mark.parametrize(("counts", "strict"), [((2, 3, 4, 5), False), ((5, 6, 2, 3), True), ((3, 2, 6, 4), False)])
def test_right_on_the_emulator(counts, strict, tmp_path):
    graph, plan = planned(*counts)
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    assert design.source.count("input vectors by an output vector a turn") == 4
    assert_right(HostDesign(design.path), images=3, strict=strict)


@pytest.mark.parametrize(("counts", "strict"), [((10, 12, 7, 14), True), ((9, 11, 12, 13), False)])
def test_many_narrow_vectors_are_right_on_the_emulator(counts, strict, tmp_path):
    graph, plan = planned(*counts, width=4)
    assert_right(HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path), images=3, strict=strict)


@pytest.mark.parametrize("disable", ["autorun", "concurrent_queues"])
def test_right_where_the_host_launches_the_kernels(disable, tmp_path):
    graph, plan = planned(3, 3, 3, 3, disable=[disable])
    design = HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path)
    assert_right(design, images=2, strict=disable == "autorun")


@pytest.mark.parametrize(
    "change",
    [
        ("[word][b][i]", "[word][0][i]"),
        ("if (b == i)", "if (b == 0)"),
        ("const bool full = i == 2 || last;", "const bool full = i == 1 || last;"),
    ],
)
def test_a_wrong_kernel_is_found(change, tmp_path):
    graph, plan = planned(3, 3, 3, 3)
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    path = next((design.path / "kernels").glob("*.cl"))
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    with pytest.raises(Exception):  # noqa: B017 a wrong result, or kernels that wait for each other
        assert_right(HostDesign(design.path), timeout=5.0)


def test_turns_by_hand():
    """A word of `at_once` vectors meets every output vector: 30 pixels, 48 channels in, 64 out."""
    graph = hlsgen.load(parse(NETWORK))
    layer = next(layer for layer in graph.layers if layer.name == "s")
    for at_once, words in ((1, 6), (2, 3), (4, 2), (5, 2), (6, 1)):
        kernel = KernelPlan("s", 8, 8, at_once=at_once)
        assert operator("conv").pipelined_turns(layer, graph, kernel) == 30 * words * 8
        assert operator("conv").pipelined_macs(layer, kernel) == 64 * at_once
        assert len(operator("conv").pipelined_stream(layer, kernel)) == 8 + words * 8 * at_once * 8
        assert sum(m.depth * m.bits for m in operator("conv").pipelined_memories(layer, graph, kernel)) == (
            words * 8 * at_once * 64 * 32
        )


def test_stream_order():
    """Word by word, output vector by output vector, then the word's input lanes; the last word is filled up with zeros."""
    graph = hlsgen.load(parse("(float[1,24,1,1] x, float[16,24,1,1] w) => (float[1,16,1,1] y) { y = Conv(x, w) }"))
    layer = graph.layers[0]
    weight = layer.weights["weight"][:, :, 0, 0]
    stream = operator("conv").pipelined_stream(layer, KernelPlan(layer.name, 8, 8, at_once=2))[2:].reshape(2, 2, 16, 8)
    assert np.array_equal(stream[1, 0, :8], weight[:8, 16:24].T) and not stream[1, :, 8:].any()
    assert np.array_equal(stream[0, 1], weight[8:16, :16].T)


def test_simulator_and_model_agree():
    for counts in ((2, 3, 4, 5), (5, 6, 2, 3)):
        graph, plan = planned(*counts)
        found = simulate(graph, plan, 3, depths={i: 1000 for i in range(len(plan.edges))})
        assert found.interval == pytest.approx(estimate(graph, plan).timing.cycles, rel=0.02)


def test_chosen_where_it_pays():
    """Equal powers of two leave DSPs over that words of other lengths use."""
    graph = hlsgen.load(network("mobilenetv1"))
    plan = schedule(graph, "pac_d5005", "pipelined")
    without = schedule(
        graph, "pac_d5005", "pipelined", goal=Goal(pins={(layer.name, "at_once"): 1 for layer in graph.layers})
    )
    assert any(kernel.at_once & (kernel.at_once - 1) for kernel in plan.kernels)
    assert all(kernel.at_once == 1 for kernel in without.kernels)
    assert estimate(graph, plan).throughput > 1.2 * estimate(graph, without).throughput
    classes = tensor_classes(graph)
    assert plan.kernels == plan_kernels(
        graph,
        classes,
        Choice(
            {classes[e.tensor]: e.width for e in plan.edges},
            frozenset(k.layer for k in plan.kernels if k.unroll_window),
            {k.layer: k.fold for k in plan.kernels},
            {k.layer: k.skip for k in plan.kernels},
            {k.layer: k.at_once for k in plan.kernels},
        ),
    )


def test_edited_plans_are_checked():
    graph, plan = planned(2, 2, 2, 2)
    for wrong in (7, 9):
        kernels = tuple(replace(k, at_once=wrong) if k.layer == "s" else k for k in plan.kernels)
        with pytest.raises(PlanError, match="at_once"):
            check_plan(graph, replace(plan, kernels=kernels))
    window = tuple(replace(k, at_once=2) if k.layer == "v" else k for k in plan.kernels)
    with pytest.raises(PlanError, match="at_once"):
        check_plan(graph, replace(plan, kernels=window))
