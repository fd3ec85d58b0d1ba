"""Functions that exporters write in parts are recognised by their values, and nothing else is."""

import numpy as np
import pytest

from hlsgen.frontend.load import load
from hlsgen.reference import run_network
from tests.support.networks import parse, random_inputs, run_onnxruntime

HALF = "h = Constant<value_float=0.5>() o = Constant<value_float=1.0>()"
ROOT = "r = Constant<value_float=1.4142135>()"
PARTS = {
    "gelu": f"{HALF} {ROOT} a = Div(t, r) b = Erf(a) c = Add(b, o) d = Mul(t, c) y = Mul(d, h)",
    "gelu_other_order": f"{HALF} {ROOT} a = Div(t, r) b = Erf(a) c = Add(o, b) d = Mul(t, h) "
    "y = Mul(d, c)",
    "gelu_tanh": f"{HALF} k = Constant<value_float=0.044715>() p = Constant<value_float=3.0>() "
    "q = Constant<value_float=0.7978846>() a = Pow(t, p) b = Mul(a, k) c = Add(t, b) "
    "d = Mul(c, q) e = Tanh(d) f = Add(e, o) g = Mul(t, f) y = Mul(g, h)",
    "mish": "a = Softplus(t) b = Tanh(a) y = Mul(t, b)",
    "hard_swish": "k = Constant<value_float=3.0>() l = Constant<value_float=0.0>() "
    "u = Constant<value_float=6.0>() a = Add(t, k) b = Clip(a, l, u) c = Mul(t, b) y = Div(c, u)",
    "sigmoid": f"{HALF} a = Neg(t) b = Exp(a) c = Add(b, o) y = Reciprocal(c)",
    "silu": f"{HALF} a = Neg(t) b = Exp(a) c = Add(b, o) y = Div(t, c)",
}
OTHERS = {
    "another factor": f"{HALF} {ROOT} a = Div(t, r) b = Erf(a) c = Add(b, o) d = Mul(t, c) "
    "k = Constant<value_float=0.501>() y = Mul(d, k)",
    "a factor a channel": f"{HALF} {ROOT} a = Div(t, r) b = Erf(a) c = Add(b, o) d = Mul(t, c) "
    "y = Mul(d, w)",
    "a part that is read elsewhere": "a = Softplus(t) b = Tanh(a) m = Mul(t, b) y = Add(m, a)",
}


def network(nodes):
    return parse(
        "(float[1,5,4,3] x, float[5,1,1] w) => (float[1,5,4,3] y) { "
        f"t = AveragePool<kernel_shape=[1,1]>(x) {nodes} }}"
    )


@pytest.mark.parametrize("name", PARTS)
def test_recognised(name):
    model = network(PARTS[name])
    graph = load(model)
    (layer,) = graph.layers
    assert layer.activation.kind == name.removesuffix("_other_order")
    x = random_inputs(model)
    np.testing.assert_allclose(
        run_network(graph, x)["y"], run_onnxruntime(model, x)["y"], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", OTHERS)
def test_left_as_it_is(name):
    model = network(OTHERS[name])
    graph = load(model)
    assert len(graph.layers) > 2
    x = random_inputs(model)
    np.testing.assert_allclose(
        run_network(graph, x)["y"], run_onnxruntime(model, x)["y"], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("bounded", ["s = Sigmoid(t) m = Mul(t, s) y = Min(m, k)",
                                     "m = Min(t, k) s = Sigmoid(m) y = Mul(m, s)"])  # fmt: skip
def test_a_bound_far_out_stays(bounded):
    model = network(f"k = Constant<value_float=1000.0>() {bounded}")
    x = {"x": np.full((1, 5, 4, 3), 3000, np.float32)}
    assert run_network(load(model), x)["y"].max() == 1000
