"""Reconstruction: the choice of weights and their values against plain numpy, exact counts, what
may shift a result, and the command."""

import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from hlsgen.cli.main import main
from hlsgen.sparsify import sparsify
from hlsgen.sparsify.reconstruct import DAMPING, Calibration
from hlsgen.sparsify.surgeon import fitted, form
from tests.support.networks import parse, run_onnxruntime

NETWORK = """(float[1,3,8,8] x, float[8,3,3,3] a, float[8] ab, float[8,1,3,3] d, float[8,4,3,3] g,
float[12,8,1,1] b, float[12] gamma, float[12] beta, float[12] mean, float[12] variance,
float[300,10] f, float[10] fb) => (float[1,10] y) {
t = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, a, ab) r = Relu(t)
u = Conv<group=8, pads=[1,1,1,1]>(r, d) s = Conv<group=2, pads=[1,1,2,2]>(u, g) v = Conv(s, b)
n = BatchNormalization(v, gamma, beta, mean, variance) m = Relu(n) q = Flatten(m)
y = Gemm(q, f, fb) }"""


def weights(model):
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def inputs(count, *shape):
    """Pictures whose channels and neighbours are alike."""
    random = np.random.default_rng(5)
    plain = random.standard_normal((count, *shape), dtype=np.float32)
    for axis in range(1, plain.ndim):
        plain = plain + np.roll(plain, 1, axis)
    return plain


@pytest.fixture
def network():
    model = parse(NETWORK)
    for tensor in model.graph.initializer:
        if tensor.name == "variance":
            tensor.CopyFrom(numpy_helper.from_array(np.full(12, 2, np.float32), tensor.name))
    return model


