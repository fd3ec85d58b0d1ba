"""Kernels of pipelined designs whose weights stream from memory, row tile by row tile: right on the
emulator, as long as the model says, counted as they are generated, chosen where weights do not fit
on chip."""

import re
from dataclasses import replace

import numpy as np
import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.kernel.hardware import COLLECTED_FIFO, KERNEL_LATENCY, STREAMED_FIFO
from hlsgen.model.estimate import estimate
from hlsgen.model.pipelined_timing import image_bytes, streamed_bytes
from hlsgen.model.resources import Caps
from hlsgen.model.simulate import simulate
from hlsgen.model.structure import structure
from hlsgen.model.weight_banks import bank_bandwidth
from hlsgen.ops import operator, streamed
from hlsgen.plan import KernelPlan
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.explain import explain
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.buffering import buffering
from hlsgen.schedule.pipelined.choices import Choice, tensor_classes
from hlsgen.schedule.pipelined.fifo import MARGIN
from hlsgen.schedule.pipelined.planner import complete
from hlsgen.schedule.scheduler import schedule
from hlsgen.zoo import network
from tests.schedule.test_structure import global_accesses, kernels_of
from tests.support.networks import assert_right, assert_right_in_both_modes, parse
from tests.support.plans import pipeline

# Padded, strided and 1x1 convolutions; branches; pooling; a fully connected layer.
NETWORK = """(float[1,8,12,10] x, float[24,8,3,3] k, float[40,24,3,3] a, float[40] ab,
float[48,40,1,1] b, float[32,48,3,3] c, float[32,48,1,1] d,
float[10,192] e, float[10] eb) => (float[1,10] y) { v = Conv<pads=[1,1,1,1]>(x, k)
p = Conv<pads=[1,1,1,1]>(v, a, ab) q = Relu(p) r = Conv(q, b)
s = Conv<pads=[1,1,1,1], strides=[2,2]>(r, c) t = Conv<strides=[2,2]>(r, d) u = Add(s, t)
m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(u)
f = Flatten(m) y = Gemm<transB=1>(f, e, eb) }"""

# Dilated and even windows, pads on some sides alone and wider than a row tile, rows that no window
# sees, few channels that fill no vector.
WINDOWS = """(float[1,5,11,9] x, float[20,5,3,3] a, float[20] ab, float[16,20,2,3] b,
float[16,16,4,1] c, float[33,16,3,2] d) => (float[1,33,2,4] y) {
p = Conv<pads=[2,2,2,2], dilations=[2,2]>(x, a, ab) q = Relu(p)
r = Conv<pads=[0,1,0,1], strides=[2,1]>(q, b) s = Conv<pads=[3,0,0,0]>(r, c)
y = Conv<strides=[2,2]>(s, d) }"""

CASES = [
    (NETWORK, {"p": 3, "r": 4, "s": 2, "t": 2, "y": 1}, 8, {"p": 2, "r": 3}),
    (NETWORK, {"p": 1, "r": 1, "s": 1, "t": 1, "y": 1}, 4, {"p": 4, "r": 5, "s": 3}),
    (NETWORK, {"p": 12, "r": 12, "s": 3, "t": 3}, 4, {}),
    (NETWORK, {"p": 4, "r": 2, "s": 1, "t": 1, "y": 1}, 16, {}),
    (WINDOWS, {"p": 11, "r": 5, "s": 5, "y": 2}, 2, {}),
    (WINDOWS, {"p": 1, "r": 1, "s": 1, "y": 1}, 4, {"p": 2, "r": 2, "s": 2}),
    (WINDOWS, {"p": 11, "r": 1, "s": 5}, 1, {}),
]


