"""Convolutions of pipelined designs that multiply several input vectors a turn: right on the
emulator, as long as the model says, chosen where that pays."""

from dataclasses import replace

import numpy as np
import pytest

import hlsgen
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.kernel.hardware import KERNEL_LATENCY
from hlsgen.model.estimate import estimate
from hlsgen.model.simulate import simulate
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.choices import Choice, plan_kernels, tensor_classes
from hlsgen.schedule.pipelined.planner import complete
from hlsgen.schedule.scheduler import schedule
from hlsgen.zoo import network
from tests.support.networks import assert_right, parse
from tests.support.plans import pipeline

# Words that pixels fill and words that they do not, with and without bias and activation, a branch,
# and a window before them.
NETWORK = """(float[1,8,6,5] x, float[40,8,3,3] k, float[48,40,1,1] a, float[48] ab,
float[64,48,1,1] b, float[64,48,1,1] c, float[56,64,1,1] d,
float[56] db) => (float[1,56,6,5] y) { v = Conv<pads=[1,1,1,1]>(x, k) p = Conv(v, a, ab)
q = Relu(p) s = Conv(q, b) u = Conv(q, c)
t = Add(s, u) y = Conv(t, d, db) }"""

# Padded, strided, dilated and even windows; one that needs no border; a 1x1 convolution that
# strides; a branch that waits for a window.
WINDOWS = """(float[1,40,9,7] x, float[24,40,3,3] a, float[24] ab, float[24,24,3,3] b,
float[48,24,2,3] c, float[32,48,1,1] d, float[32,24,3,3] e)
=> (float[1,32,3,3] y) { p = Conv<pads=[1,1,1,1]>(x, a, ab) q = Relu(p)
r = Conv<pads=[2,2,2,2], dilations=[2,2]>(q, b) s = Add(r, q)
t = Conv<pads=[0,1,1,1], strides=[2,1]>(s, c) u = Conv<strides=[2,3]>(t, d)
v = Conv<strides=[3,2]>(s, e) y = Add(u, v) }"""


def planned(*counts, disable=(), width=8, text=NETWORK, unrolled=()):
    """A plan with vectors of `width` channels, whose convolutions (all but the first, where it has
    no channels for several vectors) multiply so many at once."""
    graph = hlsgen.load_graph(parse(text))
    wide = [
        layer
        for layer in graph.layers
        if layer.op == "conv" and graph.tensors[layer.inputs[0]].channels > 8
    ]
    plan = pipeline(graph, disabled=tuple(disable))
    choice = Choice(
        dict.fromkeys(graph.tensors, width),
        frozenset(unrolled),
        vectors_per_cycle={layer.name: n for layer, n in zip(wide, counts, strict=True)},
    )
    return graph, check_plan(graph, complete(graph, plan, tensor_classes(graph), choice))


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("counts", "strict"), [((2, 3, 4, 5), False), ((5, 6, 2, 3), True), ((3, 2, 6, 4), False)]
)
def test_right_on_the_emulator(counts, strict, tmp_path):
    graph, plan = planned(*counts)
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    assert design.source.count("input vectors by an output vector a turn") == 4
    assert_right(HostDesign(design.path), images=3, strict=strict)


@pytest.mark.emulator
@pytest.mark.parametrize(("counts", "strict"), [((10, 12, 7, 14), True), ((9, 11, 12, 13), False)])
def test_many_narrow_vectors_are_right_on_the_emulator(counts, strict, tmp_path):
    graph, plan = planned(*counts, width=4)
    assert_right(
        HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path), images=3, strict=strict
    )


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("counts", "width", "unrolled", "strict"),
    [
        ((3, 2, 3, 1, 2), 8, ("p", "r"), True),
        ((5, 3, 2, 1, 3), 8, ("t",), False),
        ((4, 3, 5, 2, 4), 4, (), True),
        ((4, 5, 2, 2, 2), 4, ("p", "r", "t", "v"), False),
    ],
)
def test_windows_are_right_on_the_emulator(counts, width, unrolled, strict, tmp_path):
    graph, plan = planned(*counts, width=width, text=WINDOWS, unrolled=unrolled)
    assert [kernel.vectors_per_cycle for kernel in plan.kernels if kernel.layer in "prtuv"] == list(
        counts
    )
    assert_right(
        HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path), images=3, strict=strict
    )


