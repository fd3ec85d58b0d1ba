"""The convolution engine of folded designs that skips zero weights: packed as documented, right on
the emulator, as long as the model says, chosen where that pays."""

import re
from dataclasses import replace

import numpy as np
import pytest
from onnx import numpy_helper

import hlsgen
from hlsgen.descriptors import step_fields
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.model.estimate import estimate
from hlsgen.ops import skipping
from hlsgen.placement import place_tensors
from hlsgen.plan import EngineSizes, Plan
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.explain import explain
from hlsgen.schedule.goal import Goal
from hlsgen.sparsify import sparsify
from tests.emulator.test_images import MIXED, WINDOWS
from tests.support.networks import (
    NO_PREFIX,
    assert_right,
    assert_right_in_both_modes,
    lines_printed,
    parse,
)
from tests.support.plans import resized

PINS = {
    "skip_inputs": "skipping.inputs",
    "skip_outputs": "skipping.outputs",
    "tile_vectors": "convolution.tile_vectors",
}


def planned(model, share=0.8, images=1, style="folded", **pins):
    """A sparse network, and its design with an engine that skips zeros."""
    model = parse(model) if isinstance(model, str) else model
    graph = hlsgen.load_graph(sparsify(model, "relative", sparsity=share).model)
    goal = Goal(
        images=images,
        pins=NO_PREFIX
        | {
            ("engines", PINS.get(name, name)): value
            for name, value in {"convolution.tile_vectors": 0, **pins}.items()
        },
    )
    return graph, check_plan(graph, hlsgen.schedule(graph, style=style, goal=goal))


def generated(graph, plan, folder):
    return HostDesign(hlsgen.generate(graph, plan, folder).path)


def test_words_by_hand():
    """Two lanes, two inputs a turn: non-zero weights of an output and a lane are dealt out in
    turn."""
    filters = np.zeros((2, 4, 1, 2), np.float32)
    filters[0, 0, 0] = [5, 6]  # lane 0, vector 0, both taps
    filters[0, 2, 0, 1] = 7  # lane 0, vector 1, tap 1
    filters[1, 3, 0, 0] = 8  # lane 1, vector 1, tap 0
    places = np.arange(4).reshape(2, 1, 2) * 10  # vector 0: 0 and 10; vector 1: 20 and 30
    engines = EngineSizes(2, 1, {"inputs": 2})
    lengths = skipping.list_lengths(filters, 1, 2)
    assert lengths.tolist() == [[3, 0], [0, 1]] and skipping.words(lengths, 2) == 2
    found = skipping.packed(filters, places, 1, 2, engines).reshape(
        2, 2, 2, 2, 2
    )  # word, turn, lane in, kind, lane out
    values, kept = found[..., 0, :], found.view(np.int32)[..., 1, :]
    assert values[0, 0, 0].tolist() == [5, 0] and kept[0, 0, 0].tolist() == [0, 0]
    assert values[0, 1, 0].tolist() == [6, 0] and kept[0, 1, 0].tolist() == [10, 0]
    assert values[1, 0, 0].tolist() == [7, 0] and kept[1, 0, 0].tolist() == [30, 0]
    assert values[0, 0, 1].tolist() == [0, 8] and kept[0, 0, 1].tolist() == [0, 20]
    assert np.count_nonzero(values) == 4


def test_lists_of_a_grouped_convolution():
    """Filters of the second group see the second half of the channels."""
    filters = np.ones((4, 3, 1, 1), np.float32)  # 6 channels in two groups
    assert skipping.list_lengths(filters, 2, 4).tolist() == [[1, 1, 1, 0]] * 2 + [[1, 1, 0, 1]] * 2


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("model", "images", "pins", "strict"),
    [
        (WINDOWS, 1, {"skip_inputs": 3, "width": 16}, True),
        (WINDOWS, 2, {"skip_inputs": 1, "width": 4, "skip_outputs": 2}, False),
        (WINDOWS, 1, {"skip_inputs": 2, "width": 16, "burst": 1}, False),
        (MIXED, 3, {}, False),
    ],
)
def test_right_on_the_emulator(model, images, pins, strict, tmp_path):
    graph, plan = planned(model, images=images, **pins)
    design = generated(graph, plan, tmp_path / "d")
    assert "skips zero weights" in design.source and "convolution_tiles" not in design.source
    assert_right(design, images=2, strict=strict)