def planned(text, row_tiles, width, vectors_per_cycle, plan=None):
    """A plan with vectors of `width` channels and so many row tiles."""
    graph = hlsgen.load_graph(parse(text))
    plan = plan or pipeline(graph)
    choice = Choice(
        dict.fromkeys(graph.tensors, width),
        frozenset(),
        vectors_per_cycle=vectors_per_cycle,
        row_tiles=row_tiles,
    )
    return graph, check_plan(graph, complete(graph, plan, tensor_classes(graph), choice))


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("case", "strict"),
    [*((case, False) for case in CASES), (CASES[0], True), (CASES[3], True), (CASES[4], True)],
)
def test_right_on_the_emulator(case, strict, tmp_path):
    graph, plan = planned(*case)
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    assert len(re.findall(r"__kernel void \w+_filters\(", design.source)) == len(case[1])
    assert_right(HostDesign(design.path), images=3, strict=strict)


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("const bool", "const bool"),
        (r"row >= 0 && row < 12", "row >= 0 && row < 11"),  # a row too few
        (r"lap \+= 6;", "lap += 5;"),  # rows in the wrong places
        (
            r"turn < (\d+)\)\) \{ // meanwhile",
            r"turn < \1 - 15)) { // meanwhile",
        ),  # a filter word too few
        (r"leaving \? from \* (\d+) \+ at", "leaving ? at"),  # results of the first output vector
        (r"filters\[1728 \+ i\]", "filters[i]"),  # another layer's weights
        (r"in.lane\[lane\] \*", "in.lane[0] *"),
    ],
)
def test_a_wrong_kernel_is_found(right, wrong, tmp_path):
    graph, plan = planned(*CASES[0])
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    path = next((design.path / "kernels").glob("*.cl"))
    text, count = re.subn(right, wrong, path.read_text())
    assert count
    path.write_text(text)
    if right == wrong:  # what this test does to the text does no harm by itself
        assert_right(HostDesign(design.path))
        return
    with pytest.raises(Exception):  # noqa: B017 a wrong result, or kernels that wait for each other
        assert_right(HostDesign(design.path), timeout=2.0)


def test_turns_by_hand():
    """Of p: 12 rows of 10 pixels and 24 channels in, 40 channels out, 3x3, in row tiles of 4 rows;
    8 lanes, two input vectors at once."""
    graph, plan = planned(*CASES[0])
    layer, kernel, op = graph.layer("p"), plan.kernel("p"), operator("conv")
    words, outs, pixels, loads = 2, 5, 4 * 10, 16
    fill, row_tile = (
        120 * words,
        loads + words * 9 * outs * pixels + pixels * outs + 2 * KERNEL_LATENCY,
    )
    assert op.pipelined_turns(layer, graph, kernel) == fill + 3 * row_tile
    assert (
        op.pipelined_cycles(layer, graph, kernel) == fill + 3 * row_tile + 120
    )  # the third vector of every pixel comes alone
    assert op.pipelined_arithmetic(layer, graph, kernel).multiply_adds == 128
    assert op.reduction(layer, graph, kernel) == (words * 9, outs * pixels)
    # 4 + 2 rows of 10 pixels, two words of 16 values; the filter word in use and the next one;
    # sums.
    body = {m.name: m for m in op.pipelined_body(layer, graph, kernel).memories}
    assert (body["map"].depth, body["map"].parts, body["map"].bits) == (6 * 10 * words, 2, 8 * 32)
    for name in ("filter", "next"):
        assert body[name].registers and (body[name].parts, body[name].bits) == (16, 8 * 32)
    assert (body["sums"].depth, body["sums"].bits) == (outs * pixels, 8 * 32)
    assert "weights" not in body and "line" not in body
    # All weights, padded to two words of 16 channels, for every row tile.
    assert op.streamed_values(layer, graph, kernel) == 3 * words * 16 * 9 * outs * 8
    assert streamed.row_tiles(layer, graph, kernel).arrived == (5, 9, 12)
    assert list(np.unique(op.needed_pixels(layer, graph, kernel))) == [50, 90, 120]
    # The fully connected layer takes a lane of its input a turn.
    layer, kernel = graph.layer("y"), plan.kernel("y")
    assert operator("dense").pipelined_turns(layer, graph, kernel) == 192 * 2
    assert operator("dense").pipelined_arithmetic(layer, graph, kernel).multiply_adds == 8
    assert operator("dense").streamed_values(layer, graph, kernel) == 192 * 16


@pytest.mark.parametrize("case", CASES)
def test_simulator_and_model_agree(case):
    graph, plan = planned(*case)
    found = simulate(graph, plan, 4, depths={i: 4000 for i in range(len(plan.edges))})
    assert found.interval == pytest.approx(estimate(graph, plan).timing.cycles, rel=0.02)


