"""Kernels of pipelined designs that skip zeros: packed as documented, chosen where that pays, right
on the emulator, as long as the model says."""

import re
from dataclasses import replace

import numpy as np
import pytest

import hlsgen
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.model.estimate import estimate
from hlsgen.model.simulate import simulate
from hlsgen.ops import operator, skip
from hlsgen.plan import KernelPlan, Plan
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.explain import explain
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.scheduler import schedule
from hlsgen.sparsify import sparsify
from tests.support.networks import assert_right, assert_right_in_both_modes, lines_printed, parse

# 1x1 convolutions with and without bias, channels that fill no vector, a branch, and fully
# connected layers behind a feature map.
NETWORK = """(float[1,20,4,3] x, float[40,20,1,1] a, float[40] ab, float[24,40,1,1] c,
float[24,40,1,1] d, float[288,70] w, float[70] b,
float[70,10] v) => (float[1,10] y) { p = Conv(x, a, ab) q = Relu(p) s = Conv(q, c)
u = Conv(q, d) z = Add(s, u) f = Flatten(z)
t = Gemm(f, w, b) r = Relu(t) y = MatMul(r, v) }"""

# Windows with borders, strides and dilation, an even one, a 1x1 one with a stride.
WINDOWS = """(float[1,12,9,8] x, float[20,12,3,3] a, float[20] ab, float[24,20,3,2] b,
float[16,24,1,1] c, float[10,16,3,3] d, float[10] db)
=> (float[1,10,3,4] y) { p = Conv<pads=[1,1,1,1]>(x, a, ab) q = Relu(p)
r = Conv<strides=[2,1], pads=[0,1,1,0]>(q, b) s = Relu(r)
t = Conv<strides=[1,2]>(s, c) u = Relu(t) y = Conv<pads=[1,2,2,2], dilations=[2,2]>(u, d, db) }"""


def graph_of(share=0.85, text=NETWORK):
    return hlsgen.load_graph(sparsify(parse(text), "relative", sparsity=share).model)


def planned(graph, *skips):
    """A pipelined plan whose multiplying layers skip zeros so."""
    layers = [layer for layer in graph.layers if layer.op in ("conv", "dense")]
    pins = {(layer.name, "nonzeros_per_lane"): n for layer, n in zip(layers, skips, strict=True)}
    return schedule(graph, "pac_d5005", "pipelined", goal=Goal(pins=pins))


def test_stream_by_hand():
    graph = hlsgen.load_graph(
        parse("(float[1,3,1,1] x, float[2,3,1,1] w) => (float[1,2,1,1] y) { y = Conv(x, w) }")
    )
    weight = np.array([[0, 5, 7], [3, 0, 0]], np.float32)
    layer = replace(
        graph.layers[0],
        weights={"weight": weight[:, :, None, None], "bias": np.array([8, 9], np.float32)},
    )
    kernel = KernelPlan(
        layer.name, 2, 1, nonzeros_per_lane=2
    )  # vectors of inputs 0, 1 and 2, 3: bank 0 holds 0 and 2, bank 1 holds 1 and 3
    assert (
        skip.list_lengths(weight[:, :, None], 2, 2).tolist() == [[1, 1], [1, 0]]
        and skip.words(layer, kernel) == 1
    )
    found = skip.entries(
        layer, kernel, np.pad(weight, ((0, 0), (0, 1)))
    )  # one lane: two output vectors, a word each
    entries = found[:, 0].reshape(1, 2, 2, 2)  # word, output vector, bank, (value, place)
    assert entries[0, 0, :, 0].tolist() == [7, 5] and entries[0, 1, :, 0].tolist() == [3, 0]
    assert entries[0, 0, :, 1].tolist() == [1, 0]
    wide = KernelPlan(layer.name, 4, 1, nonzeros_per_lane=2)  # one vector: banks of two lanes
    entries = skip.entries(layer, wide, np.pad(weight, ((0, 0), (0, 1))))[:, 0].reshape(2, 2, 2)
    assert entries[0, :, 0].tolist() == [5, 7] and entries[0, :, 1].tolist() == [1, 0]
    assert skip.imbalance(layer, kernel) == pytest.approx(1 / (3 / 4))


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("share", "skips"), [(0.85, (2, 2, 4, 8, 2)), (0.8, (4, 4, 2, 16, 4)), (0.97, (2, 2, 2, 2, 2))]
)
def test_right_on_the_emulator(share, skips, tmp_path):
    graph = graph_of(share)
    plan = planned(graph, *skips)
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    assert design.source.count("zeros are skipped") == 5
    assert_right_in_both_modes(HostDesign(design.path), images=3)


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("skips", "strict"), [((1, 1, 2, 1), True), ((2, 4, 4, 2), False), ((1, 2, 8, 1), False)]
)
def test_windows_are_right_on_the_emulator(skips, strict, tmp_path):
    graph = graph_of(0.9, WINDOWS)
    design = hlsgen.generate(graph, planned(graph, *skips), tmp_path / "design")
    assert design.source.count("zeros are skipped") == 4
    assert_right(HostDesign(design.path), images=3, strict=strict)


