"""Folded designs that take several images a launch, and taps packed into words: right on the
emulator, as predicted, refused where impossible."""

import json
from dataclasses import replace

import numpy as np
import pytest

import hlsgen
from hlsgen.descriptors import step_fields
from hlsgen.errors import PlanError, UsageError
from hlsgen.host.design import HostDesign
from hlsgen.model.estimate import estimate
from hlsgen.model.step_time import step_time
from hlsgen.placement import place_tensors
from hlsgen.plan import Plan
from hlsgen.rewrites.dense_as_convolution import as_convolutions, reshaped
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.folded.steps import plan_steps
from hlsgen.schedule.goal import Goal
from hlsgen.zoo import network
from tests.support.networks import assert_right, parse, verdict_of
from tests.support.plans import resized

# Every engine, a residual, a concatenation, an upsampling, an average pool, and a fully connected
# layer of a map.
MIXED = """(float[1,3,14,12] x, float[8,3,3,3] a, float[8,1,3,3] d, float[8,8,3,3] b,
float[24,16,1,1] c, float[7,24] f) => (float[1,7] y) {
    p = Conv<pads=[1,1,1,1]>(x, a) q = Relu(p) e = Conv<group=8, pads=[1,1,1,1]>(q, d)
    r = Conv<pads=[1,1,1,1]>(e, b) s = Add(r, q)
    m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(s) n = AveragePool<kernel_shape=[2,2],
    strides=[2,2]>(s) t = Concat<axis=1>(m, n)
    u = Conv<strides=[2,2]>(t, c) l = LRN<size=3>(u) g = GlobalAveragePool(l) h = Flatten(g)
    z = Gemm<transB=1>(h, f) y = Softmax(z) }"""
DENSE = """(float[1,5,6,4] x, float[5,5,1,1] k, float[20,120] w, float[20] wb,
float[9,20] v) => (float[1,9] y) {
    c = Conv(x, k) f = Flatten(c) a = Gemm<transB=1>(f, w, wb) r = Relu(a)
    y = Gemm<transB=1>(r, v) }"""
WINDOWS = """(float[1,20,11,9] x, float[24,20,3,2] a, float[40,12,3,3] b, float[24,40,1,1] c,
float[6,24,11,9] d) => (float[1,6,1,1] y) {
    p = Conv<pads=[1,0,1,1], dilations=[1,1]>(x, a)
    q = Conv<group=2, pads=[2,2,2,2], dilations=[2,2]>(p, b) r = Conv(q, c) y = Conv(r, d) }"""


def folded(text_or_model, images=1, style="folded", board="pac_d5005", disable=(), pins=None):
    graph = hlsgen.load_graph(
        parse(text_or_model) if isinstance(text_or_model, str) else text_or_model
    )
    goal = Goal(
        images=images, pins={("engines", name): value for name, value in (pins or {}).items()}
    )
    return graph, hlsgen.schedule(graph, board=board, style=style, disable=disable, goal=goal)


def built(graph, plan, folder):
    hlsgen.generate(graph, check_plan(graph, plan), folder)
    return HostDesign(folder)


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("images", "given", "strict"), [(2, 2, True), (3, 4, False), (4, 1, False)]
)
def test_every_engine_takes_several_images(images, given, strict, tmp_path):
    """Also where the pictures do not fill the last launch."""
    graph, plan = folded(MIXED, images)
    assert {step.engine for step in plan.steps} >= {
        "convolution", "depthwise", "pooling", "global_pooling", "normalisation", "softmax",
    }  # fmt: skip
    assert_right(built(graph, plan, tmp_path / "d"), images=given, strict=strict)


@pytest.mark.emulator
@pytest.mark.parametrize("style", ["folded", "hybrid"])
def test_a_separable_network_with_several_images(style, tmp_path):
    graph, plan = folded(network("mobilenetv1", size=32, width=0.25), 4, style)
    assert_right(built(graph, plan, tmp_path / "d"), images=5)


