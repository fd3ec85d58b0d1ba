"""A first axis that is worked along is no number of images, although shapes do not show it; and a
window of channels by its definition."""

import numpy as np
import pytest

import hlsgen
from hlsgen.errors import HlsgenError
from hlsgen.reference import run_network
from tests.support.networks import parse, random_inputs

MIXING = {
    "transposed": "(float[3,3,5,5] x) => (float[3,3,5,5] y) { r = Relu(x) y = "
    "Transpose<perm=[1,0,2,3]>(r) }",
    "reversed axes": "(float[3,4,3] x) => (float[3,4,3] y) { r = Relu(x) y = Transpose(r) }",
    "of another rank": "(float[3,3,4] x) => (float[3,3,4] y) { a = Constant<value_ints=[1]>() m = "
    "ReduceSum<keepdims=0>(x, a) y = Add(x, m) }",
    "turned round": "(float[3,5,2,2] x) => (float[3,5,2,2] y) { b = "
    "Constant<value_ints=[-1]>() e = "
    "Constant<value_ints=[-9]>() "
    "a = Constant<value_ints=[0]>() s = Constant<value_ints=[-1]>() r = Relu(x) y = "
    "Slice(r, b, e, a, s) }",
    "softmax": "(float[3,5] x) => (float[3,5] y) { y = Softmax<axis=0>(x) }",
    "added up": "(float[3,5] x) => (float[3,5] y) { a = Constant<value_ints=[0]>() y = "
    "CumSum(x, a) }",
    "along no axis": "(float[3,5] x) => (float[3,5] y) <int64[0] a = {}> { y = CumSum(x, a) }",
}


@pytest.mark.parametrize("name", MIXING)
def test_images_that_mix_are_not_taken_one_by_one(name):
    try:
        graph = hlsgen.load_graph(parse(MIXING[name]))
    except HlsgenError:
        return  # to refuse it is right too
    assert graph.inputs[0].view.value_shape[0] == 3


def test_images_that_do_not_mix_are():
    graph = hlsgen.load_graph(
        parse(
            "(float[3,3,5,5] x) => (float[3,5,5,3] y) { r = Relu(x) y = "
            "Transpose<perm=[0,2,3,1]>(r) }"
        )
    )
    assert graph.inputs[0].view.value_shape == (1, 3, 5, 5)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_lrn_by_its_definition(size):
    """ONNX: the sum runs from c - floor((size - 1) / 2) to c + ceil((size - 1) / 2). onnxruntime
    takes odd sizes alone."""
    model = parse(
        f"(float[1,7,2,3] x) => (float[1,7,2,3] y) {{ y = LRN<size={size}, alpha=0.5, "
        f"beta=0.6, bias=1.5>(x) }}"
    )
    inputs = random_inputs(model)
    x, before, after = inputs["x"][0].astype(float), (size - 1) // 2, -(-(size - 1) // 2)
    sums = np.stack([(x[max(c - before, 0) : c + after + 1] ** 2).sum(axis=0) for c in range(7)])
    np.testing.assert_allclose(
        run_network(hlsgen.load_graph(model), inputs)["y"][0],
        x / (1.5 + 0.5 / size * sums) ** 0.6,
        rtol=1e-5,
    )
