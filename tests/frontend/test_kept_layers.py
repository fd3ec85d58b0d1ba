"""What may not be folded or fused, because the value between is a result of the network or the
result would be another."""

import numpy as np
import pytest

import hlsgen
from hlsgen.reference import run_network
from tests.support.networks import parse, random_inputs, run_onnxruntime

BN = "float[4] s, float[4] b, float[4] m, float[4] var"
X = "float[1,4,5,5] x"
MAP = "float[1,4,5,5]"
BORDER = "<int64[8] p = {0,0,1,1,0,0,1,1}>"
ORDER = "<int64[5] i = {4,2,0,1,3}>"
EXPORTED = {
    "scale": (
        "t",
        f"{X}, float[4,4,1,1] w, {BN}",
        "t = Conv(x, w) y = BatchNormalization(t, s, b, m, var)",
        ["conv", "scale"],
    ),
    "gate": ("g", X, "g = Sigmoid(x) y = Mul(x, g)", ["activation", "binary"]),
    "movement": ("t", X, "t = Gather<axis=2>(x, i) y = Gather<axis=3>(t, i)", ["gather", "gather"]),
    "activation": (
        "t",
        f"{X}, float[4,4,1,1] w",
        "t = Conv(x, w) y = Relu(t)",
        ["conv", "activation"],
    ),
}


def check(model, ops):
    graph = hlsgen.load_graph(model)
    inputs = random_inputs(model)
    found = run_network(graph, inputs)
    for name, value in run_onnxruntime(model, inputs).items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5)
    assert [layer.op for layer in graph.layers] == ops


@pytest.mark.parametrize(("name", "inputs", "body", "ops"), EXPORTED.values(), ids=EXPORTED)
def test_a_value_that_is_an_output_stays(name, inputs, body, ops):
    check(parse(f"({inputs}) => ({MAP} y, {MAP} {name}) {ORDER} {{ {body} }}"), ops)


def test_a_pad_that_is_an_output_stays():
    text = (
        f"({X}, float[4,4,3,3] w) => ({MAP} y, float[1,4,7,7] t) {BORDER} {{ t = Pad(x, "
        f"p) y = Conv(t, w) }}"
    )
    check(parse(text), ["gather", "conv"])


@pytest.mark.parametrize(
    ("attributes", "ops"),
    [
        ("kernel_shape=[3,3]", ["average_pool"]),
        ("kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=1", ["average_pool"]),
        # The pool's own pads do not count, those of Pad do.
        ("kernel_shape=[3,3], pads=[1,1,1,1]", ["gather", "average_pool"]),
        (
            "kernel_shape=[3,3], pads=[1,0,0,0], strides=[2,2], ceil_mode=1",
            ["gather", "average_pool"],
        ),
    ],
)
def test_a_pad_before_an_average(attributes, ops):
    model = parse(
        f"({X}) => (float[1,4,h,w] y) {BORDER} {{ t = Pad(x, p) y = AveragePool<{attributes}>(t) }}"
    )
    check(model, ops)