@pytest.mark.emulator
@pytest.mark.parametrize(
    "disable", ["unroll", "tile", "fuse", "cached_writes", "autorun", "concurrent_queues"]
)
def test_several_images_with_an_optimisation_off(disable, tmp_path):
    graph, plan = folded(MIXED, 3, disable=[disable])
    assert_right(built(graph, plan, tmp_path / "d"), images=3)


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("tile_images", "strict"), [(1, False), (2, True), (3, False), (3, True), (4, False)]
)
def test_tiles_of_several_images(tile_images, strict, tmp_path):
    """Whatever number of images shares a tile, also where they do not fill the last one."""
    graph, plan = folded(
        MIXED, 4, pins={"convolution.tile_vectors": 4096, "convolution.tile_pixels": 1024}
    )
    shaped = reshaped(graph, plan)
    steps = []
    for step in plan.steps:
        if step.engine == "convolution":
            result = shaped.output_tensor(shaped.layer(step.layer))
            step = replace(
                step, tile_height=result.height, tile_width=result.width, tile_images=tile_images
            )
        steps.append(step)
    plan = replace(
        plan, engines=resized(plan.engines, tile_vectors=4096, tile_pixels=1024), steps=tuple(steps)
    )
    assert_right(built(graph, plan, tmp_path / "d"), images=4, strict=strict)


@pytest.mark.emulator
@pytest.mark.parametrize("inputs", [1, 2, 3, 5, 7, 9, 20])
def test_any_number_of_taps_at_once(inputs, tmp_path):
    """Words of taps that the window's taps do not fill, dilation, groups, and a tile of one pixel,
    which has fewer turns than taps."""
    graph, plan = folded(WINDOWS, pins={"convolution.inputs": inputs, "width": 16})
    assert plan.engines.of("convolution").inputs == inputs
    design = built(graph, plan, tmp_path / "d")
    assert_right(design, images=2, strict=inputs == 5)


@pytest.mark.emulator
@pytest.mark.parametrize("images", [1, 4])
def test_fully_connected_layers_as_convolutions(images, tmp_path):
    graph, plan = folded(DENSE, images)
    names = tuple(layer.name for layer in graph.layers if layer.op == "dense")
    assert len(names) == 2
    shaped = as_convolutions(graph, names)
    for layer, same in zip(graph.layers[1:], shaped.layers[1:], strict=True):
        assert (layer.output, same.op) == (same.output, "conv")
    engines = resized(plan.engines, tile_vectors=1024, tile_pixels=256)
    plan = replace(
        plan, engines=engines, dense_as_convolution=names, steps=plan_steps(shaped, engines, plan)
    )
    assert {step.engine for step in plan.steps} == {"convolution"}
    assert_right(built(graph, plan, tmp_path / "d"), images=images)