PAIRS = """(float[1,16,9,9] x, float[16,1,3,3] d, float[24,16,1,1] p, float[24,1,3,3] e,
float[16,24,1,1] q) => (float[1,16,9,9] y) {
        a = Conv<group=16, pads=[1,1,1,1]>(x, d) b = Conv(a, p)
        c = Conv<group=24, pads=[1,1,1,1]>(b, e) y = Conv(c, q) }"""


@pytest.mark.emulator
def test_fed_by_depthwise_layers(tmp_path):
    graph, plan = planned(PAIRS, style="hybrid", images=2)
    assert any(step.feeder for step in plan.steps)
    assert_right_in_both_modes(generated(graph, plan, tmp_path / "d"), images=2)


@pytest.mark.emulator
@pytest.mark.parametrize(
    "change",
    [
        ("places[t][i][l] + address", "places[t][i][l]"),
        ("][i % 16]", "][0]"),
        ("(ushort)as_int", "(ushort)1 + as_int"),
    ],
)
def test_a_wrong_kernel_is_found(change, tmp_path):
    graph, plan = planned(WINDOWS, skip_inputs=2, width=16, skip_outputs=1)
    design = generated(graph, plan, tmp_path / "d")
    assert change[0] in design.source
    (tmp_path / "d" / design.manifest.kernels[0]).write_text(design.source.replace(*change))
    with pytest.raises(AssertionError):
        assert_right(HostDesign(tmp_path / "d"))