@pytest.mark.emulator
def test_columns_of_words_in_memories_are_right_on_the_emulator(tmp_path):
    """Where a pixel has so many words that the window's columns lie in memories."""
    text = """(float[1,76,6,5] x, float[16,76,3,3] a, float[8,16,3,3] b) => (float[1,8,6,5] y) {
    p = Conv<pads=[1,1,1,1]>(x, a) y = Conv<pads=[1,1,1,1]>(p, b) }"""
    graph, plan = planned(2, 3, width=4, text=text, unrolled=("p",))
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    assert (
        "float4 history[10][16] BLOCKS" in design.source
        or "float4 history[10][16] MLABS" in design.source
    )
    assert_right(HostDesign(design.path), images=2)


@pytest.mark.emulator
@pytest.mark.parametrize(
    "change",
    [("border.v[b] = 0.0f", "border.v[b] = 1.0f"), (".v[b];\n", ".v[0];\n"), ("b * 8 + i]", "i]")],
)
def test_a_wrong_window_is_found(change, tmp_path):
    graph, plan = planned(3, 2, 3, 1, 2, text=WINDOWS, unrolled=("p", "r"))
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    path = next((design.path / "kernels").glob("*.cl"))
    assert change[0] in path.read_text()
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(AssertionError):
        assert_right(HostDesign(design.path))