def test_kept_weights_are_the_least_squares_solution():
    """Of each row by itself, with a bias, damped towards the dense weights: numpy's lstsq on the
    samples, with a row of the damping for each weight."""
    text = "(float[1,6] x, float[6,5] w, float[5] b) => (float[1,5] y) { y = Gemm(x, w, b) }"
    model, x = parse(text), inputs(40, 6) + 1
    old = weights(model)
    new = weights(sparsify(model, "relative", sparsity=0.5, calibration=Calibration(x)).model)
    assert (new["w"] == 0).sum() == 15
    exact = x.astype(np.float64)
    ridge = np.sqrt(DAMPING * np.square(exact).mean() * len(x))
    for row in range(5):
        kept = np.flatnonzero(new["w"][:, row])
        samples = np.vstack(
            [
                np.column_stack([exact[:, kept], np.ones(len(x))]),
                np.eye(6)[:, kept].reshape(6, -1) @ np.eye(len(kept), len(kept) + 1) * ridge,
            ]
        )
        wanted = np.concatenate(
            [exact @ old["w"][:, row] + old["b"][row], ridge * old["w"][:, row]]
        )
        solution = np.linalg.lstsq(samples, wanted, rcond=None)[0]
        np.testing.assert_allclose(new["w"][kept, row], solution[:-1], rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(new["b"][row], solution[-1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("zeros", [1, 3])
def test_the_weight_goes_whose_loss_costs_least(zeros):
    """One after another, the others fitted anew each time: every choice tried."""
    random = np.random.default_rng(zeros)
    x = random.standard_normal((6, 6)) @ random.standard_normal((6, 30))
    moments, target = x @ x.T + 0.01 * np.eye(6), random.standard_normal(6)

    def best(kept):
        w = np.zeros(6)
        w[kept] = np.linalg.solve(moments[np.ix_(kept, kept)], moments[kept] @ target)
        return w

    def cost(w):
        return (w - target) @ moments @ (w - target)

    kept = list(range(6))
    for _ in range(zeros):
        kept.remove(min(kept, key=lambda gone: cost(best([k for k in kept if k != gone]))))
    found = fitted([form(moments, (target @ moments)[None])], zeros)[0, 0]
    np.testing.assert_allclose(found, best(kept), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", ["lamp", "relative", "flat"])
@pytest.mark.parametrize("depthwise", [False, True])
def test_as_many_zeros_in_every_layer_as_the_method_makes(network, method, depthwise):
    options = dict(sparsity=0.6 if method != "flat" else 0.1, depthwise=depthwise)
    plain = sparsify(network, method, **options)
    fitted_one = sparsify(network, method, **options, calibration=Calibration(inputs(8, 3, 8, 8)))
    assert [layer.kept for layer in fitted_one.layers] == [layer.kept for layer in plain.layers]
    new, old = weights(fitted_one.model), weights(network)
    changed = {name for name in old if not np.array_equal(old[name], new[name])}
    assert changed == {"a", "ab", "g", "b", "mean", "f", "fb"} | ({"d"} if depthwise else set())


def test_better_than_magnitude_on_other_pictures(network):
    x = inputs(96, 3, 8, 8)
    exact, plain, fitted_ones = (
        np.stack([run_onnxruntime(model, {"x": image[None]})["y"][0] for image in x[64:]])
        for model in (
            network,
            sparsify(network, "lamp", sparsity=0.5).model,
            sparsify(network, "lamp", sparsity=0.5, calibration=Calibration(x[:64])).model,
        )
    )
    assert np.square(fitted_ones - exact).mean() < 0.5 * np.square(plain - exact).mean()


@pytest.mark.parametrize(
    "text",
    [
        "(float[1,3,9] x, float[6,3,3] w) => (float[1,6,4] y) { y = Conv<strides=[2]>(x, w) }",
        "(float[1,4,9,9] x, float[6,2,3,3] w) => (float[1,6,5,3] y) { "
        "y = Conv<group=2, dilations=[2,3]>(x, w) }",
        "(float[1,5,6] x, float[6,4] w) => (float[1,5,4] y) { y = MatMul(x, w) }",
        "(float[1,6] x, float[4,6] w) => (float[1,4] y) { y = Gemm<transB=1>(x, w) }",
    ],
)
def test_samples_are_what_the_weights_multiply(text):
    """Whatever window, groups and axes: fitting lessens the error of what is sparse, and finds
    dense weights again."""
    model = parse(text)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    x = inputs(60, *shape)
    plain, fitted_one = (
        sparsify(model, "relative", sparsity=0.5, calibration=calibration).model
        for calibration in (None, Calibration(x))
    )
    assert (weights(fitted_one)["w"] == 0).sum() == (weights(plain)["w"] == 0).sum()

    def results(one):
        return np.concatenate([run_onnxruntime(one, {"x": image[None]})["y"] for image in x])

    plain_error, error = (
        np.square(results(one) - results(model)).sum() for one in (plain, fitted_one)
    )
    assert error < 0.9 * plain_error
    same = weights(sparsify(model, "relative", sparsity=0.0, calibration=Calibration(x)).model)["w"]
    np.testing.assert_allclose(same, weights(model)["w"], rtol=1e-3, atol=1e-4)


def test_command(network, tmp_path, capsys):
    """Half of the pictures at most calibrate, the others judge; without any it is refused."""
    onnx.save(network, tmp_path / "dense.onnx")
    np.savez(tmp_path / "pictures.npz", input=inputs(20, 3, 8, 8))
    command = ["sparsify", str(tmp_path / "dense.onnx"), "-o", str(tmp_path / "sparse.onnx")]
    command += ["--method", "lamp", "--reconstruct", "--force", "--json"]
    assert main([*command, "--sparsity", "0.5"]) == 2
    assert "--data" in capsys.readouterr().err
    command += ["--data", str(tmp_path / "pictures.npz"), "--calibrate", "12"]
    for goal in (["--sparsity", "0.5"], ["--max-loss", "20%"]):
        assert main([*command, *goal]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["accuracy"]["pictures"] == 10
        zeros = sum(
            int((weights(onnx.load(tmp_path / "sparse.onnx"))[n] == 0).sum()) for n in "agbf"
        )
        assert zeros == told["weights"] - told["kept"]
    assert told["accuracy"]["share"] >= 0.8 and told["sparsity"] > 0


def test_means_behind_a_normalization_stay():
    """A convolution without a bias: the BatchNormalization's mean takes the shift."""
    text = """(float[1,4,6,6] x, float[8,4,3,3] w, float[8] gamma, float[8] beta, float[8] mean,
    float[8] variance) => (float[1,8,4,4] y) { t = Conv(x, w)
    y = BatchNormalization(t, gamma, beta, mean, variance) }"""
    model, x = parse(text), inputs(30, 4, 6, 6) + 2
    model.graph.initializer[4].CopyFrom(numpy_helper.from_array(np.ones(8, np.float32), "variance"))
    means, plain, dense = (
        np.mean([run_onnxruntime(one, {"x": image[None]})["y"] for image in x], axis=(0, 1, 3, 4))
        for one in (
            sparsify(model, "lamp", sparsity=0.7, calibration=Calibration(x)).model,
            sparsify(model, "lamp", sparsity=0.7).model,
            model,
        )
    )
    np.testing.assert_allclose(means, dense, atol=1e-3)
    assert np.abs(plain - dense).max() > 0.05


def test_weights_that_two_nodes_read_stay_as_the_method_leaves_them():
    text = "(float[1,6] x, float[6,6] w) => (float[1,6] y) { h = MatMul(x, w) y = MatMul(h, w) }"
    model = parse(text)
    plain, fitted_one = (
        weights(sparsify(model, "relative", sparsity=0.5, calibration=given).model)["w"]
        for given in (None, Calibration(inputs(9, 6)))
    )
    np.testing.assert_array_equal(plain, fitted_one)


def test_a_bias_that_does_not_count_shifts_nothing():
    text = """(float[1,6] x, float[6,5] w, float[5] b) => (float[1,5] y) {
    y = Gemm<beta=0.0>(x, w, b) }"""
    model = parse(text)
    new = weights(
        sparsify(model, "relative", sparsity=0.5, calibration=Calibration(inputs(40, 6))).model
    )
    np.testing.assert_array_equal(new["b"], weights(model)["b"])
    assert (new["w"] == 0).sum() == 15
