"""Patterns of zeros: by definition, exact after reconstruction, and used by `build`."""

import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import hlsgen
from hlsgen.cli.main import main
from hlsgen.errors import PlanError
from hlsgen.ops import n_of_m, skip
from hlsgen.sparsify import sparsify
from hlsgen.sparsify.patterns import parse_pattern
from hlsgen.sparsify.reconstruct import Calibration
from tests.support.networks import parse, run_onnxruntime

NETWORK = """(float[1,3,6,6] x, float[8,3,3,3] a, float[8] ab, float[12,8,3,3] b,
float[16,12,1,1] c, float[16,16] f, float[16,9] v) => (float[1,9] y) {
p = Conv(x, a, ab) q = Relu(p) r = Conv(q, b)
s = Conv(r, c) g = GlobalAveragePool(s) h = Flatten(g) k = Gemm<transB=1>(h, f) l = Relu(k)
y = MatMul(l, v) }"""


def weights(model):
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def rows(name, values):
    """A layer's weights `(everything else, input channels)`."""
    return np.moveaxis(values, 0 if name == "v" else 1, -1).reshape(
        -1, values.shape[0 if name == "v" else 1]
    )


@pytest.fixture
def calibration():
    random = np.random.default_rng(5)
    x = random.standard_normal((24, 3, 6, 6), dtype=np.float32)
    return Calibration(x + np.roll(x, 1, 2) + np.roll(x, 1, 3))


def test_the_smallest_of_every_group_go():
    model = parse(NETWORK)
    result = sparsify(model, "relative", pattern=parse_pattern("1:4"))
    old, new = weights(model), weights(result.model)
    for name in "bcfv":
        before, after = (rows(name, w[name]).reshape(-1, 4) for w in (old, new))
        assert ((after != 0).sum(axis=1) == 1).all()
        np.testing.assert_array_equal(after.max(axis=1) + after.min(axis=1), np.take_along_axis(
            before, np.abs(before).argmax(axis=1)[:, None], 1)[:, 0])  # fmt: skip
    np.testing.assert_array_equal(old["a"], new["a"])  # of three channels
    assert result.left_out == {"p": "the pattern cannot be its"}
    assert result.sparsity == 0.75