@pytest.mark.parametrize("case", CASES)
def test_least_depths_cannot_deadlock(case):
    graph, plan = planned(*case)
    assert not simulate(graph, plan, 3).deadlocked


def test_a_branch_waits_for_a_strip():
    """What goes past a kernel that works in row tiles has to wait for one; with less room all stop
    for ever."""
    text = """(float[1,8,8,8] x, float[8,8,3,3] a, float[8,8,3,3] b) => (float[1,8,8,8] y) {
        p = Conv<pads=[1,1,1,1]>(x, a) q = Conv<pads=[1,1,1,1]>(p, b) y = Add(q, p) }"""
    for count, rows in ((1, 8), (2, 5), (4, 4)):
        graph, plan = planned(text, {"q": count}, 8, {})
        index = next(
            i
            for i, edge in enumerate(plan.edges)
            if edge.consumer == "y" and edge.tensor == graph.layer("p").output
        )
        assert plan.edges[index].depth == rows * 8 + MARGIN
        # What leaves the kernel row tile by row tile finds the other input there.
        late = next(e for e in plan.edges if e.consumer == "y" and e.tensor == "t_q")
        assert late.depth == MARGIN
        assert not simulate(graph, plan, 3).deadlocked
        assert simulate(graph, plan, 3, depths={index: (rows - 2) * 8}).deadlocked


def test_counted_as_generated(tmp_path):
    """Load-store units, channels and kernels of the text against the model's."""
    graph, plan = planned(*CASES[0])
    source = hlsgen.generate(graph, plan, tmp_path / "design").source
    design, texts = structure(graph, plan), kernels_of(source)
    assert len(design.kernels) == len(texts)
    for kernel in design.kernels:
        assert global_accesses(texts[kernel.name]) == len(kernel.lsus), kernel.name
        assert kernel.autorun == (f"STREAMING_KERNEL\n__kernel void {kernel.name}(" in source), (
            kernel.name
        )
    declared = re.findall(
        r"^channel float8 \w+_streamed __attribute__\(\(depth\(STREAM_DEPTH\((\d+), (\d+)\)\)\)\);",
        source,
        re.M,
    )
    assert [int(depth) for depth, _ in declared] == [STREAMED_FIFO] * 5
    assert sum(fifo.name.endswith(" streamed") for fifo in design.fifos) == 5
    assert sum(int(count) for _, count in declared) * 8 * 4 == streamed_bytes(graph, plan)
    assert estimate(graph, plan).timing.bytes == streamed_bytes(graph, plan) + image_bytes(
        graph, plan
    )
    sizes = {
        "map": r" map\[(\d+)\]",
        "sums": r" sums\[(\d+)\]",
        "filter": r" filter\[(\d+)\] REGISTERS, next",
    }
    for name in "prst":
        body = {
            m.name: m.depth
            for m in operator("conv")
            .pipelined_body(graph.layer(name), graph, plan.kernel(name))
            .memories
        }
        for memory in ("map", "sums"):
            assert int(re.search(sizes[memory], texts[name]).group(1)) == body[memory], (
                name,
                memory,
            )
        lanes = int(re.search(sizes["filter"], texts[name]).group(1)) * 8
        kernel = plan.kernel(name)
        units = operator("conv").pipelined_arithmetic(graph.layer(name), graph, kernel)
        assert lanes == units.multiply_adds


@pytest.mark.emulator
@pytest.mark.parametrize(("copies", "strict"), [(2, True), (3, False)])
def test_copies_share_what_is_read(copies, strict, tmp_path):
    graph = hlsgen.load_graph(parse(NETWORK))
    graph, plan = planned(*CASES[0], plan=pipeline(graph, copies=copies))
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    assert "p_streamed[copy]" in design.source
    assert_right(HostDesign(design.path), images=5, strict=strict)
    single = replace(plan, copies=1)
    assert streamed_bytes(graph, plan) * copies == streamed_bytes(graph, single)