def test_turns_of_windows_by_hand():
    """Positions without an output take a turn a word; the others every word times every output
    vector (and tap, where these are not unrolled)."""
    graph = hlsgen.load_graph(parse(WINDOWS))
    layer = graph.layer("p")
    for vectors_per_cycle, words in ((1, 5), (2, 3), (3, 2), (5, 1)):
        idle = (11 * 9 - 9 * 7) * words
        for unroll, taps in ((True, 9), (False, 1)):
            kernel = KernelPlan("p", 8, 8, unroll, vectors_per_cycle=vectors_per_cycle)
            op = operator("conv")
            assert op.pipelined_turns(layer, graph, kernel) == idle + 63 * words * 3 * (9 // taps)
            units = op.pipelined_arithmetic(layer, graph, kernel)
            assert units.multiply_adds == taps * 64 * vectors_per_cycle
            # An output pixel's turns are enough to put the next one's words together.
            assert (vectors_per_cycle in op.vectors_per_cycle_options(layer, graph, kernel)) == (
                words * 3 * (9 // taps) >= 5
            )
            # Where no output is due the words come a vector a cycle: after the rows' first
            # positions few, in the first row 8 pixels.
            waits = (
                max(0, 8 * 5 - (4 * vectors_per_cycle + KERNEL_LATENCY) - 20 * words)
                if vectors_per_cycle > 1
                else 0
            )
            assert (
                op.pipelined_cycles(layer, graph, kernel)
                == op.pipelined_turns(layer, graph, kernel) + waits
            )


@pytest.mark.emulator
@pytest.mark.parametrize("disable", ["autorun", "concurrent_queues"])
def test_right_where_the_host_launches_the_kernels(disable, tmp_path):
    graph, plan = planned(3, 3, 3, 3, disable=[disable])
    design = HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path)
    assert_right(design, images=2, strict=disable == "autorun")


@pytest.mark.emulator
@pytest.mark.parametrize(
    "change",
    [
        ("weights[word][b * 8 + i]", "weights[word][i]"),
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
        assert_right(HostDesign(design.path), timeout=2.0)


def test_turns_by_hand():
    """A word of `vectors_per_cycle` vectors meets every output vector: 30 pixels, 48 channels in,
    64 out."""
    graph = hlsgen.load_graph(parse(NETWORK))
    layer = next(layer for layer in graph.layers if layer.name == "s")
    for vectors_per_cycle, words in ((1, 6), (2, 3), (4, 2), (5, 2), (6, 1)):
        kernel = KernelPlan("s", 8, 8, vectors_per_cycle=vectors_per_cycle)
        assert operator("conv").pipelined_turns(layer, graph, kernel) == 30 * words * 8
        units = operator("conv").pipelined_arithmetic(layer, graph, kernel)
        assert units.multiply_adds == 64 * vectors_per_cycle
        assert (
            len(operator("conv").pipelined_stream(layer, graph, kernel))
            == 8 + words * 8 * vectors_per_cycle * 8
        )
        assert sum(
            m.elements * m.bits
            for m in operator("conv").pipelined_body(layer, graph, kernel).memories
            if m.name == "weights"
        ) == (words * 8 * vectors_per_cycle * 64 * 32)


def test_stream_order():
    """Word by word, output vector by output vector, then the word's input lanes; the last word is
    filled up with zeros."""
    graph = hlsgen.load_graph(
        parse("(float[1,24,1,1] x, float[16,24,1,1] w) => (float[1,16,1,1] y) { y = Conv(x, w) }")
    )
    layer = graph.layers[0]
    weight = layer.weights["weight"][:, :, 0, 0]
    stream = (
        operator("conv")
        .pipelined_stream(layer, graph, KernelPlan(layer.name, 8, 8, vectors_per_cycle=2))[2:]
        .reshape(2, 2, 16, 8)
    )
    assert np.array_equal(stream[1, 0, :8], weight[:8, 16:24].T) and not stream[1, :, 8:].any()
    assert np.array_equal(stream[0, 1], weight[8:16, :16].T)


def test_simulator_and_model_agree():
    windows = dict(text=WINDOWS, unrolled=("p", "r"))
    for counts, options in (
        ((2, 3, 4, 5), {}),
        ((5, 6, 2, 3), {}),
        ((2, 2, 3, 1, 2), windows),
        ((3, 2, 2, 1, 3), windows),
    ):
        graph, plan = planned(*counts, **options)
        found = simulate(graph, plan, 3, depths={i: 1000 for i in range(len(plan.edges))})
        assert found.interval == pytest.approx(estimate(graph, plan).timing.cycles, rel=0.02)


@pytest.mark.slow
def test_chosen_where_it_pays():
    """Equal powers of two leave DSPs over that words of other lengths use."""
    graph = hlsgen.load_graph(network("mobilenetv1"))
    plan = schedule(graph, "pac_d5005", "pipelined")
    without = schedule(
        graph,
        "pac_d5005",
        "pipelined",
        goal=Goal(pins={(layer.name, "vectors_per_cycle"): 1 for layer in graph.layers}),
    )
    assert any(kernel.vectors_per_cycle & (kernel.vectors_per_cycle - 1) for kernel in plan.kernels)
    assert all(kernel.vectors_per_cycle == 1 for kernel in without.kernels)
    assert estimate(graph, plan).throughput > 1.2 * estimate(graph, without).throughput
    classes = tensor_classes(graph)
    assert plan.kernels == plan_kernels(
        graph,
        classes,
        Choice(
            {classes[e.tensor]: e.width for e in plan.edges},
            frozenset(k.layer for k in plan.kernels if k.unroll_window),
            {k.layer: k.lane_folding for k in plan.kernels},
            {k.layer: k.nonzeros_per_lane for k in plan.kernels},
            vectors_per_cycle={k.layer: k.vectors_per_cycle for k in plan.kernels},
            row_tiles={k.layer: k.row_tiles for k in plan.kernels},
        ),
    )


def test_edited_plans_are_checked():
    graph, plan = planned(2, 2, 2, 2)
    for wrong in (7, 9):
        kernels = tuple(
            replace(k, vectors_per_cycle=wrong) if k.layer == "s" else k for k in plan.kernels
        )
        with pytest.raises(PlanError, match="vectors_per_cycle"):
            check_plan(graph, replace(plan, kernels=kernels))
    window = tuple(replace(k, vectors_per_cycle=2) if k.layer == "v" else k for k in plan.kernels)
    with pytest.raises(PlanError, match="vectors_per_cycle"):
        check_plan(graph, replace(plan, kernels=window))
