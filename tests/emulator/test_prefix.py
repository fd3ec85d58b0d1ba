"""Hybrid designs whose first layers are a pipeline that prepares the next launch: cut, search,
times, text, and runs on the emulator."""

import json
import re
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.host.executor import Executor
from hlsgen.host.runner import run
from hlsgen.model.estimate import estimate
from hlsgen.model.folded_timing import LAUNCHES, folded_run
from hlsgen.model.hybrid_timing import PREFIX_LAUNCHES
from hlsgen.model.pipelined_timing import image_bytes, kernel_times, pipelined_latency
from hlsgen.model.resources import Caps
from hlsgen.model.structure import structure
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.rewrites.prefix import check_between, halves, prefixes, split_after
from hlsgen.rewrites.weight_storage import with_storage
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.explain import explain
from hlsgen.schedule.folded.planner import plan_folded
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.hybrid.co_scheduling import Prefixes, co_scheduled
from hlsgen.schedule.hybrid.partition import EFFICIENCY, layer_cycles, partitions
from hlsgen.schedule.hybrid.planner import with_prefix
from hlsgen.schedule.knobs import parse_pins
from hlsgen.schedule.pipelined.options import OptionCache
from hlsgen.zoo import network
from tests.support.networks import (
    assert_right,
    assert_right_in_both_modes,
    parse,
    random_inputs,
    run_onnxruntime,
    verdict_of,
)

# A stem and pooling; a residual block, whose input the block and the addition read; a map that is
# left over twice.
STEM = """(float[1,3,20,18] x, float[16,3,5,5] a, float[16] ab, float[16,16,3,3] b,
float[16,16,3,3] c, float[40,16,3,3] d,
    float[12,40] f, float[12] fb) => (float[1,12] y) {
    s = Conv<strides=[2,2], pads=[2,2,2,2]>(x, a, ab) r = Relu(s)
    m = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(r)
    t = Conv<pads=[1,1,1,1]>(m, b) u = Relu(t) v = Conv<pads=[1,1,1,1]>(u, c) w = Add(v, m)
    z = Relu(w)
    q = Conv<strides=[2,2], pads=[1,1,1,1]>(z, d) p = GlobalAveragePool(q) l = Flatten(p)
    y = Gemm<transB=1>(l, f, fb) }"""
LAYERS = ["s", "m", "t", "v", "w", "q", "p", "y"]
SEPARABLE = """(float[1,3,12,12] x, float[16,3,3,3] a, float[16,1,3,3] d, float[32,16,1,1] p,
float[32,1,3,3] e, float[16,32,1,1] q)
    => (float[1,16,6,6] y) { s = Conv<strides=[2,2], pads=[1,1,1,1]>(x, a) t = Relu(s)
    b = Conv<group=16, pads=[1,1,1,1]>(t, d) c = Conv(b, p) g = Conv<group=32, pads=[1,1,1,1]>(c,
    e) y = Conv(g, q) }"""


def planned(text, layers, images=1, **options):
    """A network, and its hybrid design with so many layers in the prefix."""
    graph = hlsgen.load_graph(parse(text))
    goal = Goal(images=images, pins={("prefix", "layers"): layers})
    return graph, check_plan(graph, hlsgen.schedule(graph, style="hybrid", goal=goal, **options))


def generated(graph, plan, folder):
    return HostDesign(hlsgen.generate(graph, plan, folder).path)


def test_a_prefix_hands_on_one_tensor():
    graph = hlsgen.load_graph(parse(STEM))
    assert [layer.name for layer in graph.layers] == LAYERS
    # Not after "t" and "v": the addition reads "m" too.
    assert list(prefixes(graph)) == [1, 2, 5, 6, 7]
    prefix, rest = split_after(graph, 5)
    assert [layer.name for layer in prefix.layers] == LAYERS[:5] and [
        layer.name for layer in rest.layers
    ] == LAYERS[5:]
    assert (
        prefix.inputs == graph.inputs
        and rest.outputs == graph.outputs
        and prefix.outputs == rest.inputs
    )
    assert set(prefix.tensors) & set(rest.tensors) == {prefix.outputs[0].tensor}


