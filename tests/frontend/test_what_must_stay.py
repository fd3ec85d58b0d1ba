"""What looks as if it could be folded, fused or joined, and must not be: against onnxruntime, all
outputs."""

import numpy as np
import pytest

import hlsgen
from hlsgen.reference import run_network
from tests.support.networks import parse, random_inputs, run_onnxruntime

BN = "float[4] s, float[4] b, float[4] m, float[4] var"
PADS = "p = Constant<value_ints=[0,0,1,1,0,0,1,1]>()"
SLICED = (
    "a = Constant<value_ints=[2]>() i = Constant<value_ints=[0]>() e = Constant<value_ints=[4]>()"
)

NETWORKS = {
    "a scale of an exported result": f"(float[1,3,5,5] x, float[4,3,3,3] w, {BN}) => "
    "(float[1,4,3,3] t, float[1,4,3,3] "
    "y) "
    "{ t = Conv(x, w) y = BatchNormalization(t, s, b, m, var) }",
    "a scale after a bias": f"(float[1,3,5,5] x, float[4,3,3,3] w, float[4] c, {BN}) => "
    "(float[1,4,3,3] y) "
    "{ t = Conv(x, w, c) y = BatchNormalization(t, s, b, m, var) }",
    "an activation of a shared result": "(float[1,3,3,3] x, float[4,3,1,1] w) => "
    "(float[1,4,3,3] y) "
    "{ t = Conv(x, w) u = "
    "Relu(t) y = Add(t, u) }",
    "a second activation": "(float[1,3,3,3] x, float[4,3,1,1] w) => (float[1,4,3,3] y) "
    "{ t = Conv(x, w) u = "
    "Relu(t) y = Sigmoid(u) }",
    "a pad of an exported result": "(float[1,2,5,5] x, float[3,2,3,3] w) => (float[1,2,7,7] t, "
    f"float[1,3,5,5] y) {{ "
    f"{PADS} t = Pad(x, p) y = Conv(t, w) }}",
    "a pad that is no zero": f"(float[1,2,5,5] x, float[3,2,3,3] w) => (float[1,3,5,5] y) {{ "
    f"{PADS} v = "
    f"Constant<value_float=2.0>() t = Pad(x, p, v) y = Conv(t, w) }}",
    "a pad with two readers": "(float[1,2,5,5] x, float[3,2,3,3] w) => (float[1,3,5,5] y, "
    f"float[1,2,7,7] z) {{ "
    f"{PADS} t = Pad(x, p) y = Conv(t, w) z = Relu(t) }}",
    "a pad before an average with pads": f"(float[1,2,5,5] x) => (float[1,2,7,7] y) {{ {PADS} t = "
    "Pad(x, p) y = "
    f"AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(t) }}",
    "a pad before a maximum": f"(float[1,2,5,5] x) => (float[1,2,5,5] y) {{ {PADS} n = "
    "Neg(x) r = Relu(n) q = "
    f"Neg(r) t = Pad(q, p) y = MaxPool<kernel_shape=[3,3]>(t) }}",
    "a gate that is an output": "(float[1,2,4,4] x, float[2,2,1,1] w) => (float[1,2,4,4] s, "
    "float[1,2,4,4] y) { "
    "t = Conv(x, w) s = Sigmoid(t) y = Mul(t, s) }",
    "a gate with two readers": "(float[1,2,4,4] x, float[2,2,1,1] w) => (float[1,2,4,4] y) "
    "{ t = Conv(x, w) s = "
    "Sigmoid(t) u = Mul(t, s) y = Add(u, s) }",
    "a gate of another value": "(float[1,2,4,4] x, float[2,2,1,1] w) => (float[1,2,4,4] y) "
    "{ t = Conv(x, w) s = "
    "Sigmoid(t) y = Mul(x, s) }",
    "two pads of other values": f"(float[1,2,3,3] x) => (float[1,2,7,7] y) {{ {PADS} u = "
    "Constant<value_float=1.0>() v = Constant<value_float=2.0>() "
    "t = Pad(x, p, u) y = Pad(t, p, v) }",
    "a movement that is an output": "(float[1,2,6,4] x) => (float[1,2,4,4] t, "
    f"float[1,2,6,6] y) {{ "
    f"{PADS} {SLICED} t "
    f"= Slice(x, i, e, a) y = Pad(t, p) }}",
    "a movement with two readers": f"(float[1,2,6,4] x) => (float[1,2,6,6] y, float[1,2,4,4] z) {{ "
    f"{PADS} {SLICED} t "
    f"= Slice(x, i, e, a) y = Pad(t, p) z = Relu(t) }}",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_onnxruntimes(name):
    model = parse(NETWORKS[name])
    inputs = random_inputs(model)
    found = run_network(hlsgen.load_graph(model), inputs)
    expected = run_onnxruntime(model, inputs)
    assert set(found) == set(expected)
    for output, value in expected.items():
        np.testing.assert_allclose(found[output], value, rtol=1e-4, atol=1e-5)