@pytest.mark.emulator
def test_right_in_prefix_of_engines(tmp_path):
    graph = hlsgen.load_graph(parse(NETWORK))
    plan = schedule(
        graph,
        "pac_d5005",
        "hybrid",
        goal=Goal(images=2, pins={("prefix", "layers"): 3, ("p", "row_tiles"): 3}),
    )
    assert [kernel.row_tiles for kernel in plan.kernels] == [0, 3, 0]
    prefix = estimate(graph, plan).timing.bytes
    assert prefix > streamed_bytes(graph, plan) > 0
    assert_right_in_both_modes(
        HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path), images=5
    )


@pytest.mark.emulator
@pytest.mark.parametrize("disable", ["autorun", "concurrent_queues"])
def test_right_where_the_host_launches_the_kernels(disable, tmp_path):
    graph = hlsgen.load_graph(parse(NETWORK))
    graph, plan = planned(*CASES[0], plan=pipeline(graph, disabled=(disable,)))
    assert_right(
        HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path),
        images=2,
        strict=disable == "autorun",
    )


def test_pins_and_edited_plans():
    graph = hlsgen.load_graph(parse(NETWORK))
    pins = {("p", "row_tiles"): 4, ("r", "row_tiles"): 0, ("y", "row_tiles"): 1}
    plan = schedule(graph, "pac_d5005", "pipelined", goal=Goal(pins=pins))
    assert all(plan.kernel(layer).row_tiles == value for (layer, _), value in pins.items())
    with pytest.raises(PlanError, match="cannot be built so"):
        schedule(graph, "pac_d5005", "pipelined", goal=Goal(pins={("p", "row_tiles"): 5}))
    graph, plan = planned(*CASES[0])
    for layer, wrong in (
        ("p", 5),
        ("y", 2),
        ("u", 1),
        ("s", 6),
    ):  # no whole rows, a fully connected layer, an addition, filter words too long
        kernels = tuple(
            replace(k, row_tiles=wrong) if k.layer == layer else k for k in plan.kernels
        )
        with pytest.raises(PlanError, match="row_tiles"):
            check_plan(graph, replace(plan, kernels=kernels))
    for name in ("fuse", "cached_writes"):
        with pytest.raises(PlanError, match="row tiles need"):
            check_plan(graph, replace(plan, disabled=(name,)))


def test_grouped_convolutions_keep_their_weights():
    graph = hlsgen.load_graph(
        parse(
            "(float[1,16,4,4] x, float[16,8,3,3] w) => (float[1,16,2,2] y) { y = "
            "Conv<group=2>(x, w) }"
        )
    )
    assert operator("conv").row_tile_options(graph.layers[0], graph, KernelPlan("y", 8, 8)) == (0,)


@pytest.mark.slow
def test_chosen_where_weights_do_not_fit():
    """ResNet-18 has twice the weights that may be on chip: some stay there, the others stream, as
    fast as memory can."""
    graph, target = hlsgen.load_graph(network("resnet18", size=64)), board("pac_d5005")
    plan = schedule(graph, "pac_d5005")
    found = estimate(graph, plan)
    assert plan.style == "pipelined"
    assert 0 < sum(kernel.row_tiles > 0 for kernel in plan.kernels) < len(plan.kernels) / 2
    assert found.resources.fits(target, Caps())
    each = bank_bandwidth(target, 1, plan.weight_readers, found.resources.fmax)
    weights = streamed_bytes(graph, plan) * found.throughput
    assert 0 < weights <= plan.weight_readers * each * 1.001
    assert "read weights from memory anew" in explain(graph, plan, found)
    with pytest.raises(PlanError, match="memory blocks"):
        schedule(
            graph,
            "pac_d5005",
            "pipelined",
            goal=Goal(pins={(layer.name, "row_tiles"): 0 for layer in graph.layers}),
        )


def test_bursts_by_hand():
    """What waits where branches join, and which layers may work in row tiles side by side."""
    text = """(float[1,8,6,6] x, float[8,8,3,3] a, float[8,8,3,3] b, float[8,1,3,3] c,
float[4,8,1,1] d) => (float[1,4,6,6] y) {
        p = Conv<pads=[1,1,1,1]>(x, a) r = Relu(p) q = Conv<pads=[1,1,1,1]>(r, b) s = Add(q, r)
        t = Conv<group=8, pads=[1,1,1,1]>(s, c) y = Conv(t, d) }"""
    graph = hlsgen.load_graph(parse(text))
    found = buffering(graph)
    assert found.waiting == {"p": 0, "q": 36 * 8 * 32, "s": 0, "t": 0, "y": 0}
    assert found.sides["y"] == (36 * 8 * 32, 36 * 4 * 32)
    assert found.links == (("", "p"), ("p", "q"), ("q", ""), ("", "y"))