@pytest.mark.emulator
def test_counted_turns_are_the_models(tmp_path):
    """A counter in the emulated engine: turns that multiply are the words of the longest lists, for
    every group of every tile."""
    graph, plan = planned(WINDOWS, skip_inputs=2, width=16, skip_outputs=1)
    design = generated(graph, plan, tmp_path / "d")
    text = design.source.replace(
        "        int phase = -1; // words", "        int worked = 0, phase = -1; // words"
    )
    sent = (
        "                if (number > 0 && pixel < s.pixels) {\n                    skipping_group"
    )
    text = text.replace(sent, "                worked += number > 0;\n" + sent)
    engine = text.index("__kernel void skipping_engine")
    end = text.index("\n}\n", engine)
    body = re.sub(
        r"\n    }$",
        '\n        printf("worked %d %d\\\\n", s.number, worked);\n    }',
        text[engine:end],
    )
    (tmp_path / "d" / design.manifest.kernels[0]).write_text(text[:engine] + body + text[end:])
    design = HostDesign(tmp_path / "d")
    assert_right(design)
    printed = [[int(n) for n in words] for words in lines_printed(design, "worked")]
    shaped = reshaped(graph, plan)
    placement = place_tensors(shaped, 16)
    expected = []
    for number, step in enumerate(plan.steps):
        layer = shaped.layer(step.layer)
        lists = skipping.step_lists(layer, step, plan.engines.width)
        fields = step_fields(shaped, step, plan.engines, placement)
        assert fields["taps"] == max(1, -(-lists.max() // 2))
        expected.append(
            [number, fields["tiles"] * step.groups * fields["taps"] * fields["phase_turns"]]
        )
    assert sorted(printed) == expected


@pytest.mark.slow
def test_chosen_where_it_pays_and_named_in_the_reason():
    """Few pixels, many weights: half of them zero the engine multiplies by all; with 95 % zeros it
    skips them."""
    model = parse("""(float[1,256,8,8] x, float[512,256,3,3] a, float[256,512,3,3] b) =>
(float[1,256,8,8] y) {
        p = Conv<pads=[1,1,1,1]>(x, a) y = Conv<pads=[1,1,1,1]>(p, b) }""")
    plans = {}
    for share in (0.5, 0.95):
        graph = hlsgen.load_graph(sparsify(model, "flat", sparsity=share).model)
        plans[share] = hlsgen.schedule(graph, style="folded")
    assert "skipping" not in plans[0.5].engines.sizes and "skipping" in plans[0.95].engines.sizes
    text = explain(graph, plans[0.95], estimate(graph, plans[0.95]))
    assert "2 of 2 convolutions skip zeros" in text and "(its fullest lists take" in text
    forced = hlsgen.schedule(
        graph, style="folded", goal=Goal(pins={("engines", "skipping.outputs"): 0})
    )
    assert "skipping" not in forced.engines.sizes
    assert estimate(graph, plans[0.95]).throughput > 1.3 * estimate(graph, forced).throughput
    ablated = hlsgen.schedule(graph, style="folded", disable=["fuse"])
    assert "skipping" not in ablated.engines.sizes


def with_zeros(model, share, names):
    """A network with a share of zeros in the weights of some names alone."""
    model = parse(model)
    for stored in model.graph.initializer:
        if stored.name in names:
            weight = numpy_helper.to_array(stored).copy()
            weight[np.random.default_rng(0).random(weight.shape) < share] = 0
            stored.CopyFrom(numpy_helper.from_array(weight, stored.name))
    return hlsgen.load_graph(model)


@pytest.mark.slow
def test_every_layer_on_the_engine_that_suits_it():
    """Two layers with many pixels and no zeros, two with few pixels and many zeros: either engine
    alone is slower for all."""
    graph = with_zeros(
        """(float[1,32,32,32] x, float[64,32,3,3] a, float[64,64,3,3] b, float[512,64,8,8] c,
        float[512,512,1,1] d) => (float[1,512,4,4] y) { p = Conv<pads=[1,1,1,1]>(x, a) q =
        Conv<pads=[1,1,1,1]>(p, b) r = Conv<strides=[8,8]>(q, c) y = Conv(r, d) }""",
        0.97,
        "cd",
    )
    plan = hlsgen.schedule(graph, style="folded")
    assert [step.engine for step in plan.steps] == ["convolution"] * 2 + ["skipping"] * 2
    assert "2 of 4 convolutions skip zeros" in explain(graph, plan, estimate(graph, plan))
    for pins in ({"skip_outputs": 0}, {"tile_vectors": 0}):
        goal = Goal(pins={("engines", PINS[name]): value for name, value in pins.items()})
        one = hlsgen.schedule(graph, style="folded", goal=goal)
        assert len({step.engine for step in one.steps}) == 1
        assert estimate(graph, plan).throughput > 1.2 * estimate(graph, one).throughput


def both_engines(plan, inputs):
    """A plan of the engine that skips zeros with every second convolution on an array beside it."""
    sizes = {**plan.engines.sizes["skipping"], "inputs": inputs}
    engines = plan.engines.sized(convolution=sizes)
    steps, turn = [], 0
    for step in plan.steps:
        if step.engine == "skipping":
            turn += 1
            step = replace(step, engine=("convolution", "skipping")[turn % 2])
        steps.append(step)
    return replace(plan, engines=engines, steps=tuple(steps))


@pytest.mark.emulator
@pytest.mark.parametrize(("compress", "strict"), [(False, True), (True, False), (True, True)])
def test_both_engines_in_one_design(compress, strict, tmp_path):
    graph, plan = planned(MIXED, images=2)
    plan = both_engines(plan, inputs=3)
    steps = (replace(s, compressed=compress and s.engine == "convolution") for s in plan.steps)
    plan = check_plan(graph, replace(plan, steps=tuple(steps)))
    assert {"convolution", "skipping"} <= {step.engine for step in plan.steps}
    design = generated(graph, plan, tmp_path / "d")
    assert all(
        f"__kernel void {name}(" in design.source
        for name in ("convolution_tiles", "skipping_engine")
    )
    assert_right(design, images=2, strict=strict)


@pytest.mark.emulator
def test_depthwise_layers_feed_both_engines(tmp_path):
    graph, plan = planned(PAIRS, style="hybrid", images=2)
    plan = check_plan(graph, both_engines(plan, inputs=2))
    assert {step.engine for step in plan.steps if step.feeder} == {"convolution", "skipping"}
    assert_right_in_both_modes(generated(graph, plan, tmp_path / "d"), images=2)


def test_plans_are_saved_and_checked(tmp_path):
    graph, plan = planned(WINDOWS)
    plan.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan
    packed = tuple(replace(step, compressed=True) for step in plan.steps)
    with pytest.raises(PlanError, match="multiply all"):
        check_plan(graph, replace(plan, steps=packed))
    with pytest.raises(PlanError, match="at most 65,536 vectors"):
        check_plan(
            graph, replace(plan, engines=resized(plan.engines, "skipping", tile_vectors=1 << 17))
        )
