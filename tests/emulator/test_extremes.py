"""Every activation and every normalisation from -1000 to 1000, element by element, in every
style."""

import warnings

import numpy as np
import pytest
from onnx import numpy_helper

import hlsgen
from hlsgen.activation import KINDS
from hlsgen.host.runner import run
from hlsgen.ort_tolerance import onnxruntime_errors
from hlsgen.reference import run_network
from tests.support.networks import NO_PINS, NO_PREFIX, build, parse, run_onnxruntime

# exp leaves float32 above 88.72 and its normal numbers below -87.34; 2^127 and 2^-149 are float32's
# largest power and smallest number.
NEAR = np.array(
    [
        86,
        87,
        87.3,
        87.4,
        88,
        88.02,
        88.37,
        88.7,
        88.72,
        88.73,
        89,
        103.9,
        103.98,
        104,
        105,
        126,
        127,
        128,
        149,
        710,
    ]
)
TINY = np.array([1e-45, 1e-40, 1.2e-38, 1e-30, 1e-20, 1e-10, 6e-8, 1e-7, 1e-5, 1e-3])
MAGNITUDES = np.concatenate(
    [NEAR, TINY, [9, 15.9, 17, 18, 1000], np.linspace(0.1, 20, 67), np.linspace(25, 995, 60)]
)
# 13 channels: no vector of channels is full.
POINTS = (
    np.concatenate([[0.0], MAGNITUDES, [-0.0], -MAGNITUDES, [1.0]])
    .astype(np.float32)[: 13 * 25]
    .reshape(1, 13, 5, 5)
)

# Outputs by name. The last two are depthwise layers that stream into 1x1 convolutions in hybrid
# designs.
NODES = """
    relu = Relu(x) leaky_relu = LeakyRelu<alpha=0.1>(x) sigmoid = Sigmoid(x) tanh = Tanh(x)
    exp = Exp(x) log = Log(x) sqrt = Sqrt(x)
    reciprocal = Reciprocal(x) abs = Abs(x) elu = Elu<alpha=0.7>(x) selu = Selu(x)
    softplus = Softplus(x) softsign = Softsign(x)
    hard_sigmoid = HardSigmoid<alpha=0.3>(x) hard_swish = HardSwish(x) gate = Sigmoid(x)
    silu = Mul(x, gate) prelu = PRelu(x, slope)
    low = Constant<value_float=-90.0>() high = Constant<value_float=89.0>()
    clip = Clip(x, low, high)
    softmax = Softmax<axis=1>(x) log_softmax = LogSoftmax<axis=1>(x) lrn = LRN<size=3, alpha=0.5>(x)
    rsqrt = InstanceNormalization(x, scale, bias)
    two = Constant<value_float=2.0>() square = Pow(x, two)
    part = Constant<value_float=1.7>() power = Pow(x, part)
    sin = Sin(x) cos = Cos(x)
    erf = Erf(x) gelu = Gelu(x) gelu_tanh = Gelu<approximate="tanh">(x) mish = Mish(x)
    celu = Celu<alpha=0.7>(x) sign = Sign(x) floor = Floor(x) ceil = Ceil(x) rint = Round(x)
    whole = Cast<to=7>(x) trunc = Cast<to=1>(whole)
    p = GreaterOrEqual(x, low) at_least = Cast<to=1>(p) q = LessOrEqual(x, low)
    at_most = Cast<to=1>(q) zero = Constant<value_float=0.0>() r = Greater(x, zero)
    above = Cast<to=1>(r) s = Less(x, high) below = Cast<to=1>(s) t = Equal(x, high)
    equal = Cast<to=1>(t)
    axis = Constant<value_ints=[1]>() mean = ReduceMean(square, axis) norm = Sqrt(mean)
    unit = Div(x, norm) a = Conv<group=13>(x, ones) b = Sigmoid(a)
    paired_sigmoid = Conv(b, identity)
    c = Conv<group=13>(x, ones) d = Sigmoid(c) e = Mul(c, d) paired_silu = Conv(e, identity)"""
OUTPUTS = (
    *KINDS,
    "prelu",
    "softmax",
    "log_softmax",
    "lrn",
    "unit",
    "paired_sigmoid",
    "paired_silu",
)
WEIGHTS = {
    "slope": np.full((13, 1, 1), 0.25),
    "scale": np.ones(13),
    "bias": np.zeros(13),
    "ones": np.ones((13, 1, 1, 1)),
    "identity": np.eye(13)[:, :, None, None],
}
# A sum of values up to 1000, or a difference of numbers near 1, is rounded: absolute errors. All
# else: relative, above 1e-36.
ABSOLUTE = {"hard_sigmoid": 1e-7, "hard_swish": 1e-6, "log_softmax": 1e-4, "rsqrt": 1e-5}
# So is 1 plus erf or tanh, times x, where both nearly cancel.
ABSOLUTE |= {"gelu": 5e-7, "gelu_tanh": 5e-7}


def network():
    """All functions of one input."""
    outputs = ", ".join(f"float[1,13,5,5] {name}" for name in OUTPUTS)
    weights = ", ".join(f"float{list(array.shape)} {name}" for name, array in WEIGHTS.items())
    model = parse(f"(float[1,13,5,5] x, {weights}) => ({outputs}) {{ {NODES} }}", opset=20)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(
            numpy_helper.from_array(WEIGHTS[tensor.name].astype(np.float32), tensor.name)
        )
    return model


def test_references_are_those_of_onnxruntime():
    """Within float32's rounding, and what onnxruntime's own functions are off by.

    Its LRN slides a sum of squares, which keeps the rounding of 1000^2 where the window has moved
    on to 3^2.
    """
    model, graph = network(), hlsgen.load_graph(network())
    expected, doubts = run_network(graph, {"x": POINTS}), onnxruntime_errors(graph, {"x": POINTS})
    for name, found in run_onnxruntime(model, {"x": POINTS}).items():
        same = (found == expected[name]) | (np.isnan(found) & np.isnan(expected[name]))
        with np.errstate(invalid="ignore"):
            beyond = (
                np.abs(found - expected[name])
                - doubts[name]
                - (ABSOLUTE | {"lrn": 1e-3}).get(name, 1e-36)
            )
            assert (same | (beyond <= 1e-6 * np.abs(expected[name]))).all(), name


# "base" is compiled without relaxed arithmetic, the others with it. The search is shorter on this
# board than on the default one.
@pytest.mark.emulator
@pytest.mark.parametrize("style", ["base", "pipelined", "folded", "hybrid"])
def test_right_for_every_value(style, tmp_path):
    model = network()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # infinities of the references are no news
        expected = run_network(hlsgen.load_graph(model), {"x": POINTS})
    pins = NO_PREFIX if style == "hybrid" else NO_PINS
    # All these kernels side by side need the larger board.
    board = "pac_d5005" if style == "pipelined" else "pac_a10"
    design = build(model, tmp_path / "design", style, board=board, pins=pins)
    assert (style == "hybrid") == ("depthwise_to_" in design.source)
    found = run(design, {"x": POINTS}).outputs
    # A zero's sign may be lost on the way, and with it that of 1 / 0.
    expected["reciprocal"], found["reciprocal"] = (
        np.where(POINTS == 0, np.abs(value), value)
        for value in (expected["reciprocal"], found["reciprocal"])
    )
    for name in OUTPUTS:
        np.testing.assert_allclose(
            found[name], expected[name], 1e-6, ABSOLUTE.get(name, 1e-36), err_msg=name
        )