@pytest.mark.emulator
@pytest.mark.parametrize("seed", range(6))
def test_random_windows_are_right(seed, tmp_path):
    """Any window, stride, dilation and pads; any widths, numbers of row tiles and of vectors at
    once that are possible."""
    random, found = np.random.default_rng(seed), []
    while not found:
        channels, filters = (int(n) for n in random.integers(1, 30, 2))
        height, width = (int(n) for n in random.integers(3, 13, 2))
        kernel, stride, dilation = (
            [int(n) for n in random.integers(1, most, 2)] for most in (5, 4, 3)
        )
        pads = [int(n) for n in random.integers(0, 4, 4)]
        sizes = [
            length + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilation[i]
            for i, length in enumerate((height, width))
        ]
        if min(sizes) < 1:
            continue
        rows, columns = ((size - 1) // stride[i] + 1 for i, size in enumerate(sizes))
        text = f"""(float[1,{channels},{height},{width}] x,
float[{filters},{channels},{kernel[0]},{kernel[1]}] w, float[{filters}] b)
        => (float[1,{filters},{rows},{columns}] y) {{ c = Conv<strides={stride},
        dilations={dilation}, pads={pads}>(x, w, b) y = Relu(c) }}"""
        graph = hlsgen.load_graph(parse(text, seed=seed))
        found = [
            replace(trial, vectors_per_cycle=count)
            for widths in ((1, 4), (2, 8), (4, 4), (8, 2), (4, 16))
            for n in range(1, rows + 1)
            for trial in [KernelPlan("c", *widths, row_tiles=n)]
            for count in operator("conv").vectors_per_cycle_options(graph.layers[0], graph, trial)
            if n
            in operator("conv").row_tile_options(
                graph.layers[0], graph, replace(trial, vectors_per_cycle=count)
            )
        ]
    kernel = found[random.integers(len(found))]
    layer = graph.layers[0]
    widths = {layer.inputs[0]: kernel.input_width, layer.output: kernel.output_width}
    choice = Choice(
        widths,
        frozenset(),
        vectors_per_cycle={layer.name: kernel.vectors_per_cycle},
        row_tiles={layer.name: kernel.row_tiles},
    )
    plan = complete(graph, pipeline(graph), tensor_classes(graph), choice)
    design = hlsgen.generate(graph, check_plan(graph, plan), tmp_path / "design")
    assert_right(HostDesign(design.path), images=2)
    deep = simulate(graph, plan, 3, depths={i: 4000 for i in range(len(plan.edges))})
    # Of words that are put together some are ready when a row tile begins; the model reckons with
    # none.
    ready = (
        kernel.row_tiles * (COLLECTED_FIFO * kernel.vectors_per_cycle + KERNEL_LATENCY)
        if kernel.vectors_per_cycle > 1
        else 0
    )
    cycles = estimate(graph, plan).timing.cycles
    assert 0.98 * cycles - ready <= deep.interval <= 1.02 * cycles


def test_words_leave_something_to_add_up():
    """A 1x1 convolution of two input vectors in row tiles: a word of both would be all there is."""
    graph = hlsgen.load_graph(
        parse("""(float[1,16,12,12] x, float[24,16,1,1] v) => (float[1,24,12,12] y)
        { y = Conv(x, v) }""")
    )
    kernel = KernelPlan("y", 8, 4, row_tiles=3)
    layer = graph.layer("y")
    assert operator("conv").vectors_per_cycle_options(layer, graph, kernel) == (1,)
    pins = {("y", "row_tiles"): 3, ("y", "input_width"): 8}
    plan = schedule(graph, style="pipelined", goal=Goal(pins=pins))
    assert plan.kernel("y").vectors_per_cycle == 1
    with pytest.raises(PlanError, match="vectors_per_cycle 2 is not one of"):
        check_plan(graph, replace(plan, kernels=(replace(kernel, vectors_per_cycle=2),)))
