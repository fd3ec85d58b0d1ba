"""Plans: legal, within the board, explicit, and honest about cost."""

import itertools
import json
from dataclasses import astuple, replace

import numpy as np
import pytest

import hlsgen
from hlsgen.boards import board, boards
from hlsgen.descriptors import step_fields
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.host.layout import unfold_columns
from hlsgen.kernel.memory import memory_blocks
from hlsgen.model.estimate import estimate
from hlsgen.model.resources import Caps
from hlsgen.ops import operator
from hlsgen.ops.window import Window
from hlsgen.placement import place_tensors
from hlsgen.plan import KernelPlan, Plan
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.rewrites.im2col import unfold
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.explain import explain
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.knobs import parse_pins
from hlsgen.schedule.pipelined.choices import Choice, partial_sums, tensor_classes
from hlsgen.schedule.pipelined.fifo import MARGIN, depth, pixel_times
from hlsgen.schedule.pipelined.options import Option, undominated
from hlsgen.schedule.pipelined.planner import complete
from hlsgen.zoo import network
from tests.support.networks import assert_right, parse
from tests.support.plans import resized, zoo_graph, zoo_plan

RESIDUAL = """(float[1,4,8,8] x, float[4,4,3,3] a, float[4,4,3,3] b) => (float[1,4,8,8] y) {
s = Conv<pads=[1,1,1,1]>(x, a) r = Relu(s) t = Conv<pads=[1,1,1,1]>(r, b) y = Add(t, x) }"""


SMALL = {"size": 64, "width": 0.5}


@pytest.fixture(scope="module")
def lenet():
    return zoo_graph("lenet5")


@pytest.fixture(scope="module")
def mobilenet():
    return zoo_graph("mobilenetv1", **SMALL)


