"""Lanes that hold no channel compute as well: where a function has no finite value there, they must
not reach other channels."""

import numpy as np
import pytest

import hlsgen
from hlsgen.host.design import HostDesign
from hlsgen.host.validation import validate
from hlsgen.plan import Plan
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.pipelined.choices import Choice, tensor_classes
from hlsgen.schedule.pipelined.planner import complete
from hlsgen.validation import Reference
from tests.support.networks import NO_PINS, NO_PREFIX, build, parse
from tests.support.plans import pipeline

pytestmark = pytest.mark.emulator

# 17 channels fill no vector. Each function meets the weights of the layer after it, some after a
# layer that keeps lanes apart.
WEIGHTS = (
    "float[4,17,1,1] w, float[4,17,3,3] w3, float[17,1,3,3] d, float[17,3,2,2] t, "
    "float[153,7] m, float[17,17,1,1] v"
)
NETWORK = f"""(float[1,17,3,3] x, {WEIGHTS}) => (float[1,4,3,3] log_conv,
float[1,4,3,3] joined_conv, float[1,7] div_dense,
    float[1,4,1,1] pooled_conv, float[1,4,3,3] depthwise_conv, float[1,3,6,6] transposed,
    float[1,4,3,3] fed_conv) {{
    a = Log(x) log_conv = Conv<pads=[1,1,1,1]>(a, w3)
    b = Conv(x, v) c = Div(b, x) joined_conv = Conv(c, w)
    e = Div(x, a) f = Flatten(e) div_dense = MatMul(f, m)
    g = Reciprocal(x) h = GlobalAveragePool(g) pooled_conv = Conv(h, w)
    i = Conv<group=17, pads=[1,1,1,1]>(g, d) depthwise_conv = Conv(i, w)
    transposed = ConvTranspose<strides=[2,2]>(g, t)
    k = Conv<group=17, pads=[1,1,1,1]>(x, d) l = Exp(k) n = Log(l) o = Exp(n)
    p = Sqrt(o) fed_conv = Conv(p, w) }}"""


@pytest.mark.parametrize(
    ("style", "disable"),
    [
        ("base", ()),
        ("pipelined", ()),
        ("pipelined", ("fuse",)),
        ("folded", ()),
        ("folded", ("fuse",)),
        ("hybrid", ()),
    ],
)
def test_right(style, disable, tmp_path):
    pins = NO_PREFIX if style == "hybrid" else NO_PINS
    design = build(
        parse(NETWORK), tmp_path / "design", style, board="pac_a10", disable=disable, pins=pins
    )
    plan = Plan.load(design.path / "plan.json")
    widths = {kernel.output_width for kernel in plan.kernels} | (
        {plan.engines.width} if plan.engines else set()
    )
    assert style == "base" or any(17 % width for width in widths)
    assert_right(design)


# Kernels with text of their own for results: one whose weights stream from memory, and one that
# goes through a vector in several turns.
STREAMED = """(float[1,17,4,4] x, float[17,17,3,3] w, float[4,17,1,1] v) => (float[1,4,4,4] y) {
    t = Conv<pads=[1,1,1,1]>(x, w) u = Reciprocal(t) y = Conv(u, v) }"""
FOLDED = STREAMED.replace("17,17,3,3", "17,1,3,3").replace("pads", "group=17, pads")


@pytest.mark.parametrize(
    ("text", "options"),
    [(STREAMED, {"row_tiles": {"t": 1}}), (FOLDED, {"lane_folding": {"t": 4}})],
    ids=["streamed", "folded"],
)
def test_right_where_results_leave_in_other_ways(text, options, tmp_path):
    graph = hlsgen.load_graph(parse(text))
    plan = pipeline(graph)
    choice = Choice(
        dict.fromkeys(graph.tensors, 8),
        frozenset({"t"} if "lane_folding" in options else ()),
        **options,
    )
    plan = check_plan(graph, complete(graph, plan, tensor_classes(graph), choice))
    assert plan.kernel("t").row_tiles or plan.kernel("t").lane_folding > 1
    assert_right(HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path))


def assert_right(design):
    """Validate on positive numbers, whose logarithms and reciprocals are finite."""
    shape = design.manifest.inputs[0].shape
    inputs = {"x": np.random.default_rng(3).uniform(0.5, 0.9, shape).astype(np.float32)}
    verdict, _ = validate(design, inputs, Reference(design, inputs))
    assert verdict["ok"] and not verdict["non_finite"], verdict
