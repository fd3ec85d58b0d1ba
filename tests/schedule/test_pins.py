"""Every decision of the user's is used or refused: with the legal values, whatever the style, and
never as a reason to build another style."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlsgen
from hlsgen.errors import Infeasible, UsageError
from hlsgen.schedule.goal import Goal, check_goal
from hlsgen.schedule.knobs import KNOBS, flag_of, parse_pins
from tests.support.networks import parse

# conv1 has 6 channels: vectors of 16 lanes would be empty by more than half.
SMALL = """(float[1,1,8,8] x, float[6,1,3,3] a, float[16,6,3,3] b) => (float[1,16,4,4] y) {
conv1 = Conv(x, a) y = Conv(conv1, b) }"""
# A depthwise layer, whose kernel may fold its lanes.
SEPARABLE = """(float[1,8,6,6] x, float[8,1,3,3] a, float[16,8,1,1] b) => (float[1,16,4,4] y) {
    d = Conv<group=8>(x, a) y = Conv(d, b) }"""


@pytest.fixture(scope="module")
def small():
    return hlsgen.load_graph(parse(SMALL))


def plan_of(graph, *texts, style="pipelined", **goal):
    return hlsgen.schedule(graph, style=style, goal=Goal(pins=parse_pins(texts), **goal))


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["front.layers=2"], "no field 'layers'; did you mean prefix.layers?"),
        (["y.colour=4"], "y has no field 'colour'.*fields of y: unroll_ic"),
        (["y.unrol_oc=4"], "did you mean 'unroll_oc'"),
        (["engines.widht=4"], "did you mean 'width'"),
        (["engines.outputs=4"], "did you mean 'convolution.outputs'"),
        (["engines.convolution.output=4"], "did you mean 'convolution.outputs'"),
        (["y"], "LAYER.FIELD=NUMBER"),
        (["y.unroll_oc=many"], "LAYER.FIELD=NUMBER"),
        (["y.unroll_oc=-1"], "LAYER.FIELD=NUMBER"),
        (["y.unroll_oc=4", "y.output_width=8"], "was set to 4 before"),
    ],
)
def test_what_is_no_decision(texts, words):
    with pytest.raises(UsageError, match=f"(?s){words}"):
        parse_pins(texts)


@pytest.mark.parametrize("style", ["auto", "pipelined"])
@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (
            ["conv1.unroll_oc=16"],
            "conv1.unroll_oc=16: the layer cannot be built so.*unroll_oc may be 1, 2, 4, 8",
        ),
        (["y.unroll_oc=5"], "choose from 1, 2, 4, 8, 16"),
        (["y.unroll_window=2"], "choose from 0, 1"),
        (["y.lane_folding=2"], "lane_folding may be 1"),
        (["y.vectors_per_cycle=7"], "vectors_per_cycle may be 1"),
        (["y.row_tiles=9"], "row_tiles may be 0, 1"),
        (["con1.unroll_oc=4"], "no layer 'con1'.*did you mean 'conv1'"),
        (["conv1.unroll_oc=4", "y.unroll_ic=2"], "contradicts --set conv1.unroll_oc=4"),
    ],
)
def test_values_that_cannot_be_end_the_command(style, texts, words, small):
    with pytest.raises(UsageError, match=f"(?s){words}"):
        plan_of(small, *texts, style=style)


def test_fields_that_are_legal_alone_but_not_together():
    graph = hlsgen.load_graph(parse(SEPARABLE))
    assert plan_of(graph, "d.lane_folding=8", "d.unroll_ic=8").kernel("d").lane_folding == 8
    with pytest.raises(
        UsageError,
        match=r"(?s)cannot be built so together.*lane_folding may be 1, 2, 4, 8.*unroll_ic may "
        r"be 1, 2",
    ):
        plan_of(graph, "d.lane_folding=8", "d.unroll_ic=2")


@pytest.mark.parametrize(
    ("style", "texts", "goal", "words"),
    [
        (
            "folded",
            ["nosuch.unroll_oc=16"],
            {},
            "no folded design takes it.*pipelined and hybrid designs take",
        ),
        ("base", ["y.unroll_oc=2"], {}, "no base design takes it"),
        ("base", ["engines.width=2"], {}, "no base design takes it"),
        (
            "pipelined",
            ["engines.width=8"],
            {},
            "engines.width: no pipelined design takes it.*folded and hybrid",
        ),
        ("folded", ["prefix.layers=1"], {}, "hybrid designs take"),
        ("pipelined", [], {"images": 8}, "--images: no pipelined design takes it"),
        ("base", [], {"images": 8}, "--images: no base design"),
        ("folded", [], {"copies": 2}, "pipelined designs take --copies"),
        ("auto", [], {"copies": 2, "images": 2}, "no style takes all of it"),
        ("auto", ["engines.width=8"], {"copies": 2}, "no style takes all of it"),
        ("hybrid", ["prefix.layers=7"], {}, "choose from 0, 1"),
        ("hybrid", ["prefix.layers=1", "y.unroll_oc=4"], {}, "engines compute the layer"),
    ],
)
def test_styles_without_the_decision_refuse_it(style, texts, goal, words, small):
    with pytest.raises(UsageError, match=f"(?s){words}"):
        plan_of(small, *texts, style=style, **goal)


@pytest.mark.parametrize("off", ["channels", "unroll"])
def test_switches_leave_fewer_decisions(off, small):
    words = "no style takes all of it with channels" if off == "channels" else "unroll_oc may be 1$"
    with pytest.raises(UsageError, match=f"(?s){words}"):
        hlsgen.schedule(small, disable=[off], goal=Goal(pins=parse_pins(["y.unroll_oc=4"])))


def test_only_styles_that_have_the_decision_are_tried(small):
    plan = plan_of(small, "y.unroll_oc=4", style="auto")
    refusals = {other.style: other.refusal for other in plan.evidence.alternatives}
    assert plan.style == "pipelined" and plan.kernel("y").output_width == 4
    assert refusals["folded"] == "has no --set y.unroll_oc"
    assert plan_of(small, style="auto", images=8).style in ("folded", "hybrid")
    assert plan_of(small, style="auto", copies=2).copies == 2


def test_no_style_fits_with_what_is_pinned(small):
    """A legal value that no board has room for: one error that names it, and no other design in
    silence."""
    with pytest.raises(Infeasible, match=r"(?s)engines.convolution.outputs=256"):
        plan_of(small, "engines.width=16", "engines.convolution.outputs=256", style="auto")


@pytest.mark.parametrize("size", ["convolution.outputs", "skipping.tile_vectors"])
def test_an_engine_that_no_layer_runs_on_has_no_sizes(size):
    graph = hlsgen.load_graph(
        parse("(float[1,20] x, float[20,7] w) => (float[1,7] y) { y = MatMul(x, w) }")
    )
    with pytest.raises(UsageError, match="no layer of the network runs on the"):
        plan_of(graph, f"engines.{size}=4", style="folded")
    assert plan_of(graph, f"engines.{size}=0", style="folded")


@pytest.mark.parametrize("style", ["auto", "pipelined", "folded", "base"])
def test_a_rate_that_is_not_reached_is_refused(style, small):
    goal = Goal("resources", fps=1e9)
    with pytest.raises(Infeasible, match="images a second"):
        hlsgen.schedule(small, style=style, goal=goal)


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (Goal(fps=30.0), "--fps"),
        (Goal("latency", fps=30.0), "--fps"),
        (Goal("resources"), "add --fps"),
        (Goal("resources", fps=-1.0), "add --fps"),
        (Goal("resources", fps=float("nan")), "add --fps"),
        (Goal("troughput"), "did you mean 'throughput'"),
        (Goal(images=0), "--images"),
        (Goal(copies=99), "--copies"),
        (Goal(pins={("y", "colour"): 1}), "no field 'colour'"),
        (Goal(pins={("engines", "width"): 3}), "choose from 1, 2, 4, 8, 16"),
    ],
)
def test_goals_that_cannot_be(goal, words):
    with pytest.raises(UsageError, match=words):
        check_goal(goal)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_pin_holds_in_the_plan_or_is_refused(small, data):
    """Whatever is pinned: the plan has it, or the error names it."""
    knob = data.draw(st.sampled_from(KNOBS))
    owner = knob.owner or data.draw(st.sampled_from([layer.name for layer in small.layers]))
    value = data.draw(st.sampled_from([0, 1, 2, 3, 4, 8, 16, 64, 1024]))
    style = data.draw(st.sampled_from(["pipelined", "folded", "hybrid", "base"]))
    try:
        plan = hlsgen.schedule(
            small, style=style, goal=Goal(pins=parse_pins([f"{owner}.{knob.name}={value}"]))
        )
    except (UsageError, Infeasible) as error:
        assert flag_of(owner, knob.field).removeprefix("--set ") in str(error)
        return
    assert plan.style == style
    if owner == "prefix":
        assert len(plan.kernels) == value
    elif owner == "memory":  # no more than layers whose weights stream
        assert plan.weight_readers <= value
    elif owner != "engines":
        assert int(getattr(plan.kernel(owner), knob.field)) == value
    elif "tile" in knob.field:  # room that the steps leave unused is not built
        assert plan.engines.value(knob.field) <= max(value, 16)
    else:
        assert plan.engines.value(knob.field) == value


def test_every_number_of_a_kernel_that_the_search_chooses_can_be_pinned():
    fields = {field.name for field in dataclasses.fields(hlsgen.plan.KernelPlan)}
    assert {knob.field for knob in KNOBS if not knob.owner} == fields - {"layer", "partial_sums"}
