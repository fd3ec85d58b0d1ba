"""The methods against plain numpy, for every kind of layer and place of its weights."""

import numpy as np
import pytest
from onnx import numpy_helper

from hlsgen.data.evaluate import Evaluator, Score
from hlsgen.data.pictures import Pictures
from hlsgen.sparsify import sparsify
from hlsgen.sparsify.norms import input_norms
from hlsgen.sparsify.reconstruct import Calibration
from hlsgen.sparsify.search import Searcher
from tests.support.networks import parse, run_onnxruntime

CHAIN = """(float[1,3,8,8] x, float[8,3,3,3] a, float[12,8,1,1] b, float[10,432] f) =>
(float[1,10] y) {
t = Conv(x, a) u = Relu(t) v = Conv(u, b) g = Flatten(v) y = Gemm<transB=1>(g, f) }"""


def weights(model):
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def chain():
    """Layers whose largest weights differ, the last's least, so that one threshold is not the
    triangle's."""
    model = parse(CHAIN)
    for tensor, largest in zip(model.graph.initializer, (1.0, 0.5, 0.125), strict=True):
        values = numpy_helper.to_array(tensor)
        tensor.CopyFrom(
            numpy_helper.from_array(
                values * np.float32(largest / np.abs(values).max()), tensor.name
            )
        )
    return model


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("share", [0.1, 0.2])
def test_triangular_thresholds_lie_on_a_line(slope, share):
    """For a sparsity: tau_l = s * (m_1 + (l - 1) / (L - 1) * (slope * m_L - m_1)), m the largest
    weights, s as the count wants it."""
    old = weights(chain())
    line = np.array([1.0, (1.0 + slope * 0.125) / 2, slope * 0.125])
    steepness = np.concatenate(
        [np.abs(w).ravel() / t for w, t in zip(old.values(), line, strict=True)]
    )
    count = round(share * steepness.size)
    cut = np.sort(steepness)[count - 1 : count + 1].mean()
    result = sparsify(chain(), "triangular", sparsity=share, slope=slope)
    for (name, new), tau in zip(weights(result.model).items(), cut * line, strict=True):
        np.testing.assert_array_equal(new == 0, np.abs(old[name]) <= tau)
    assert result.weights - result.kept == count


@pytest.mark.parametrize("method", ["flat", "global"])
def test_one_threshold_for_all(method):
    old = np.concatenate([w.ravel() for w in weights(chain()).values()])
    count = round(0.3 * old.size)
    new = np.concatenate(
        [w.ravel() for w in weights(sparsify(chain(), method, sparsity=0.3).model).values()]
    )
    np.testing.assert_array_equal(
        np.sort(np.flatnonzero(new == 0)), np.sort(np.argsort(np.abs(old))[:count])
    )


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        ("(float[1,6] x, float[5,6] w) => (float[1,5] y) { y = Gemm<transB=1>(x, w) }", 0),
        ("(float[1,6] x, float[6,5] w) => (float[1,5] y) { y = Gemm(x, w) }", 1),
        ("(float[1,6] x, float[6,5] w) => (float[1,5] y) { y = MatMul(x, w) }", 1),
        ("(float[1,6,3,3] x, float[5,6,1,1] w) => (float[1,5,3,3] y) { y = Conv(x, w) }", 0),
        (
            "(float[1,6,3,3] x, float[6,5,1,1] w) => (float[1,5,3,3] y) { y = "
            "ConvTranspose(x, w) }",
            1,
        ),
    ],
    ids=["Gemm transB", "Gemm", "MatMul", "Conv", "ConvTranspose"],
)
def test_wanda_weighs_each_weight_with_its_own_input(text, outputs):
    """Half of each filter goes: the least |w| times the norm of the input channel that w
    multiplies."""
    model = parse(text)
    scale = np.array([9, 5, 1, 0.5, 0.1, 0.01], np.float32).reshape(
        6, *(1,) * (text.count(",3,3]") > 0) * 2
    )
    shape = (4, *(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:]))
    x = np.random.default_rng(1).standard_normal(shape, dtype=np.float32) * scale
    norms = np.sqrt((np.moveaxis(x, 1, 0).reshape(6, -1).astype(float) ** 2).sum(axis=1))
    old, new = (
        np.moveaxis(weights(m)["w"], outputs, 0).reshape(5, 6)
        for m in (model, sparsify(model, "wanda", sparsity=0.5, norms=input_norms(model, x)).model)
    )
    for before, after in zip(old, new, strict=True):
        np.testing.assert_array_equal(
            np.flatnonzero(after == 0), np.sort(np.argsort(np.abs(before) * norms)[:3])
        )