@pytest.mark.slow
def test_auto_chooses_by_size(lenet):
    assert hlsgen.schedule(lenet, board="pac_d5005").style == "pipelined"
    graph = hlsgen.load_graph(network("resnet18", size=32, width=0.5))
    plan = hlsgen.schedule(graph, board="pac_a10")
    assert plan.style == "hybrid" and "may be used" in explain(graph, plan, estimate(graph, plan))
    goal = Goal(objective="resources", fps=100)  # a prefix takes more of them
    assert (
        hlsgen.schedule(
            hlsgen.load_graph(network("resnet18", size=64)), board="pac_a10", goal=goal
        ).style
        == "folded"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", boards())
@pytest.mark.parametrize("style", ["pipelined", "folded"])
def test_plans_fit_their_board(name, style):
    target = board(name)
    for zoo, size in (("lenet5", {}), ("mobilenetv1", {"size": 64, "width": 0.25})):
        try:
            graph, plan = zoo_plan(zoo, style, name, **size)
        except PlanError as error:
            assert "may be used" in str(error)
            continue
        resources = estimate(graph, plan).resources
        assert resources.fits(target, Caps())
        if style == "pipelined":
            kernels = [(graph.layer(k.layer), k) for k in plan.kernels]
            macs = sum(
                operator(a.op).pipelined_arithmetic(a, graph, k).multiply_adds for a, k in kernels
            )
        else:
            macs = plan.engines.width**2 * plan.engines.of("convolution").outputs
        assert resources.dsps >= macs * target.device.multiply_add_dsps > 0
        check_plan(graph, plan)


@pytest.mark.slow
def test_more_dsps_mean_more_images_a_second():
    boards = ("de5_net", "pac_a10", "pac_d5005")
    rates = [
        estimate(*zoo_plan("mobilenetv1", "folded", name, **SMALL)).throughput for name in boards
    ]
    assert rates[0] < rates[1] < rates[2]


@pytest.mark.parametrize("style", ["base", "pipelined", "folded"])
def test_plan_survives_json(style, lenet, tmp_path):
    plan = hlsgen.schedule(lenet, style=style, disable=["autorun"])
    plan.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan
    assert json.loads((tmp_path / "plan.json").read_text())["style"] == style


@pytest.mark.slow
def test_scheduling_is_deterministic():
    """From scratch: nothing that was found of one graph is known of the other."""
    one, other = (hlsgen.load_graph(network("mobilenetv1", size=32, width=0.25)) for _ in range(2))
    assert hlsgen.schedule(one) == hlsgen.schedule(other)


def edited(plan, layer, **changes):
    return replace(
        plan, kernels=tuple(replace(k, **changes) if k.layer == layer else k for k in plan.kernels)
    )


def test_edited_plans_are_checked(lenet):
    _, plan = zoo_plan("lenet5", "pipelined")
    with pytest.raises(PlanError, match="neighbour"):
        check_plan(lenet, edited(plan, "conv2", input_width=1))
    with pytest.raises(PlanError, match="must be equal"):
        check_plan(lenet, edited(plan, "pool1", output_width=1))
    with pytest.raises(PlanError, match="not one of"):
        check_plan(lenet, edited(plan, "conv2", output_width=5))
    with pytest.raises(PlanError, match="power of two"):
        check_plan(lenet, edited(plan, "fc1", partial_sums=3))
    with pytest.raises(PlanError, match="no such layer"):
        check_plan(lenet, replace(plan, kernels=(*plan.kernels, KernelPlan("ghost"))))
    _, folded = zoo_plan("lenet5", "folded")
    with pytest.raises(PlanError, match="tile"):
        check_plan(lenet, replace(folded, engines=resized(folded.engines, tile_vectors=16)))


def test_window_sizes_follow_onnx():
    window = Window((3, 3), (2, 2), (1, 1), (1, 1, 1, 1))
    assert window.output_size(224, 224) == (112, 112)
    assert Window((3, 3), dilation=(2, 2)).extent == (5, 5)


def test_fifo_round_a_residual_holds_the_lag():
    """Two padded 3x3 convolutions lag two rows and two pixels, plus the pixel that the join takes
    itself."""
    graph = hlsgen.load_graph(parse(RESIDUAL))
    add, source = graph.layers[-1], graph.inputs[0].tensor
    assert depth(source, add.name, 1, 4, graph, pixel_times(graph)) == 2 * 8 + 2 + 1 + MARGIN
    assert depth(source, add.name, 1, 1, graph, pixel_times(graph)) == 4 * (2 * 8 + 2 + 1) + MARGIN


@pytest.mark.parametrize(
    ("steps", "interleaved", "expected"),
    [(1, 1, 1), (100, 8, 1), (100, 3, 4), (100, 1, 8), (2, 1, 2)],
)
def test_partial_sums_cover_the_adders_latency(steps, interleaved, expected):
    assert partial_sums(steps, interleaved) == expected


def test_pipelined_cycles_closed_form():
    graph = hlsgen.load_graph(
        parse("(float[1,8,10,10] x, float[16,8,3,3] w) => (float[1,16,8,8] y) { y = Conv(x, w) }")
    )
    layer = graph.layers[0]
    kernel = KernelPlan(layer.name, 4, 2, True, 1)
    # 36 positions without an output x 2 input vectors, and 64 outputs x 2 input vectors x 8 output
    # vectors.
    assert operator("conv").pipelined_cycles(layer, graph, kernel) == 36 * 2 + 64 * 2 * 8
    assert operator("conv").pipelined_arithmetic(layer, graph, kernel).multiply_adds == 9 * 4 * 2
    assert operator("conv").work(layer, graph).macs == 64 * 16 * 8 * 9


def test_folded_work_is_covered(mobilenet):
    """Utilisation is what it is: more than nothing, at most 1."""
    _, plan = zoo_plan("mobilenetv1", "folded", **SMALL)
    times = estimate(mobilenet, plan).timing.layers
    assert len(times) == len(plan.steps)
    for step, time in zip(plan.steps, times, strict=True):
        if step.engine == "convolution":
            assert 0 < time.ideal_cycles <= time.cycles and time.utilisation <= 1


@pytest.mark.parametrize(
    ("rows", "bits", "expected"),
    [(512, 40, 1), (512, 512, 13), (1024, 32, 2), (16384, 1, 1), (8, 512, 0), (2048, 32, 4)],
)
def test_m20k_rule(rows, bits, expected):
    assert memory_blocks(rows, bits, board("pac_a10").device.block_bits) == expected


def test_concatenation_is_written_in_place():
    graph = hlsgen.load_graph(network("squeezenet", size=64))
    placement = place_tensors(graph, 16)
    assert not placement.copies
    joined = next(layer for layer in graph.layers if layer.op == "concat")
    places = [placement.locations[name] for name in (*joined.inputs, joined.output)]
    assert places[0].base == places[2].base and places[1].base == places[2].base + 4
    assert {place.stride for place in places} == {8}


def test_tensors_do_not_overlap(mobilenet):
    placement = place_tensors(mobilenet, 8)
    used = np.zeros(placement.size, int)
    for name, place in placement.locations.items():
        tensor = mobilenet.tensors[name]
        used[place.base : place.base + tensor.pixels * place.stride] += 1
    assert (used == 1).all()


@pytest.mark.slow
def test_a_stem_is_unfolded_where_that_saves_steps():
    graph = hlsgen.load_graph(network("resnet18", size=64))
    plan = hlsgen.schedule(graph, style="folded")
    assert plan.im2col == ("conv1",)
    shaped = reshaped(graph, plan)
    layer = shaped.layer("conv1")
    assert layer.attributes.window.kernel == (7, 1) and shaped.tensors[layer.inputs[0]].shape == (
        21,
        64,
        32,
    )
    # ceil(7 * 2 / inputs) words of taps for each pixel in place of ceil(49 / inputs).
    fields = step_fields(shaped, plan.steps[0], plan.engines, place_tensors(shaped, 16))
    assert fields["window_taps"] == 14 and fields["taps"] == -(
        -14 // plan.engines.of("convolution").inputs
    )
    with pytest.raises(PlanError, match="network input"):
        unfold(graph, ["stage1_block1_conv1"])


def test_unfolded_convolution_is_the_same():
    """Unfolding columns and filters by hand gives the convolution itself, borders and strides
    included."""
    model = parse(
        "(float[1,3,9,11] x, float[4,3,3,5] w) => (float[1,4,5,5] y) { y = "
        "Conv<strides=[2,3], pads=[1,2,1,3], dilations=[1,1]>(x, w) }"
    )
    graph = hlsgen.load_graph(model)
    shaped = unfold(graph, ["y"])
    image = np.random.default_rng(0).standard_normal((1, 3, 9, 11)).astype(np.float32)
    columns = unfold_columns(image, list(astuple(shaped.inputs[0].columns)))
    conv = operator("conv")
    expected = conv.reference(graph.layers[0], [image[0]])
    np.testing.assert_allclose(conv.reference(shaped.layers[0], [columns[0]]), expected, rtol=1e-12)


def test_pins_are_obeyed(lenet):
    pins = parse_pins(["conv2.unroll_oc=4", "fc1.unroll_oc=2"])
    plan = hlsgen.schedule(lenet, style="pipelined", goal=Goal(pins=pins))
    assert plan.kernel("conv2").output_width == 4 and plan.kernel("fc1").output_width == 2
    folded = hlsgen.schedule(
        lenet, style="folded", goal=Goal(pins=parse_pins(["engines.convolution.outputs=2"]))
    )
    assert folded.engines.of("convolution").outputs == 2


def test_objectives(lenet):
    """Throughput is fastest, resources is cheapest and still fast enough, latency is at least as
    early."""
    plans = {
        "throughput": zoo_plan("lenet5", "pipelined")[1],
        "resources": hlsgen.schedule(lenet, style="pipelined", goal=Goal("resources", fps=20000)),
        "latency": hlsgen.schedule(lenet, style="pipelined", goal=Goal("latency")),
    }
    found = {name: estimate(lenet, plan) for name, plan in plans.items()}
    assert found["throughput"].throughput > found["resources"].throughput >= 20000
    assert found["resources"].resources.dsps < found["throughput"].resources.dsps
    assert found["latency"].latency <= found["throughput"].latency
    with pytest.raises(PlanError, match="--fps"):
        hlsgen.schedule(lenet, goal=Goal("resources"))


def test_the_search_is_optimal(lenet):
    """Against an exhaustive walk over all widths, windows and words: no choice within the caps has
    a faster slowest kernel."""
    graph = hlsgen.load_graph(parse("""(float[1,4,8,8] x, float[8,4,3,3] a, float[8,8,1,1] b) =>
(float[1,8,6,6] y) {
        s = Conv(x, a) y = Conv(s, b) }"""))  # fmt: skip
    target = board("de5_net")
    best = estimate(graph, hlsgen.schedule(graph, board="de5_net", style="pipelined")).timing.cycles
    classes, plan = tensor_classes(graph), Plan(graph.name, "de5_net", "pipelined")
    walked = []
    for widths in itertools.product((1, 2, 4, 8), repeat=3):
        for windows in itertools.product((False, True), repeat=2):
            layers = [a.name for a, on in zip(graph.layers, windows, strict=True) if on]
            last = KernelPlan("y", *widths[1:], unroll_window="y" in layers)
            for vectors_per_cycle in operator("conv").vectors_per_cycle_options(
                graph.layer("y"), graph, last
            ):
                named = dict(zip(dict.fromkeys(classes.values()), widths, strict=True))
                choice = Choice(
                    named, frozenset(layers), vectors_per_cycle={"y": vectors_per_cycle}
                )
                found = estimate(graph, complete(graph, plan, classes, choice))
                if found.resources.fits(target, Caps()):
                    walked.append((found.timing.cycles, vectors_per_cycle))
    assert best == min(walked)[0] and any(vectors_per_cycle > 1 for _, vectors_per_cycle in walked)


def test_options_that_others_beat_are_left_out():
    kernels = [KernelPlan("y", 4, 4, vectors_per_cycle=n) for n in range(1, 6)]
    figures = [(10, (1, 1, 1)), (10, (1, 2, 1)), (5, (2, 1, 1)), (4, (2, 1, 1)), (12, (1, 1, 0))]
    options = [
        Option(kernel, cycles, cost)
        for kernel, (cycles, cost) in zip(kernels, figures, strict=True)
    ]
    assert sorted(o.kernel.vectors_per_cycle for o in undominated(options)) == [1, 4, 5]


@pytest.mark.emulator
@pytest.mark.parametrize("style", ["pipelined", "folded"])
def test_a_plan_of_an_input_that_is_an_output_too_is_accepted(style, tmp_path):
    graph = hlsgen.load_graph(
        parse(
            "(float[1,4,6,6] x, float[5,4,1,1] w) => (float[1,4,6,6] z, float[1,5,6,6] y) { "
            "z = Identity(x) y = Conv(x, w) }"
        )
    )
    plan = check_plan(graph, hlsgen.schedule(graph, style=style))
    assert_right(HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path))
    if style == "pipelined":
        edges = tuple(replace(edge, width=3) for edge in plan.edges)
        with pytest.raises(PlanError, match="width 3"):
            check_plan(graph, replace(plan, edges=edges))
