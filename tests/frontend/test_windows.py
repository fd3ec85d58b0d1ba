"""Windows whose place follows from attributes, against onnxruntime."""

import itertools

import numpy as np
import pytest

import hlsgen
from hlsgen.reference import run_network
from tests.support.networks import parse, random_inputs, run_onnxruntime

POOLS = [
    f"y = {pool}<kernel_shape=[{k},{k}], strides=[{s},{s}], {extra}>(x)"
    for pool, (k, s) in itertools.product(
        ("MaxPool", "AveragePool"), ((2, 1), (2, 2), (3, 1), (3, 2), (3, 3))
    )
    for extra in (
        'auto_pad="SAME_UPPER"',
        'auto_pad="SAME_LOWER"',
        "ceil_mode=1",
        "ceil_mode=1, pads=[1,1,1,1]",
        "pads=[0,1,1,0]",
    )
]
OTHERS = [
    'y = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, w)',
    'y = Conv<auto_pad="SAME_LOWER", strides=[2,2]>(x, w)',
    "y = Conv<dilations=[2,1], pads=[2,0,1,1]>(x, w)",
    "y = AveragePool<kernel_shape=[2,2], pads=[1,1,0,0], count_include_pad=1>(x)",
    "s = Shape<start=1, end=3>(x) k = Constant<value_ints=[-1]>() t = "
    "Concat<axis=0>(s, k) r = Reshape(x, t) n = Constant<value_ints=[0]>() y = "
    "Unsqueeze(r, n)",
    "s = Shape<start=-2, end=-1>(x) k = Constant<value_ints=[1,2,-1]>() t = "
    "Concat<axis=0>(k, s) y = Reshape(x, t)",
]


@pytest.mark.parametrize("body", [*POOLS, *OTHERS])
def test_windows_are_onnxruntimes(body):
    model = parse(f"(float[1,2,6,5] x, float[3,2,3,2] w) => (float[a,b,c,d] y) {{ {body} }}")
    inputs = random_inputs(model)
    expected, found = (
        run_onnxruntime(model, inputs)["y"],
        run_network(hlsgen.load_graph(model), inputs)["y"],
    )
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