def test_norms_are_of_all_pictures():
    """Of a network of one image and of one that takes any number, 40 at a time being more than a
    batch."""
    x = np.random.default_rng(2).standard_normal((40, 6), dtype=np.float32)
    for images in ("1", "n"):
        model = parse(
            f"(float[{images},6] x, float[6,5] w) => (float[{images},5] y) {{ y = MatMul(x, w) }}"
        )
        np.testing.assert_allclose(
            input_norms(model, x)["y"], np.sqrt((x.astype(float) ** 2).sum(axis=0)), rtol=1e-6
        )


def test_weights_of_constant_nodes_are_sparsified_in_place():
    text = (
        "(float[1,4] x, float[3,2] b) => (float[1,2] y) { w = Constant<value = "
        "float[4,3] {1,-2,3,-4,5,-6,7,-8,9,-10,11,-12}>() "
    )
    model = parse(text + "h = MatMul(x, w) y = MatMul(h, b) }")
    result = sparsify(model, "global", sparsity=6 / 12, spare=["b"])
    found = numpy_helper.to_array(result.model.graph.node[0].attribute[0].t)
    expected = np.array([0, 0, 0, 0, 0, 0, 7, -8, 9, -10, 11, -12], np.float32).reshape(4, 3)
    np.testing.assert_array_equal(found, expected)
    x = np.ones((1, 4), np.float32)
    np.testing.assert_allclose(
        run_onnxruntime(result.model, {"x": x})["y"], x @ expected @ weights(model)["b"], rtol=1e-5
    )
    assert (result.weights, result.kept) == (12, 6) and result.layers[0].threshold == 6


def test_a_threshold_takes_its_equal():
    """w <- 0 where |w| <= tau, and of equals as many as the count wants, the first ones first."""
    text = (
        "(float[1,4] x) => (float[1,3] y) { w = Constant<value = float[4,3] "
        "{1,-1,1,-2,2,-2,3,3,3,4,4,4}>() y = MatMul(x, w) }"
    )

    def kept(**options):
        node = sparsify(parse(text), **options).model.graph.node[0]
        return numpy_helper.to_array(node.attribute[0].t).ravel().tolist()

    assert kept(method="flat", threshold=[2.0]) == [0] * 6 + [3] * 3 + [4] * 3
    for method in ("flat", "global", "relative"):
        assert kept(method=method, sparsity=4 / 12) == [0, 0, 0, 0, 2, -2, 3, 3, 3, 4, 4, 4]


def test_a_constant_that_two_nodes_share_counts_once():
    text = (
        "(float[1,2] x) => (float[1,2] y) { w = Constant<value = float[2,2] {1,2,3,4}>() "
        "h = MatMul(x, w) y = MatMul(h, w) }"
    )
    result = sparsify(parse(text), "global", sparsity=0.5)
    assert (result.weights, result.kept) == (4, 2) and [layer.name for layer in result.layers] == [
        "h"
    ]


def test_a_constant_may_carry_the_name_of_another_weight():
    """Names inside a Constant node mean nothing: both weights are sparsified."""
    text = (
        "(float[1,2] x, float[2,2] b) => (float[1,2] y) { h = MatMul(x, b) w = "
        "Constant<value = float[2,2] {1,2,3,4}>() y = MatMul(h, w) }"
    )
    model = parse(text)
    model.graph.node[1].attribute[0].t.name = "b"
    result = sparsify(model, "relative", sparsity=0.5)
    assert (result.weights, result.kept) == (8, 4)
    assert (numpy_helper.to_array(result.model.graph.node[1].attribute[0].t) == 0).sum() == 2