SAMPLED = """(float[1,32,11,9] x, float[64,32,1,1] a, float[48,32,1,1] b) => (float[1,48,3,3] y) {
    p = Conv<strides=[2,3]>(x, a) q = Relu(p) y = Conv<group=2, strides=[2,1]>(q, b) }"""


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("tile", "images", "strict"),
    [((6, 3, 2), 3, True), ((4, 2, 1), 2, False), ((1, 3, 1), 1, False)],
)
def test_strided_1x1_convolutions_read_no_other_pixels(tile, images, strict, tmp_path):
    """Also in tiles that reach beyond the output, and where several images share one."""
    graph, plan = folded(SAMPLED, images)
    first = replace(plan.steps[0], tile_height=tile[0], tile_width=tile[1], tile_images=tile[2])
    plan = replace(
        plan,
        engines=resized(plan.engines, tile_vectors=256, tile_pixels=64),
        steps=(first, *plan.steps[1:]),
    )
    placement = place_tensors(graph, plan.engines.width)
    loads = [step_fields(graph, step, plan.engines, placement)["loads"] for step in plan.steps]
    vectors, tiles = (
        32 // plan.engines.width,
        -(-6 // tile[0]) * -(-3 // tile[1]) * -(-images // tile[2]),
    )
    assert loads[0] == vectors * tiles * tile[0] * tile[1] * tile[2]
    assert sum(loads[1:]) == 2 * vectors * images * 3 * 3  # a step for each group
    assert_right(built(graph, plan, tmp_path / "d"), images=images, strict=strict)


@pytest.mark.emulator
def test_the_second_image_is_wrong_where_its_place_is(tmp_path):
    """A reader that forgets from which image to read must be found."""
    graph, plan = folded(MIXED, 2)
    design = built(graph, plan, tmp_path / "d")
    text = design.source
    assert text.count("* IMAGE + ") >= 2
    (tmp_path / "d" / design.manifest.kernels[0]).write_text(
        text.replace("* IMAGE + (row", "* 0 + (row", 1)
    )
    verdict = verdict_of(HostDesign(tmp_path / "d"), images=2)
    assert not verdict["ok"]


@pytest.mark.slow
def test_predicted_traffic_and_turns_are_those_of_the_table():
    """Weights are read once for all images of a tile: the stream is that of one image."""
    graph, plan = folded(network("resnet18", size=64), 4)
    shaped, engines = reshaped(graph, plan), plan.engines
    placement = place_tensors(shaped, engines.width)
    together = [step for step in plan.steps if step.tile_images == 4]
    assert together
    for step in together:
        fields = step_fields(shaped, step, engines, placement)
        single = step_fields(shaped, replace(step, images=1, tile_images=1), engines, placement)
        assert fields["tiles"] == single["tiles"] == 1
        assert fields["phases"] == single["phases"] and fields["loads"] == 4 * single["loads"]
        assert (
            fields["results"] == 4 * single["results"] and fields["pixels"] == 4 * single["pixels"]
        )
        target = hlsgen.boards.board("pac_d5005")
        many, one = (
            step_time(shaped, s, engines, target)
            for s in (step, replace(step, images=1, tile_images=1))
        )
        features = (
            (single["loads"] + single["results"] * (2 if step.residual else 1)) * engines.width * 4
        )
        assert many.bytes - one.bytes == pytest.approx(3 * features)


@pytest.mark.slow
def test_more_images_give_more_throughput_and_latency():
    found = []
    for images in (1, 4):
        graph, plan = folded(network("resnet18"), images)
        predicted = estimate(graph, plan)
        assert predicted.timing.cycles == pytest.approx(
            sum(layer.cycles for layer in predicted.timing.layers)
        )
        found.append(predicted)
    assert found[1].throughput > 1.2 * found[0].throughput
    assert found[1].latency > found[0].latency
    assert found[1].timing.bytes < 0.8 * found[0].timing.bytes


def test_a_plan_of_several_images_is_saved_and_checked(tmp_path):
    graph, plan = folded(MIXED, 4)
    plan.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan
    first = plan.steps[0]
    softmax = next(step for step in plan.steps if step.engine == "softmax")
    for wrong, words in (
        (replace(first, images=5), "takes image 5 of 4"),
        (replace(first, images=2), "of all images"),
        (replace(first, images=1, tile_images=2, tile_height=1, tile_width=1), "must not exceed"),
        (replace(softmax, images=4), "one image a step"),
    ):
        steps = tuple(
            wrong if step in (first, softmax) and step.layer == wrong.layer else step
            for step in plan.steps
        )
        with pytest.raises(PlanError, match=words):
            check_plan(graph, replace(plan, steps=steps))
    with pytest.raises(PlanError, match="1 to 64"):
        folded(MIXED, 65)
    with pytest.raises(PlanError, match="no fully connected layer"):
        check_plan(graph, replace(plan, dense_as_convolution=(first.layer,)))


def test_pipelined_designs_stream_and_take_no_number():
    graph = hlsgen.load_graph(network("lenet5"))
    with pytest.raises(UsageError, match="--images: no pipelined design takes it"):
        hlsgen.schedule(graph, style="pipelined", goal=Goal(images=8))
    assert np.all([step.images == 1 for step in hlsgen.schedule(graph, style="folded").steps])


@pytest.mark.emulator
def test_a_design_of_an_earlier_build_takes_one_image_a_launch(tmp_path):
    graph, plan = folded(DENSE)
    built(graph, plan, tmp_path / "d")
    manifest = json.loads((tmp_path / "d" / "design.json").read_text())
    assert manifest.pop("images") == 1
    (tmp_path / "d" / "design.json").write_text(json.dumps(manifest | {"digest": ""}))
    assert_right(HostDesign(tmp_path / "d"), images=2)
