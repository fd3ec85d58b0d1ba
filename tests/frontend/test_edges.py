"""Networks at the edges of what ONNX allows: loaded right, or refused in one clear message."""

import numpy as np
import onnx
import pytest

import hlsgen
from hlsgen.errors import HlsgenError
from hlsgen.own_model import OwnModel
from hlsgen.reference import run_network
from tests.support.networks import parse, random_inputs, run_onnxruntime

X, Y, K = "float[1,3,4,4] x", "float[1,3,4,4] y", "<float[3] k = {1,2,3}>"
ACCEPTED = {
    "an unused input of any type and shape": f"({X}, int64[a,b] z) => ({Y}) {{ y = Relu(x) }}",
    "a node that nothing needs": f"({X}, float[a,b] z) => ({Y}) {{ q = Sin(z) y = Relu(x) }}",
    "an input that is an output": f"({X}) => ({Y}, {X}) {{ y = Relu(x) }}",
    "an output twice": f"({X}) => ({Y}, {Y}) {{ y = Relu(x) }}",
    "an empty optional input": f"({X}) => ({Y}) <float b = {{0.5}}> {{ y = Clip(x, , b) }}",
    "all optional inputs empty": f"({X}) => ({Y}) {{ y = Clip(x, , ) }}",
    "an empty bias": f"({X}, float[2,3,1,1] w) => (float[1,2,4,4] y) {{ y = Conv(x, w, ) }}",
    "a constant that holds nothing": f"({X}, float[1,0,4,4] e) => ({Y}) {{ c = Concat<axis=1>(x, "
    f"e) y = Relu(c) }}",
    "a bound weight that is a graph input": f"({X}, float[2,3,1,1] w) => (float[1,2,4,4] y) {{ y = "
    f"Conv(x, w) }}",
}
BRANCHES = (
    "{ y = If<then_branch = g () => (float[1,3,4,4] r) { r = Relu(x) }, "
    "else_branch = h () => (float[1,3,4,4] r) { r = Abs(x) }>(t) }"
)
ACCEPTED["a condition that is known"] = f"({X}) => ({Y}) <bool t = {{1}}> {BRANCHES}"
ACCEPTED["a constant output"] = f"({X}) => ({Y}, float[3] c) {K} {{ y = Relu(x) c = Identity(k) }}"
MASKS = (
    "<float a = {0.1}, float b = {-1000000000.0}, float[2] v = {-1000000000.0, 0.1}, int64 d = {4}>"
)
ACCEPTED["a small number beside a mask"] = (
    f"({X}) => ({Y}) {MASKS} {{ c = Less(x, a) y = Where(c, a, b) }}"
)
ACCEPTED["one hot beside a mask"] = (
    f"({X}) => (float[1,4,3,4,4] y) {MASKS} {{ i = Cast<to=7>(x) y = OneHot<axis=1>(i, d, v) }}"
)
TURNED = "r = Relu(x) t = Transpose<perm=[0,2,3,1]>(r)"
ACCEPTED["scales alike, shifts of another axis than the channels"] = (
    f"({X}) => (float[1,4,4,3] y) <float[4] g = {{1,1,1,1}}, float[4] b = {{1,2,3,4}}> "
    f"{{ {TURNED} y = BatchNormalization(t, g, b, b, g) }}"
)
ACCEPTED["a scale a channel, a shift a row"] = (
    "(float[1,4,4,4] x) => (float[1,4,4,4] y) "
    "<float[4] g = {1,2,3,4}, float[4,1,1] b = {1,2,3,4}> "
    f"{{ {TURNED} y = LayerNormalization<axis=1>(t, g, b) }}"
)
ACCEPTED["turned and turned back"] = (
    f"({X}) => ({Y}) {{ r = Relu(x) t = Transpose(r) c = Clip(t) y = Transpose(c) }}"
)
REFUSED = {
    "computes a constant": f"({X}) => (float[3] c) {K} {{ c = Identity(k) }}",
    "'q' is not an output": f"({X}) => ({Y}, float[3] q) {{ y = Relu(x) }}",
    "axis 1 (0) is dynamic": "(float[1,0,4,4] x) => (float[1,0,4,4] y) { y = Relu(x) }",
    "would have shape": f"({X}) => (float[1,0,4,4] y) <int64[1] a = {{1}}> {{ y = "
    f"Slice(x, a, a, a) }}",
    "'u' has been used": f"({X}) => ({Y}) {{ u = Relu(x) u = Relu(u) y = Relu(u) }}",
    "computes with numbers of type bool (input t)": f"({X}, bool t) => ({Y}) {BRANCHES}",
}
REFUSED["activation_beta"] = (
    "(float[2,1,3] x, float[1,4,3] w, float[1,4,4] r) => (float[2,1,1,4] y) { y = "
    'RNN<hidden_size=4, activations=["HardSigmoid"], activation_beta=[0.3]>(x, w, r) }'
)


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_loaded_right(text):
    model = parse(text, inputs=("x", "z"))
    weights = [tensor for tensor in model.graph.initializer if tensor.name == "w"]
    model.graph.input.extend(
        onnx.helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in weights
    )
    graph = hlsgen.load_graph(model)
    assert [port.name for port in graph.inputs] == ["x"]
    inputs = {"x": random_inputs(model)["x"]}
    wanted = OwnModel(model, {"x": inputs["x"].shape})(inputs)
    found = run_network(graph, inputs)
    assert set(found) == set(wanted)
    for name, value in found.items():
        np.testing.assert_allclose(value, wanted[name][0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("message", "text"), REFUSED.items(), ids=REFUSED)
def test_refused_in_one_message(message, text):
    with pytest.raises(HlsgenError) as raised:
        hlsgen.load_graph(parse(text, inputs=("x", "t")))
    assert message in str(raised.value)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 6, 11])
def test_the_window_of_lrn(size):
    """floor((size - 1) / 2) channels before and ceil((size - 1) / 2) after. onnxruntime takes odd
    sizes alone."""
    model = parse(
        f"(float[1,8,2,3] x) => (float[1,8,2,3] y) {{ y = LRN<size={size}, alpha=0.5, "
        f"bias=1.5>(x) }}"
    )
    inputs = random_inputs(model)
    x = inputs["x"].astype(np.float64)
    first, last = -((size - 1) // 2), -(-(size - 1) // 2)
    shifted = [
        np.pad(x**2, ((0, 0), (8, 8), (0, 0), (0, 0)))[:, 8 + n : 16 + n]
        for n in range(first, last + 1)
    ]
    found = run_network(hlsgen.load_graph(model), inputs)["y"]
    np.testing.assert_allclose(found, x / (1.5 + 0.5 / size * sum(shifted)) ** 0.75, rtol=1e-5)
    if size % 2:
        np.testing.assert_allclose(found, run_onnxruntime(model, inputs)["y"], rtol=1e-5)