def test_no_prefix_where_more_is_needed_later():
    """An input that a later layer reads too, and a tensor that is an output of the network."""
    skip = "(float[1,8,6,6] x, float[8,8,3,3] a, float[8,8,3,3] b) => (float[1,8,6,6] y) "
    joined = parse(
        skip + "{ c = Conv<pads=[1,1,1,1]>(x, a) d = Conv<pads=[1,1,1,1]>(c, b) y = Add(d, x) }"
    )
    assert list(prefixes(hlsgen.load_graph(joined))) == []
    shown = (
        "(float[1,8,6,6] x, float[8,8,3,3] a, float[8,8,3,3] b) => (float[1,8,6,6] y, "
        "float[1,8,6,6] c) "
    )
    output = parse(shown + "{ c = Conv<pads=[1,1,1,1]>(x, a) y = Conv<pads=[1,1,1,1]>(c, b) }")
    assert list(prefixes(hlsgen.load_graph(output))) == []


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("layers", "images", "given"), [(1, 1, 3), (2, 1, 2), (2, 3, 7), (5, 2, 4)]
)
def test_right(layers, images, given, tmp_path):
    """Also where the last launch is not full. Launches alternate between two memories, so that
    there are some of each."""
    graph, plan = planned(STEM, layers, images)
    assert [kernel.layer for kernel in plan.kernels] == LAYERS[:layers]
    assert_right_in_both_modes(generated(graph, plan, tmp_path / "d"), images=given)


@pytest.mark.emulator
def test_right_beside_pairs(tmp_path):
    """A prefix, and a depthwise layer after it that streams into its convolution."""
    graph, plan = planned(SEPARABLE, 1, images=2)
    assert any(step.feeder for step in plan.steps)
    assert_right_in_both_modes(generated(graph, plan, tmp_path / "d"), images=5)


@pytest.mark.emulator
def test_right_with_vectors_as_wide_as_the_engines(tmp_path):
    """Channels of the prefix and of the engines then carry the same type."""
    graph = hlsgen.load_graph(parse(STEM))
    pins = {("prefix", "layers"): 2, ("m", "output_width"): 16}
    plan = hlsgen.schedule(graph, style="hybrid", goal=Goal(images=2, pins=pins))
    assert plan.engines.width == plan.edges[-1].width == 16
    assert_right(generated(graph, plan, tmp_path / "d"), images=3)


@pytest.mark.emulator
def test_right_with_several_vectors_at_once(tmp_path):
    """A 1x1 convolution in the prefix, with a kernel of its own that puts its input vectors
    together."""
    graph = hlsgen.load_graph(parse(SEPARABLE))
    pins = {
        ("prefix", "layers"): 3,
        ("c", "vectors_per_cycle"): 3,
        ("c", "input_width"): 4,
        ("c", "output_width"): 4,
    }
    plan = hlsgen.schedule(graph, style="hybrid", goal=Goal(images=2, pins=pins))
    assert plan.kernel("c").vectors_per_cycle == 3
    assert_right_in_both_modes(generated(graph, plan, tmp_path / "d"), images=5)


def test_what_prepares_the_first_batch_is_counted():
    """Otherwise a run of one launch would tell nothing of the prefix's time."""
    executor = SimpleNamespace(
        ahead=["prefix"],
        run=SimpleNamespace(launches=["engines"]),
        write_inputs=lambda inputs: None,
        swap=lambda: None,
        execute=lambda launches, images, timeout: float(len(launches)),
    )
    batches = [{"x": np.zeros(1)}] * 3
    assert list(Executor.batches(executor, batches, [1, 1, 1], 1.0)) == [3.0, 2.0, 1.0]


@pytest.mark.emulator
def test_every_repetition_computes_the_same(tmp_path):
    """Timed runs take a batch several times, prepared anew each time."""
    model = parse(STEM)
    graph, plan = planned(STEM, 2, images=2)
    design, inputs = generated(graph, plan, tmp_path / "d"), random_inputs(model, 4)
    for strict in (False, True):
        found = run(design, inputs, strict=strict, repeat=3)
        assert len(found.image_seconds) == 6
        for index in range(4):
            expected = run_onnxruntime(model, {"x": inputs["x"][index : index + 1]})["y"]
            np.testing.assert_allclose(found.outputs["y"][index], expected[0], rtol=1e-3, atol=1e-4)


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("correct", "wrong", "layer"),
    [
        (
            r"image_data\[(\d+) \+ n \*",
            r"image_data[\1 + 1 + n *",
            "t",
        ),  # the result beside its place
        (r"(void write_output.*?)n < images", r"\1n < images - 1", "t"),  # not for all images
    ],
)
def test_a_broken_prefix_is_found(correct, wrong, layer, tmp_path):
    graph, plan = planned(STEM, 2, images=2)
    design = generated(graph, plan, tmp_path / "d")
    file = design.path / design.manifest.kernels[0]
    text, count = re.subn(correct, wrong, file.read_text(), flags=re.S)
    assert count == 1
    file.write_text(text)
    verdict = verdict_of(design, images=4, timeout=2)  # some of them deadlock
    assert verdict["ok"] is False and verdict.get("first_wrong_layer", layer) == layer


