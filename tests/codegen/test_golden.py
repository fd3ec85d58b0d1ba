"""The generated OpenCL of small networks, word for word. Renew with `make golden` and read the
difference."""

import itertools
from pathlib import Path

import pytest

from hlsgen.sparsify import sparsify
from tests.emulator.test_ablation import MOVEMENT
from tests.support.networks import NO_PREFIX, build, parse
from tests.support.quantised import joined_network

GOLDEN = Path(__file__).parent / "golden"

NETWORKS = {
    "residual": """(float[1,3,8,8] x, float[8,3,3,3] a, float[8] ab, float[8,8,3,3] b, float[8] s,
float[8] t, float[8] m,
float[8] var, float[10,8] f, float[10] fb) => (float[1,10] y) {
  stem = Conv<pads=[1,1,1,1]>(x, a, ab) stem_relu = Relu(stem)
  inner = Conv<pads=[1,1,1,1]>(stem_relu, b)
  normalised = BatchNormalization(inner, s, t, m, var) joined = Add(normalised,
  stem_relu) joined_relu = Relu(joined)
  pooled = GlobalAveragePool(joined_relu) flat = Flatten(pooled)
  scores = Gemm<transB=1>(flat, f, fb) y = Softmax(scores) }""",
    "separable": """(float[1,8,9,9] x, float[8,1,3,3] d, float[16,8,1,1] p) => (float[1,16,2,2] y) {
  depthwise = Conv<group=8, strides=[2,2], pads=[1,1,1,1]>(x, d) depthwise_relu = Relu(depthwise)
  low = Constant<value_float=0.0>() high = Constant<value_float=6.0>()
  pointwise = Conv(depthwise_relu, p) clipped = Clip(pointwise, low, high)
  y = AveragePool<kernel_shape=[3,3], strides=[3,3], pads=[1,1,0,0]>(clipped) }""",
    "movement": MOVEMENT,
    "sparse": """(float[1,24,4,4] x, float[32,24,1,1] p, float[32] pb, float[512,40] f,
float[40] fb) => (float[1,40] y) {
  pointwise = Conv(x, p, pb) pointwise_relu = Relu(pointwise) flat = Flatten(pointwise_relu)
  y = Gemm(flat, f, fb) }""",
}
# A stem and pooling as a prefix.
AHEAD = """(float[1,3,9,9] x, float[16,3,3,3] a, float[16] ab, float[16,16,3,3] b,
float[24,16,1,1] c) => (float[1,24,3,3] y) {
  stem = Conv<pads=[1,1,1,1]>(x, a, ab) stem_relu = Relu(stem)
  pooled = MaxPool<kernel_shape=[3,3], strides=[3,3]>(stem_relu)
  inner = Conv<pads=[1,1,1,1]>(pooled, b) inner_relu = Relu(inner)
  joined = Add(inner_relu, pooled) y = Conv(joined, c) }"""
# Weights of a convolution and of the fully connected layer stream from memory, each by itself or
# both from one bank.
STRIPS = {("inner", "row_tiles"): 2, ("scores", "row_tiles"): 1}
BANK = STRIPS | {("memory", "weight_readers"): 1}
STREAMED = ("row_tiles", "weight_bank")
SPARSITY = {"sparse": 0.85}


@pytest.mark.parametrize(
    ("name", "style", "images", "pins"),
    [
        *(
            (name, style, 1, {})
            for name, style in itertools.product(NETWORKS, ["base", "pipelined", "folded"])
        ),
        ("separable", "hybrid", 1, NO_PREFIX),
        ("ahead", "hybrid", 2, {("prefix", "layers"): 2}),
        ("residual", "folded", 4, {}),
        ("row_tiles", "pipelined", 1, STRIPS),
        ("weight_bank", "pipelined", 1, BANK),
        ("integers", "folded", 1, {}),
    ],
)
def test_generated_text(name, style, images, pins, tmp_path, request):
    others = {"ahead": AHEAD} | dict.fromkeys(STREAMED, NETWORKS["residual"])
    model = joined_network()[0]
    if text := (NETWORKS | others).get(name):
        model = sparsify(parse(text), "relative", sparsity=SPARSITY.get(name, 0.0)).model
    design = build(model, tmp_path / "design", style, board="pac_a10", images=images, pins=pins)
    style += f"_{images}_images" if images > 1 else ""
    for file in ("kernels/network.cl", "Makefile"):
        golden = GOLDEN / f"{name}_{style}{Path(file).suffix or '.make'}"
        text = (design.path / file).read_text()
        if request.config.getoption("--update-golden"):
            GOLDEN.mkdir(exist_ok=True)
            golden.write_text(text)
        assert text == golden.read_text(), (
            f"{golden.name} differs: look, then renew it with `make golden`"
        )


def test_users_text_cannot_leave_a_comment(tmp_path):
    """Names and reasons come from files; none may become code."""
    model = parse("(float[1,2,4,4] x, float[2,2,1,1] w) => (float[1,2,4,4] y) { y = Conv(x, w) }")
    model.graph.node[0].name = "a\n#error injected\\\n*/ {% raise %}"
    design = build(model, tmp_path / "design", "base")
    lines = design.source.split("\n")
    assert not any(line.strip().startswith("#error") for line in lines)
    assert all(
        line.startswith("//")
        for line in lines
        if "injected" in line and "__kernel" not in line and "error_injected" not in line
    )