@pytest.mark.emulator
@pytest.mark.parametrize(("skips", "width"), [(2, 16), (1, 4)])
def test_a_pixel_of_one_vector_stays_in_registers(skips, width, tmp_path):
    """More of them than an index at run time reaches: a lane is chosen by comparing, which the
    model charges."""
    graph = graph_of(
        0.9,
        f"""(float[1,{width},5,5] x, float[16,{width},3,3] w)
        => (float[1,16,3,3] y) {{ y = Conv(x, w) }}""",
    )
    pins = {("y", "nonzeros_per_lane"): skips, ("y", "input_width"): width}
    plan = schedule(graph, "pac_d5005", "pipelined", goal=Goal(pins=pins))
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    assert_right(HostDesign(design.path), images=2)
    assert "inputs[1][" in design.source and hlsgen.audit(design.path).findings == ()
    body = operator("conv").pipelined_body(graph.layers[0], graph, plan.kernel("y"))
    chosen = (width // skips - 1) * 32 * 9 * skips * plan.kernel("y").output_width
    assert body.multiplexer_bits >= chosen


@pytest.mark.emulator
@pytest.mark.parametrize(
    "change",
    [
        ("inputs[at", "inputs[1 + at"),
        ("c = 0; // the", "c = 1; // the"),
        ("(ushort)as_int", "(ushort)1 + as_int"),
    ],
)
def test_a_wrong_kernel_is_found(change, tmp_path):
    graph = graph_of()
    design = hlsgen.generate(graph, planned(graph, 2, 2, 2, 2, 2), tmp_path / "design")
    path = next((design.path / "kernels").glob("*.cl"))
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    with pytest.raises(Exception):  # noqa: B017 a wrong result, or kernels that wait for each other
        assert_right(HostDesign(design.path), timeout=2.0)


def test_chosen_where_it_pays_and_named_in_the_reason():
    # Kernels that choose their inputs are another matter: tests/emulator/test_n_of_m.py.
    lists = Goal(pins={(x.name, "nonzeros_per_vector"): 0 for x in graph_of().layers})
    dense, sparse = (
        schedule(graph_of(share), "pac_d5005", "pipelined", goal=lists) for share in (0.0, 0.85)
    )
    assert not any(kernel.nonzeros_per_lane for kernel in dense.kernels)
    assert sum(bool(kernel.nonzeros_per_lane) for kernel in sparse.kernels) >= 2
    found = estimate(graph_of(0.85), sparse)
    assert "skip zero weights (longest list" in explain(graph_of(0.85), sparse, found)
    assert found.throughput > estimate(graph_of(0.0), dense).throughput
    ablated = schedule(graph_of(0.85), "pac_d5005", "pipelined", ("unroll",))
    assert not any(kernel.nonzeros_per_lane for kernel in ablated.kernels)


def test_time_falls_with_the_longest_list():
    """Closed form: the vectors of a pixel, and the longest list of a bank for every output
    vector."""
    for share in (0.5, 0.75, 0.9):
        graph = graph_of(share)
        layer = graph.layers[0]
        kernel = KernelPlan(layer.name, 4, 8, nonzeros_per_lane=4)
        rows = layer.weights["weight"].reshape(40, 20) != 0
        fullest = max(int(rows[o, bank::4].sum()) for o in range(40) for bank in range(4))
        assert operator("conv").pipelined_turns(layer, graph, kernel) == 12 * (5 + 5 * fullest)


def test_windows_take_the_longest_list_of_any_tap():
    """Closed form: a turn a vector wherever nothing is due, as for 1x1 elsewhere, with banks for
    every tap."""
    graph = graph_of(0.8, WINDOWS)
    layer = graph.layers[1]
    kernel = KernelPlan(layer.name, 4, 8, nonzeros_per_lane=2)
    kept = layer.weights["weight"] != 0  # 24 filters of 20 channels, 3x2
    fullest = max(
        int(kept[o, [c for c in range(20) if c % 4 // 2 == bank], ky, kx].sum())
        for o in range(24) for bank in range(2) for ky in range(3) for kx in range(2)
    )  # fmt: skip
    scanned, pixels = 9 * 9, 4 * 8
    assert operator("conv").pipelined_turns(layer, graph, kernel) == (
        scanned - pixels
    ) * 5 + pixels * (5 + 3 * fullest)
    assert operator("conv").pipelined_arithmetic(layer, graph, kernel).multiply_adds == 6 * 2 * 8


@pytest.mark.parametrize(("text", "skips"), [(NETWORK, (2, 2, 2, 4, 2)), (WINDOWS, (1, 2, 4, 1))])
def test_simulator_and_model_agree(text, skips):
    graph = graph_of(text=text)
    plan = planned(graph, *skips)
    found = simulate(graph, plan, 3)
    assert found.interval == pytest.approx(estimate(graph, plan).timing.cycles, rel=0.02)


@pytest.mark.emulator
@pytest.mark.parametrize(("text", "skips"), [(NETWORK, (2, 2, 4, 4, 2)), (WINDOWS, (1, 2, 4, 1))])
def test_counted_turns_are_the_models(text, skips, tmp_path):
    """Counters put into the emulated kernels: every turn that multiplies, and every vector that
    comes in."""
    graph = graph_of(text=text)
    plan = planned(graph, *skips)
    design = HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path)
    path = next((tmp_path / "design" / "kernels").glob("*.cl"))
    text, counted = path.read_text(), 0
    for layer in graph.layers:
        if plan.kernel(layer.name).nonzeros_per_lane:
            start = text.index(f"__kernel void {layer.name}(")
            end = text.index("\n}\n", start)
            body = text[start:end].replace(
                "    int c = 0;", "    int turns = 0;\n    int c = 0;", 1
            )
            body = re.sub(r"(EVERY_TURN\(\d+\) {\n)", r"\1        ++turns;\n", body)
            text = (
                text[:start]
                + body
                + f'\n    printf("turns {layer.name} %d\\n", turns);'
                + text[end:]
            )
            counted += 1
    path.write_text(text)
    assert_right(design, images=2)
    printed = {name: int(turns) for name, turns in lines_printed(design, "turns", images=2)}
    model = {
        layer.name: operator(layer.op).pipelined_turns(layer, graph, plan.kernel(layer.name))
        for layer in graph.layers
    }
    assert len(printed) == counted == len(skips)
    assert all(turns == 2 * model[name] for name, turns in printed.items())


@pytest.mark.emulator
def test_plans_are_checked_and_edited(tmp_path):
    graph = graph_of()
    plan = planned(graph, 2, 2, 2, 2, 2)
    plan.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan
    kernels = tuple(replace(kernel, nonzeros_per_lane=0) for kernel in plan.kernels)
    with pytest.raises(PlanError, match="nonzeros_per_lane 3 is not one of"):
        check_plan(
            graph,
            replace(
                plan,
                kernels=tuple(
                    replace(k, nonzeros_per_lane=3) if k.nonzeros_per_lane else k
                    for k in plan.kernels
                ),
            ),
        )
    edited = replace(plan, kernels=kernels)
    source = hlsgen.generate(graph, check_plan(graph, edited), tmp_path / "design").source
    assert "zeros are skipped" not in source
    assert_right(HostDesign(tmp_path / "design"))