@pytest.mark.emulator
def test_a_host_that_does_not_swap_is_found(tmp_path):
    """Prepared in the memory that the engines do not read, images would be computed a launch
    late."""
    graph, plan = planned(STEM, 2, images=2)
    design, inputs = generated(graph, plan, tmp_path / "d"), random_inputs(parse(STEM), 6)
    right = run(design, inputs, strict=True).outputs["y"]
    np.testing.assert_allclose(right, run(design, inputs).outputs["y"], rtol=1e-4, atol=1e-5)
    manifest = design.path / "design.json"
    data = json.loads(manifest.read_text())
    data["buffers"]["features"]["alternating"] = False
    data["runs"]["concurrent"]["ahead"], late = [], data["runs"]["concurrent"]["ahead"]
    data["runs"]["concurrent"]["launches"] += late
    manifest.write_text(json.dumps(data | {"digest": ""}))
    assert not np.allclose(
        run(HostDesign(design.path), inputs, strict=True).outputs["y"], right, rtol=0.1
    )


def test_time_by_hand():
    """Prefix and engines work at the same time; the longer sets the rate, a launch's images pass
    through both."""
    graph, plan = planned(STEM, 2, images=4)
    target, found = board("pac_d5005"), estimate(graph, plan)
    (prefix, ahead), (rest, after) = halves(graph, plan)
    hertz = found.resources.fmax * 1e6
    times = {item.name: item.cycles for item in kernel_times(prefix, ahead, target)}
    # The stem takes 12 rows and columns at stride 2 with a border; the slowest kernel is at least
    # its input's pixels.
    assert max(times.values()) >= 20 * 18
    stream = (pipelined_latency(prefix, ahead, times) + 3 * max(times.values())) / hertz
    stream += PREFIX_LAUNCHES * target.launch_us * 1e-6
    alone = folded_run(rest, after, target, found.resources.fmax)
    traffic = 4 * image_bytes(prefix, ahead)
    taken = traffic / (
        max(alone.cycles / hertz, stream) + traffic / (target.sustained_bandwidth(3) * 1e9)
    )
    run_of = folded_run(rest, after, target, found.resources.fmax, taken=taken, readers=1)
    assert run_of.cycles >= alone.cycles
    steps = run_of.cycles / hertz + LAUNCHES * target.launch_us * 1e-6
    link = 4 * (3 * 20 * 18 + 12) * 4 / (target.pcie_bandwidth * 1e9)
    assert found.throughput == pytest.approx(4 / max(stream, steps, link))
    assert found.latency == pytest.approx(stream + steps + link)
    assert [item.name for item in found.timing.layers][:2] == LAYERS[:2]


def test_structure_is_that_of_both_parts():
    graph, plan = planned(STEM, 2)
    (prefix, ahead), (rest, after) = halves(graph, plan)
    whole, parts = (
        structure(graph, plan),
        (structure(prefix, ahead), structure(rest, replace(after, style="folded"))),
    )
    assert sorted(k.name for k in whole.kernels) == sorted(
        k.name for part in parts for k in part.kernels
    )
    assert len(whole.fifos) == sum(len(part.fifos) for part in parts)


def test_a_prefix_of_narrow_weights_needs_half_the_memory_blocks():
    """Within so few blocks the dense layers of LeNet-5 find no place in a prefix as float32."""
    graph, target = hlsgen.load_graph(network("lenet5")), board("pac_a10")
    start = hlsgen.schedule(graph, board=target.name, style="folded")
    longest = {}
    for weights in ("float32", "float16"):
        stored, plan = with_storage(graph, weights), replace(start, weights=weights)
        goal = Goal(weights=weights, caps=Caps(blocks=0.32))
        pairs = partitions(stored, target, plan, goal, estimate(stored, plan, board=target))
        longest[weights] = max(pair.count for pair in pairs)
    assert longest["float32"] == 4 and longest["float16"] == len(graph.layers) - 1