def test_the_report_says_what_was_done():
    result = sparsify(chain(), "flat", threshold=[0.05])
    old, new = weights(chain()), weights(result.model)
    for layer, before, after in zip(result.layers, old.values(), new.values(), strict=True):
        gone = np.abs(before)[after == 0]
        assert (layer.weights, layer.kept) == (before.size, np.count_nonzero(after))
        assert layer.threshold == gone.max() <= 0.05 and layer.span == np.abs(before).max()
    told = result.to_dict()
    zeros = sum(int((w == 0).sum()) for w in new.values())
    assert told["sparsity"] == zeros / told["weights"] and told["dense_bytes"] == 4 * sum(
        w.size for w in old.values()
    )
    assert told["compression"] == told["weights"] / (told["weights"] - zeros)


def test_accuracy_is_counted():
    """Top-1 and top-5 of scores that are the picture itself."""
    model = parse("(float[1,6] x) => (float[1,6] y) { y = Relu(x) }")
    x = np.array([[6, 5, 4, 3, 2, 1]] * 4, np.float32)
    pictures = Pictures(x, np.array([0, 1, 4, 5]))
    assert Evaluator(model, pictures).reference == Score(1, 4)
    assert Evaluator(model, pictures, "top5").reference == Score(3, 4)


def test_a_budget_is_kept_to_the_picture():
    """No more than the allowed points below the dense network, itself counted on the same pictures;
    exactly as many is within."""
    model = parse("(float[1,6] x, float[6,6] w) => (float[1,6] y) { y = MatMul(x, w) }")
    pictures = Pictures(np.eye(6, dtype=np.float32)[[0, 1, 2, 3]], np.array([0, 1, 2, 3]))
    evaluator = Evaluator(model, pictures)
    evaluator.reference = Score(4, 4)
    searcher = Searcher(model, evaluator, 0.25)
    evaluator.scores |= {"three": Score(3, 4), "two": Score(2, 4)}
    assert searcher.good("three", lambda: None) and not searcher.good("two", lambda: None)


def test_what_is_left_out_is_named():
    text = """(float[1,6,3,3] x, float[6,1,1,1] d, float[4,6,1,1] c, float[3,3] s, float16[2,3] h)
    => (float[1,4,3,3] y, float[1,4,3,3] z, float16[2,2] g) {
    a = Conv<group=6>(x, d) b = Conv(a, c) y = MatMul(b, b) z = MatMul(y, s)
    t = Constant<value = float16[3,2] {1,2,3,4,5,6}>() g = MatMul(h, t) }"""
    assert sparsify(parse(text), "relative", sparsity=0.5, spare=["s"]).left_out == {
        "a": "depthwise",
        "y": "its weights are computed",
        "z": "spared",
        "g": "its weights are float16",
    }


def test_constants_come_through_identity_and_what_changes_them_is_named():
    """One tensor of two names is one layer, and reconstruction sees both its readers."""
    text = """(float[1,4] x, float[4,4] w, float[4,3] t) => (float[1,3] y, float[1,4] z) {
    i = Identity(w) h = MatMul(x, i) g = MatMul(h, w) z = Relu(g)
    k = Cast<to = 1>(t) y = MatMul(g, k) }"""
    model = parse(text)
    x = np.random.default_rng(3).standard_normal((12, 4), dtype=np.float32)
    for calibration in (None, Calibration(x)):
        result = sparsify(model, "relative", sparsity=0.5, calibration=calibration)
        assert [(layer.name, layer.kept) for layer in result.layers] == [("h", 8)]
        assert result.left_out == {"y": "its weights come through Cast"}
        old, new = weights(model)["w"], weights(result.model)["w"]
        order = np.argsort(np.abs(old).ravel())
        np.testing.assert_array_equal(np.flatnonzero(new == 0), np.sort(order[:8]))
        run_onnxruntime(result.model, {"x": x[:1]})