def test_of_output_channels():
    new = weights(sparsify(parse(NETWORK), "relative", pattern=parse_pattern("3:4:output")).model)
    for name, axis in (("a", 0), ("b", 0), ("c", 0), ("v", 1)):
        channels = np.moveaxis(new[name], axis, -1)
        whole = channels[..., : channels.shape[-1] // 4 * 4].reshape(-1, 4)
        assert ((whole != 0).sum(axis=1) == 3).all()


@pytest.mark.parametrize("text", ["2:4", "n:8", "balanced:4"])
def test_reconstruction_keeps_the_pattern_and_lessens_the_error(text, calibration):
    model, pattern = parse(NETWORK), parse_pattern(text)
    sparsity = None if text == "2:4" else 0.6
    plain, fitted = (
        sparsify(model, "lamp", sparsity=sparsity, pattern=pattern, calibration=given).model
        for given in (None, calibration)
    )
    for name in "bcfv":
        counts = []
        for one in (plain, fitted):
            kept = rows(name, weights(one)[name]) != 0
            size = pattern.size
            groups = [kept[:, i::size] for i in range(size)] if pattern.strided else [
                kept[:, i : i + size] for i in range(0, kept.shape[1], size)]  # fmt: skip
            counts.append([group.sum(axis=1) for group in groups])
            for group, found in zip(groups, counts[-1], strict=True):
                assert len(set(found)) == 1
                assert found[0] == 2 or (pattern.share is None and 1 <= found[0] <= group.shape[1])
        np.testing.assert_array_equal(*counts)

    def error(one):
        return sum(
            np.square(
                run_onnxruntime(one, {"x": x[None]})["y"]
                - run_onnxruntime(model, {"x": x[None]})["y"]
            ).sum()
            for x in calibration.inputs
        )

    assert error(fitted) < 0.8 * error(plain)


BLOCK = """(float[1,6,8,8] x, float[16,6,1,1] a, float[16] gamma, float[16] beta,
float[16] mean, float[16] variance, float[16,1,3,3] d, float[16] db, float[8,16,1,1] b,
float[6,8,3,3] c) => (float[1,6,4,4] y) { p = Conv(x, a)
n = BatchNormalization(p, gamma, beta, mean, variance) q = Relu(n) r = Conv<group=16>(q, d, db)
s = LeakyRelu(r) t = Conv(s, b) y = Conv(t, c) }"""


@pytest.mark.parametrize("fit", [False, True])
def test_channels_that_nobody_reads_leave_the_network(fit):
    """Through normalization, activation and depthwise filters; what is left computes the same as
    the network with their weights zero, and whole channels are the fitted ones."""
    model = parse(BLOCK)
    model.graph.initializer[4].CopyFrom(
        numpy_helper.from_array(np.ones(16, np.float32), "variance")
    )
    x = np.random.default_rng(4).standard_normal((20, 6, 8, 8), dtype=np.float32)
    pattern, given = parse_pattern("channels:4"), Calibration(x) if fit else None
    result = sparsify(model, "relative", sparsity=0.5, pattern=pattern, calibration=given)
    small = {t.name: list(t.dims) for t in result.model.graph.initializer}
    assert small["a"] == [8, 6, 1, 1] and small["gamma"] == [8] and small["db"] == [8]
    assert small["d"] == [8, 1, 3, 3] and small["b"] == [4, 8, 1, 1] and small["c"] == [6, 4, 3, 3]
    assert [layer.kept for layer in result.layers] == [64, 216]
    onnx.checker.check_model(result.model, full_check=True)
    dense, found = (run_onnxruntime(one, {"x": x[:1]})["y"] for one in (model, result.model))
    assert found.shape == dense.shape
    if not fit:
        old = weights(model)
        for name in "bc":
            channels = np.abs(old[name]).sum(axis=(0, 2, 3))
            old[name] = old[name].copy()
            old[name][:, np.argsort(channels)[: channels.size // 2]] = 0
        for tensor in model.graph.initializer:
            tensor.CopyFrom(numpy_helper.from_array(old[tensor.name], tensor.name))
        wanted = run_onnxruntime(model, {"x": x[:1]})["y"]
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    hlsgen.load_graph(result.model)


@pytest.mark.parametrize(("channels", "kept"), [(96, 8), (96, 40), (112, 40), (320, 8), (96, 44)])
def test_as_many_channels_stay_as_are_asked_for(channels, kept):
    """Up to a multiple of eight, and none beyond it."""
    model = parse(f"""(float[1,6,4,4] x, float[{channels},6,1,1] a, float[4,{channels},1,1] b)
    => (float[1,4,4,4] y) {{ p = Conv(x, a) y = Conv(p, b) }}""")
    pattern = parse_pattern("channels:8")
    result = sparsify(model, "relative", sparsity=1 - kept / channels, pattern=pattern)
    assert weights(result.model)["b"].shape[1] == -(-kept // 8) * 8


def test_channels_that_others_read_stay():
    text = """(float[1,8,4,4] x, float[8,8,1,1] a, float[8,8,1,1] b) => (float[1,8,4,4] y) {
    p = Conv(x, a) q = Conv(p, b) y = Add(p, q) }"""
    with pytest.raises(PlanError, match="no layer can follow it"):
        sparsify(parse(text), "relative", sparsity=0.5, pattern=parse_pattern("channels:4"))


def test_build_recognises_them(calibration):
    """N:M by the fullest vector, whatever its width; balanced masks have lists of one length, but
    for a magnitude mask of as many zeros."""
    model = parse(NETWORK)
    half = sparsify(model, "relative", pattern=parse_pattern("2:4"), calibration=calibration).model
    layer = hlsgen.load_graph(half).layer("r")
    assert [n_of_m.options(layer, n)[-1] for n in (4, 8)] == [2, 4]
    balanced, plain = (
        hlsgen.load_graph(sparsify(model, "relative", sparsity=2 / 3, pattern=given).model)
        .layer("s")
        .weights["weight"]
        for given in (parse_pattern("balanced:4"), None)
    )
    assert set(skip.list_lengths(balanced, 4, 4).ravel()) == {1}
    assert skip.longest(plain, 4, 4) > 1
    assert np.count_nonzero(plain) == np.count_nonzero(balanced)


@pytest.mark.parametrize("text", ["4:4", "2:32", "0:4", "some", "2:4:taps", "balanced", "-1:4"])
def test_what_is_no_pattern(text):
    with pytest.raises(PlanError, match="is no pattern"):
        parse_pattern(text)


def test_command(tmp_path, capsys):
    onnx.save(parse(NETWORK), tmp_path / "dense.onnx")
    command = ["sparsify", str(tmp_path / "dense.onnx"), "-o", str(tmp_path / "sparse.onnx")]
    assert main([*command, "--pattern", "2:4", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sparsity"] == 0.5 and "p" in told["left_out"]
    command.append("--force")
    for more in (["2:4", "--sparsity", "0.5"], ["balanced:4", "--threshold", "0.1"], ["n:4"]):
        assert main([*command, "--pattern", *more]) == 2
    for method in ("flat", "wanda"):
        capsys.readouterr()
        assert main([*command, "--pattern", "2:4", "--method", method]) == 2
        assert "leave out how sparse and --method" in capsys.readouterr().err
    assert main([*command, "--pattern", "n:4", "--sparsity", "0.5", "--method", "lamp"]) == 0