@pytest.mark.slow
@pytest.mark.parametrize(("name", "on"), [("resnet18", "pac_a10"), ("mobilenetv1", "pac_d5005")])
def test_the_best_prefix_is_taken(name, on):
    """No other prefix, beside engines of any size, is better by the model; the search planned a
    part of them."""
    graph, target = hlsgen.load_graph(network(name, size=64, width=0.5)), board(on)
    goal = Goal(images=4, pins={("engines", "convolution.inputs"): 2})
    start = plan_folded(graph, target, Plan(graph.name, on, "hybrid", images=4), goal)
    cache = OptionCache()
    found = with_prefix(graph, target, start, goal, cache)
    pipelines = Prefixes(graph, target, goal, start.engines.width, cache)
    pairs = partitions(graph, target, start, goal, estimate(graph, start))
    options = [option for pair in pairs if (option := co_scheduled(start, goal, pair, pipelines))]
    assert len({len(option.plan.kernels) for option in options}) > 5
    best = max(options, key=lambda option: option.predicted.throughput)
    assert best.predicted.throughput > estimate(graph, start).throughput
    assert found.plan == best.plan
    # FIFOs that are deepened last take memory blocks, and these a little of the clock.
    plan = hlsgen.schedule(graph, board=on, style="hybrid", goal=goal)
    assert estimate(graph, plan).throughput == pytest.approx(best.predicted.throughput, rel=0.005)


