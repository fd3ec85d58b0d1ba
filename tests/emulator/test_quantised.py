"""Quantised designs on the emulator: every layer and every output equal to onnxruntime's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.conformance.cases import node_case, run_case
from hlsgen.audit.design import audit
from hlsgen.codegen.generate import generate
from hlsgen.errors import Infeasible
from hlsgen.frontend.load import load
from hlsgen.host.design import HostDesign
from hlsgen.host.validation import validate
from hlsgen.quantise.prepare import prepared
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.choices import Choice, tensor_classes
from hlsgen.schedule.pipelined.planner import complete
from hlsgen.schedule.scheduler import schedule
from hlsgen.validation import Reference
from hlsgen.zoo.networks import lenet5
from tests.support.networks import MNIST, build, parse
from tests.support.plans import pipeline
from tests.support.quantised import Builder, assert_equal, joined_network, quantised_statically
from tests.support.random_quantised import random_network

pytestmark = pytest.mark.emulator

NODES = {
    "quantizelinear": "quantizelinear",
    "dequantizelinear": "dequantizelinear",
    "qlinearconv": "qlinearconv",
    "qlinearmatmul": "qlinearmatmul_2D_int8_float32",
}


@pytest.mark.parametrize(
    ("style", "strict"), [("base", False), ("pipelined", True), ("folded", False)]
)
def test_lenet5(style, strict, tmp_path):
    model = quantised_statically(lenet5(28, 1.0, 0), tmp_path, np.uint8, ("softmax",))
    design = build(model, tmp_path / "design", style)
    images = np.random.default_rng(1).normal(size=(3, 1, 28, 28)).astype(np.float32)
    feeds = {design.manifest.inputs[0].name: images}
    assert len(assert_equal(design, feeds, strict=strict, exact=False)) == 8  # all but the softmax


def test_lenet5_on_a_small_board(tmp_path):
    """Prepared as `hlsgen quantise` does, with averages by convolution and softmax by table, it
    fits a Cyclone V, which has no float32 in its DSPs."""
    model = prepared(lenet5(28, 1.0, 0))
    last = tuple(node.name for node in model.graph.node if node.op_type == "Softmax")
    model = quantised_statically(model, tmp_path, np.uint8, last)
    design = build(model, tmp_path / "design", "pipelined", "de1_soc")
    images = np.random.default_rng(1).normal(size=(2, 1, 28, 28)).astype(np.float32)
    feeds = {design.manifest.inputs[0].name: images}
    assert len(assert_equal(design, feeds, strict=True, exact=False)) == 8  # all but the softmax


@pytest.mark.parametrize("style", ["base", "pipelined", "folded"])
def test_mnist(style, tmp_path):
    model = quantised_statically(parse(MNIST), tmp_path, np.int8)
    feeds = {"x": np.random.default_rng(1).normal(size=(3, 1, 28, 28)).astype(np.float32)}
    assert_equal(build(model, tmp_path / "design", style), feeds, strict=style == "folded")


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
def test_several_taps_at_once_of_narrow_vectors(kind, tmp_path):
    """Channels that fill no vector, borders, and taps that fill no word."""
    model = parse("""(float[1,5,9,8] x, float[7,5,3,3] a, float[6,7,5,5] b) => (float[1,6,5,4] y) {
        p = Conv<pads=[1,1,1,1]>(x, a) q = Relu(p)
        y = Conv<pads=[2,2,2,2], strides=[2,2]>(q, b) }""")
    model = quantised_statically(model, tmp_path, kind)
    sizes = {"width": 2, "convolution.inputs": 4, "convolution.outputs": 2}
    pins = {("engines", name): value for name, value in sizes.items()}
    design = build(model, tmp_path / "design", "folded", "de10_nano", pins=pins)
    feeds = {"x": np.random.default_rng(1).normal(size=(2, 5, 9, 8)).astype(np.float32)}
    assert_equal(design, feeds, strict=kind is np.int8)


@pytest.mark.parametrize("width", [1, 2])
def test_words_of_weights_wider_than_vectors(width, tmp_path):
    """A word holds weights of several input vectors, the last of a layer not all of them; the audit
    finds the multipliers that the model counts."""
    model = parse("""(float[1,5,5,3] x, float[7,5,3,3] a, float[10,105] w, float[5,10] v) =>
        (float[1,5] y) { p = Conv<pads=[1,1,1,1]>(x, a) q = Relu(p) f = Flatten(q)
        g = Gemm<transB=1>(f, w) h = Relu(g) y = Gemm<transB=1>(h, v) }""")
    model = quantised_statically(model, tmp_path, np.uint8)
    sizes = {"width": width, "burst": 4 * width, "convolution.inputs": 4}
    pins = {("engines", name): value for name, value in sizes.items()}
    design = build(model, tmp_path / "design", "folded", "de10_nano", pins=pins)
    feeds = {"x": np.random.default_rng(1).normal(size=(2, 5, 5, 3)).astype(np.float32)}
    assert_equal(design, feeds, strict=True)
    kernels = {kernel.name: kernel for kernel in audit(tmp_path / "design").kernels}
    assert kernels["dense_engine"].arithmetic.narrow_products == 4 * width**2
    assert kernels["convolution_engine"].arithmetic.integer_products == 0


@pytest.mark.parametrize(
    ("kind", "style"), [(np.uint8, "base"), (np.int8, "pipelined"), (np.uint8, "folded")]
)
def test_softmax_by_table(kind, style, tmp_path):
    """With a result of integers, equal to onnxruntime's, and of float32; two tables in an
    engine."""
    b = Builder(5, kind)
    x = b.quantised(b.input((1, 21, 2, 3)), low=0.05, high=0.2)
    least = np.iinfo(kind).min
    own = [b.constant("s", np.float32(2.0**-8)), b.constant("z", kind(least))]
    y = b.quantised(b.node("Softmax", [x], axis=1), own)
    design = build(b.model(y, b.node("Softmax", [x], axis=1)), tmp_path / "design", style)
    assert_equal(design, b.feeds(2), strict=style == "folded", exact=False)
    found = audit(tmp_path / "design")
    assert [f for f in found.findings if f.rule in ("dsps", "intervals")] == []
    (path,) = (design.path / name for name in design.manifest.kernels)
    assert "exp(" not in path.read_text()


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["base", "pipelined", "folded"]))
def test_random_networks(tmp_path_factory, seed, style):
    model, feeds = random_network(seed)
    assert_equal(build(model, tmp_path_factory.mktemp("random") / "design", style), feeds)


def chain():
    """A convolution, a depthwise one and a wide one, and inputs."""
    b = Builder(3, np.uint8, ties=True)
    x = b.quantised(b.input((1, 12, 7, 6)))
    for number, (filters, channels, kernel, group) in enumerate(
        ((20, 12, 3, 1), (20, 20, 3, 20), (24, 20, 1, 1))
    ):
        weight, _ = b.weight((filters, channels // group, kernel, kernel), 0)
        y = b.node("Conv", [x, weight], group=group, pads=[kernel // 2] * 4)
        b.nodes[-1].name = f"conv{number + 1}"
        x = b.quantised(b.node("Relu", [y]), low=0.2, high=0.4, zero=0)
    return b.model(x), b.feeds(2)


@pytest.mark.parametrize("unrolled", [(), ("conv1", "conv2")], ids=["tap by tap", "unrolled"])
def test_decisions_of_kernels(unrolled, tmp_path):
    """Several input vectors a turn, which fill no whole word, and lanes in turns."""
    model, feeds = chain()
    graph = load(model)
    plan = pipeline(graph)
    choice = Choice(
        dict.fromkeys(graph.tensors, 8),
        frozenset(unrolled),
        vectors_per_cycle={"conv3": 2} | ({} if unrolled else {"conv1": 2}),
        lane_folding={"conv2": 2} if unrolled else {},
    )
    plan = check_plan(graph, complete(graph, plan, tensor_classes(graph), choice))
    generate(graph, plan, tmp_path / "design")
    assert_equal(HostDesign(tmp_path / "design"), feeds)


def test_copies(tmp_path):
    model, feeds = chain()
    graph = load(model)
    generate(graph, schedule(graph, "pac_d5005", "pipelined", goal=Goal(copies=2)), tmp_path / "d")
    assert_equal(HostDesign(tmp_path / "d"), feeds, strict=True)


@pytest.mark.parametrize("off", ["fuse", "cached_writes", "channels"])
def test_optimisations_switched_off(off, tmp_path):
    model, feeds = chain()
    assert_equal(build(model, tmp_path / "design", "pipelined", disable=[off]), feeds)


def test_a_prefix_before_engines(tmp_path):
    """The prefix works a launch ahead, and hands bytes on."""
    model = quantised_statically(parse(MNIST), tmp_path, np.uint8)
    pins = {("prefix", "layers"): 4}
    design = build(model, tmp_path / "design", "hybrid", images=2, pins=pins)
    feeds = {"x": np.random.default_rng(1).normal(size=(3, 1, 28, 28)).astype(np.float32)}
    assert_equal(design, feeds)


def test_engines_for_several_images(tmp_path):
    """With joins, averages and a sum that stays where it was computed."""
    model, feeds = joined_network()
    assert_equal(build(model, tmp_path / "design", "folded", images=2), feeds)


@pytest.mark.parametrize("find", ["_rte(", "s.offset", "+ shift", "s.swapped ? other"])
def test_wrong_engines_are_found(find, tmp_path):
    model, feeds = joined_network()
    design = build(model, tmp_path / "design", "folded")
    (path,) = (design.path / name for name in design.manifest.kernels)
    other = {"_rte(": "_rtz(", "s.offset": "0.0f", "+ shift": "", "s.swapped ? other": "1 ? other"}
    text = path.read_text()
    assert find in text
    path.write_text(text.replace(find, other[find]))
    verdict, _ = validate(HostDesign(design.path), feeds, Reference(design, feeds))
    assert not verdict["ok"] and verdict["first_wrong_layer"]


def test_weights_of_float32_beside_integers(tmp_path):
    b = Builder(1, np.uint8)
    x = b.quantised(b.input((1, 8, 4, 4)))
    weight, _ = b.weight((8, 8, 3, 3), 0)
    y = b.quantised(b.node("Conv", [x, weight]))
    w = b.constant("w", b.rng.normal(size=(8, 8, 1, 1)).astype(np.float32))
    with pytest.raises(Infeasible, match="weights of float32 are not kept"):
        build(b.model(b.node("ConvTranspose", [y, w])), tmp_path / "design", "folded")


def test_a_wrong_value_is_named(tmp_path):
    model, feeds = chain()
    design = build(model, tmp_path / "design", "base")
    (path,) = (design.path / name for name in design.manifest.kernels)
    before, kernel = path.read_text().split("__kernel void conv1(")
    path.write_text(f"{before}__kernel void conv1({kernel.replace('_rte(', '_rtz(', 1)}")
    verdict, _ = validate(HostDesign(design.path), feeds, Reference(design, feeds))
    assert not verdict["ok"] and verdict["first_wrong_layer"] == "conv1"
    (found,) = (layer["wrong"] for layer in verdict["layers"] if layer["name"] == "conv1")
    assert found.startswith("[") and "in place of" in found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("module", "name"), NODES.items(), ids=NODES)
def test_node_cases(module, name):
    outcome = run_case(node_case(module, f"test_{name}"), "EMULATOR")
    assert outcome.status == "passed", outcome.reason


def sparse(kind, ties):
    """Sparse layers of all kinds of kernels that skip zeros: a window with a border, a 1x1 one, one
    in float32 between integers, a fully connected one; and inputs."""
    b = Builder(7, kind, ties)
    x = b.quantised(b.input((1, 12, 7, 6)))
    for number, (filters, channels, kernel) in enumerate(((20, 12, 3), (24, 20, 1), (16, 24, 3))):
        weight, _ = b.weight((filters, channels, kernel, kernel), 0)
        values = b.constants[b.nodes[-1].input[0]]
        values[b.rng.random(values.shape) < 0.85] = 0
        if number == 1:
            floats = values * np.float32(2.0**-7)  # so that sums are exact
            y = b.node("Sum", [b.node("Conv", [x, b.constant("floats", floats)])])
            b.nodes[-2].name = "conv2"
        else:
            y = b.node("Conv", [x, weight], pads=[kernel // 2] * 4)
            b.nodes[-1].name = f"conv{number + 1}"
        x = b.quantised(y, low=0.2, high=0.4)
    own = list(next(n for n in b.nodes if n.output[0] == x).input[1:])
    flat = b.quantised(b.node("Flatten", [x]), own)
    weight, scale = b.weight((16 * 42, 10), 1)
    values = b.constants[b.nodes[-1].input[0]]
    values[b.rng.random(values.shape) < 0.9] = 0
    y = b.node("Gemm", [flat, weight, b.bias(10, own[0], scale)])
    b.nodes[-1].name = "dense"
    return b.model(b.quantised(y, low=0.2, high=0.6)), b.feeds(2)


@pytest.mark.parametrize(
    ("kind", "skips", "strict"),
    [(np.uint8, (1, 4, 1, 2), True), (np.int8, (1, 2, 1, 4), False)],
    ids=["uint8", "int8"],
)
def test_zeros_are_skipped(kind, skips, strict, tmp_path):
    model, feeds = sparse(kind, ties=True)
    graph = load(model)
    names = ("conv1", "conv2", "conv3", "dense")
    pins = {(name, "nonzeros_per_lane"): n for name, n in zip(names, skips, strict=True)}
    plan = schedule(graph, "pac_d5005", "pipelined", goal=Goal(pins=pins))
    design = generate(graph, plan, tmp_path / "design")
    assert design.source.count("zeros are skipped") == 4
    assert_equal(HostDesign(design.path), feeds, strict=strict)