@pytest.mark.slow
def test_estimates_of_pairs_by_hand():
    """On the engines of the folded design the layers behind a prefix take what they take there;
    half the array takes twice as long where it was the limit; a prefix that needs more multipliers
    than are left sets the pace."""
    graph, target, goal = (
        hlsgen.load_graph(network("resnet18", width=0.5)),
        board("pac_d5005"),
        Goal(images=4),
    )
    start = plan_folded(graph, target, Plan(graph.name, "pac_d5005", "hybrid", images=4), goal)
    found, e = estimate(graph, start), start.engines.of("convolution")
    times, place = found.timing.layers, {layer.name: n for n, layer in enumerate(graph.layers)}
    same, half = (
        layer_cycles(graph, start, found, e.inputs, outputs)
        for outputs in (e.outputs, e.outputs // 2)
    )
    assert e.outputs % 2 == 0 and same.sum() == pytest.approx(sum(item.cycles for item in times))
    bound = [item for item in times if item.bound == "compute"]
    assert bound and all(
        half[place[item.name]] == pytest.approx(2 * item.cycles, rel=0.02) for item in bound
    )
    pairs = {
        (s.count, s.engines[0].of("convolution").inputs, s.engines[0].of("convolution").outputs): s
        for s in partitions(graph, target, start, goal, found)
    }
    macs = [operator(layer.op).work(layer, graph).macs for layer in graph.layers]
    spare = target.available_dsps * goal.caps.dsps - found.resources.dsps
    count, more = len(graph.layers) - 1, e.width**2 * (e.inputs * e.outputs - 1)
    for layers, inputs, outputs, left in (
        (2, e.inputs, e.outputs, spare),
        (count, 1, 1, spare + more),
    ):
        behind = layer_cycles(graph, start, found, inputs, outputs)[layers:].sum()
        expected = max(behind, sum(macs[:layers]) / (EFFICIENCY * left))
        assert pairs[layers, inputs, outputs].cycles == pytest.approx(expected)


@pytest.mark.parametrize("on", ["pac_d5005", "pac_a10"])
def test_a_prefix_never_takes_all_the_bandwidth(on):
    """A prefix that moves much, beside engines with nearly nothing to do."""
    text = """(float[1,16,64,64] x, float[16,16,1,1] a, float[16,16,1,1] b) => (float[1,16,1,1] y) {
        s = Conv(x, a) p = GlobalAveragePool(s) y = Conv(p, b) }"""
    graph = hlsgen.load_graph(parse(text))
    plan = hlsgen.schedule(
        graph, board=on, style="hybrid", goal=Goal(images=2, pins={("prefix", "layers"): 2})
    )
    (prefix, ahead), _ = halves(graph, plan)
    found, most = (
        estimate(graph, plan),
        board(on).sustained_bandwidth(3) * 1e9 / image_bytes(prefix, ahead),
    )
    assert 0 < found.throughput <= most
    assert all(item.cycles > 0 for item in found.timing.layers)


@pytest.mark.emulator
def test_a_prefix_may_end_at_channels_that_fill_no_vector(tmp_path):
    """24 channels in vectors of 8 are not laid out as in the engines' vectors of 16: the prefix's
    result has these too."""
    text = """(float[1,3,32,32] x, float[24,3,3,3] a, float[24] ab, float[32,24,1,1] b,
float[64,32,3,3] c, float[64,64,3,3] d) => (float[1,64,8,8] y) {
        s = Conv<strides=[2,2], pads=[1,1,1,1]>(x, a, ab) r = Sigmoid(s) t = Conv(r, b)
        u = Conv<strides=[2,2], pads=[1,1,1,1]>(t, c)
        y = Conv<pads=[1,1,1,1]>(u, d) }"""
    graph, plan = planned(text, 1, images=2)
    assert plan.engines.width == 16 and plan.kernels[0].output_width == 16
    assert_right(generated(graph, plan, tmp_path / "d"), images=3)
    pins = {("prefix", "layers"): 1, ("s", "output_width"): 8}
    with pytest.raises(PlanError, match="cannot be a pipeline"):
        hlsgen.schedule(graph, style="hybrid", goal=Goal(images=2, pins=pins))


@pytest.mark.slow
def test_smaller_engines_make_room():
    """Where the best engines leave no DSPs, a design with fewer is better than none with a
    prefix."""
    graph, goal = (
        hlsgen.load_graph(network("resnet18", size=64, width=0.5)),
        Goal(images=4, caps=Caps(dsps=0.75)),
    )
    start = plan_folded(
        graph, board("pac_a10"), Plan(graph.name, "pac_a10", "hybrid", images=4), goal
    )
    plan = hlsgen.schedule(graph, board="pac_a10", style="hybrid", goal=goal)
    predicted = estimate(graph, plan)
    e, before = (found.engines.of("convolution") for found in (plan, start))
    assert predicted.resources.fits(board("pac_a10"), goal.caps) and plan.kernels
    assert e.inputs * e.outputs < before.inputs * before.outputs
    assert predicted.throughput > estimate(graph, start).throughput


@pytest.mark.slow
def test_a_large_network_is_hybrid_and_says_why():
    graph = hlsgen.load_graph(network("resnet18"))
    plan = hlsgen.schedule(graph, goal=Goal(images=8))
    assert plan.style == "hybrid" and "are a pipeline that prepares the next launch" in explain(
        graph, plan, estimate(graph, plan)
    )
    predicted = estimate(graph, plan)
    folded = estimate(graph, hlsgen.schedule(graph, style="folded", goal=Goal(images=8)))
    assert predicted.throughput > 1.1 * folded.throughput
    assert predicted.resources.fits(board("pac_d5005"), Goal().caps)


def test_saved_edited_and_loaded(tmp_path):
    graph, plan = planned(STEM, 2, images=2)
    plan.save(tmp_path / "plan.json")
    assert check_plan(graph, Plan.load(tmp_path / "plan.json")) == plan
    first, second = plan.kernels
    for wrong, why in (
        (replace(plan, kernels=(second, first)), "first layers"),
        (replace(plan, kernels=(first,)), "channels are not those"),
        (replace(plan, disabled=("unroll",)), "needs all optimisations"),
        (replace(plan, kernels=(), edges=()), "do not cover"),
    ):
        with pytest.raises(PlanError, match=why):
            check_plan(graph, wrong)


def test_vectors_must_lie_as_the_engines_read_them():
    graph, plan = planned(STEM, 2)
    _, (rest, _) = halves(graph, plan)
    for width, lanes, fits in ((16, 16, True), (4, 16, True), (16, 8, False), (8, 16, True)):
        edges = tuple(replace(edge, width=width) for edge in plan.edges)
        changed = replace(plan, edges=edges, engines=replace(plan.engines, width=lanes))
        if fits:
            check_between(rest, changed)
        else:
            with pytest.raises(PlanError, match="laid out"):
                check_between(rest, changed)


def test_pins():
    assert parse_pins(["prefix.layers=2"]) == {("prefix", "layers"): 2}
    with pytest.raises(PlanError, match="fields of prefix: layers"):
        parse_pins(["prefix.width=2"])
    graph = hlsgen.load_graph(parse(STEM))
    for impossible in (3, 8):
        with pytest.raises(PlanError, match="cannot be a pipeline"):
            hlsgen.schedule(
                graph, style="hybrid", goal=Goal(pins={("prefix", "layers"): impossible})
            )


@pytest.mark.emulator
def test_layers_named_like_the_engines_channels(tmp_path):
    """Names of the prefix's kernels and channels and those of the engines share one text."""
    text = STEM.replace(" s = Conv", " convolution = Conv").replace("Relu(s)", "Relu(convolution)")
    graph, plan = planned(text, 2)
    design = generated(graph, plan, tmp_path / "d")
    assert design.manifest.layers[0].name == "convolution"
    assert_right(design)


def test_all_pairs_of_cuts_are_nested():
    graph = hlsgen.load_graph(parse(STEM))
    for one, two in combinations(prefixes(graph), 2):
        assert set(split_after(graph, one)[0].tensors) < set(split_after(graph, two)[0].tensors)
