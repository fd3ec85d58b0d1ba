"""Quantising a float network with `hlsgen quantise`: what is written is what onnxruntime computes,
biases are corrected, layers stay in float, and wrong input is refused."""

import json
import logging

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from hlsgen.cli.main import main
from hlsgen.data.evaluate import Evaluator, run
from hlsgen.data.pictures import Pictures
from hlsgen.errors import ModelError
from hlsgen.onnxruntime_session import session
from hlsgen.quantise import flow
from hlsgen.quantise.flow import Quantiser
from hlsgen.quantise.network import quantised_layers
from hlsgen.quantise.prepare import prepared
from hlsgen.quantise.static import quantised
from tests.support.networks import parse

NETWORK = """(float[1,3,8,8] x, float[8,3,3,3] a, float[8] s, float[8] b, float[8] m, float[8] v,
float[8,1,3,3] d, float[12,8,1,1] e, float[12] eb, float[192,10] f, float[10] fb)
=> (float[1,10] y) { t = Conv<pads=[1,1,1,1]>(x, a) n = BatchNormalization(t, s, b, m, v)
r = Relu(n) u = Conv<group=8, pads=[1,1,1,1]>(r, d) c = Conv(u, e, eb) cr = Relu(c)
p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(cr) g = Flatten(p) y = Gemm(g, f, fb) }"""


@pytest.fixture(scope="module")
def model():
    made = parse(NETWORK)
    for tensor in made.graph.initializer:
        if tensor.name == "v":
            tensor.CopyFrom(numpy_helper.from_array(np.full(8, 0.5, np.float32), "v"))
    return made


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(3).standard_normal((8, 3, 8, 8), dtype=np.float32)


@pytest.fixture(scope="module")
def quantiser(model, inputs):
    return Quantiser(model, inputs)


def outputs(model, inputs, **options):
    run = session(model.SerializeToString(), **options)
    return np.concatenate([run.run(None, {"x": image[None]})[0] for image in inputs])


@pytest.mark.parametrize(
    ("attributes", "becomes"),
    [
        ("kernel_shape=[2,2], strides=[2,2]", "Conv"),
        ("kernel_shape=[3,2], pads=[1,0,1,1], count_include_pad=1", "Conv"),
        ("kernel_shape=[3,3], pads=[1,1,1,1]", "AveragePool"),
        ("kernel_shape=[3,3], strides=[2,2], ceil_mode=1", "AveragePool"),
        ('kernel_shape=[3,3], auto_pad="SAME_UPPER"', "AveragePool"),
    ],
)
def test_averages_become_convolutions(attributes, becomes):
    """Where all windows hold as many values."""
    given = parse(
        f"(float[1,3,8,8] x) => (float[1,3,A,B] y) {{ y = AveragePool<{attributes}>(x) }}"
    )
    x = {"x": np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)}
    ready = prepared(given)
    assert [node.op_type for node in ready.graph.node] == [becomes]
    found, wanted = (session(m.SerializeToString()).run(None, x)[0] for m in (ready, given))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_what_is_added_has_names_of_its_own():
    """Whatever an exporter calls its weights, and where nodes have no names."""
    given = parse("""(float[1,3,8,8] x, float[3,3,1,1] y_weight, float[3,3,1,1] y_bias)
        => (float[1,3,4,4] z) { p = Conv(x, y_weight) q = Conv(p, y_bias)
            y = AveragePool<kernel_shape=[2,2], strides=[2,2]>(q)
            z = AveragePool<kernel_shape=[1,1]>(y) }""")
    for number, node in enumerate(given.graph.node):
        node.name = "" if number else "y"
    x = {"x": np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)}
    ready = prepared(given)
    onnx.checker.check_model(ready)
    found, wanted = (session(m.SerializeToString()).run(None, x)[0] for m in (ready, given))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_preparing_changes_nothing(model, inputs):
    ready = prepared(model)
    assert "BatchNormalization" not in {node.op_type for node in ready.graph.node}
    assert all(len(node.input) == 3 for node in ready.graph.node if node.op_type == "Conv")
    assert len({node.name for node in ready.graph.node}) == len(ready.graph.node)
    np.testing.assert_allclose(outputs(ready, inputs), outputs(model, inputs), rtol=1e-4, atol=1e-5)


def test_close_to_the_float_network(quantiser, model, inputs):
    exact = outputs(model, inputs)
    error = outputs(quantiser.network(), inputs) - exact
    assert 0 < np.sqrt(np.square(error).mean()) < 0.03 * exact.std()


def test_errors_by_definition(quantiser, inputs):
    """The mean error of the last layer: of its rounded input and weights against the exact ones."""
    name, layer = list(quantised_layers(quantiser.first).items())[-1]
    constants = {t.name: numpy_helper.to_array(t) for t in quantiser.first.graph.initializer}
    scale, zero = (constants[n] for n in layer.input)
    probe = onnx.ModelProto()
    probe.CopyFrom(quantiser.model)
    (gemm,) = (node for node in probe.graph.node if node.name == name)
    del probe.graph.output[:]
    probe.graph.output.append(onnx.ValueInfoProto(name=gemm.input[0]))
    x = outputs(probe, inputs, as_written=True).astype(np.float64)
    weights = {t.name: numpy_helper.to_array(t) for t in quantiser.model.graph.initializer}
    exact = x @ weights[gemm.input[1]]
    rounded = (np.clip(np.rint(x / scale) + zero, 0, 255) - zero) * scale @ layer.weights
    found = quantiser.errors[name]
    np.testing.assert_allclose(found.mean, (rounded - exact).mean(axis=0), atol=1e-5)
    assert found.noise == pytest.approx(np.square(rounded - exact).sum(), rel=1e-3)


def test_mean_errors_are_taken_off_the_biases(quantiser):
    """Whole steps of a bias's own scale; nothing but biases changes."""
    corrected = quantiser.network()
    pairs = zip(quantiser.first.graph.initializer, corrected.graph.initializer, strict=True)
    changed = {
        old.name: numpy_helper.to_array(old) - numpy_helper.to_array(new)
        for old, new in pairs
        if old != new
    }
    expected = {
        layer.bias: np.rint(quantiser.errors[name].mean / layer.bias_scale)
        for name, layer in quantised_layers(quantiser.first).items()
    }
    assert list(changed) and set(changed) <= set(expected)
    for name, steps in expected.items():
        np.testing.assert_array_equal(changed.get(name, 0 * steps), steps)


def test_layers_left_in_float(quantiser, inputs):
    """They are exact: the network's noise is that of the others, in onnxruntime's fused meaning
    too, which would round their weights itself."""
    names = list(quantiser.errors)
    kept = quantiser.network(names)
    assert not quantised_layers(kept)
    exact = outputs(quantiser.model, inputs)
    for as_written in (True, False):
        error = outputs(kept, inputs, as_written=as_written) - exact
        assert np.abs(error).max() < 0.05 * exact.std()


def test_onnxruntime_leaves_a_float_layer_alone(quantiser, tmp_path):
    """Between integers it would round the weights of a plain Conv itself."""
    for name in ("Conv_0", "Conv_2", "Conv_3"):
        assert name in quantiser.errors
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    content = quantiser.network(["Conv_2"]).SerializeToString()
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node]
    assert kinds.count("QLinearConv") == 2 and kinds.count("Conv") == 1


def test_noisiest_first(quantiser, inputs):
    """The layer named first is the one whose quantising alone changes the result most."""
    exact = outputs(quantiser.model, inputs[:4])
    noise = {
        name: float(np.square(values - exact).sum())
        for name in quantiser.errors
        for values in [np.concatenate([v[0] for v in quantiser.twice.run(inputs[:4], ["y"], name)])]
    }
    assert list(quantiser.noisiest(4)) == sorted(noise, key=lambda name: -noise[name])


def test_unknown_layer_is_named(quantiser):
    with pytest.raises(ModelError, match="no layer that is quantised is called 'nonsense'"):
        quantiser.network(["nonsense"])


@pytest.fixture
def files(tmp_path, model, inputs, monkeypatch):
    monkeypatch.chdir(tmp_path)
    onnx.save(model, "net.onnx")
    np.savez("data.npz", input=inputs)
    return tmp_path


def test_the_command(files, capsys):
    assert main(["quantise", "net.onnx", "--data", "data.npz", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["out"] == "net_int8.onnx" and (files / "net_int8.onnx").is_file()
    assert told["calibration_pictures"] == told["int8"]["pictures"] == 4
    assert [layer["op_type"] for layer in told["layers"]] == ["Conv"] * 3 + ["Gemm"]
    assert all(layer["own"] > 20 for layer in told["layers"])
    onnx.checker.check_model(onnx.load("net_int8.onnx"), full_check=True)
    assert main(["quantise", "net.onnx", "--data", "data.npz"]) == 2
    assert "exists" in capsys.readouterr().err


def test_a_loss_that_is_kept_within(files, capsys):
    """Agreement of all pictures is reached with the fewest layers in float, or it is said that it
    cannot be."""
    found = main(
        ["quantise", "net.onnx", "--data", "data.npz", "--max-loss", "0%", "-o", "q.onnx", "--json"]
    )
    told = json.loads(capsys.readouterr().out)
    assert found == 0 and told["int8"]["share"] == told["float32"]["share"]


def test_a_network_within_the_loss_is_measured_once(quantiser, model, inputs, monkeypatch):
    runs = []
    monkeypatch.setattr(flow, "run", lambda *given: runs.append(given) or run(*given))
    evaluator = Evaluator(model, Pictures(inputs, None))
    found = flow.within(quantiser, evaluator, 1.0, lambda text: None)
    assert len(runs) == 1 and found.score.pictures == len(inputs)


def test_one_picture_is_told_as_one(files, capsys):
    np.savez("one.npz", input=np.load("data.npz")["input"][:1])
    assert main(["quantise", "net.onnx", "--data", "one.npz"]) == 0
    told = capsys.readouterr()
    assert "of 1 picture (" in told.out and "calibrated on 1 picture," in told.out
    assert "one picture calibrates and judges" in told.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "nothing.npz"], "nothing.npz"),
        (["--data", "data.npz", "--calibrate", "0"], "0 pictures"),
        (["--data", "data.npz", "--keep", "nonsense"], "no layer that is quantised is called"),
        (["--data", "data.npz", "--keep", '"a, b",c'], "is called 'a, b'"),
        (["--data", "data.npz", "--keep-float", "-1"], "-1 layers"),
        (["--data", "data.npz", "--max-loss", "much"], "no share"),
        (["--data", "wrong.npz"], "pictures are"),
    ],
)
def test_refusals(options, message, files, capsys):
    np.savez("wrong.npz", input=np.zeros((4, 3, 9, 9), np.float32))
    assert main(["quantise", "net.onnx", "-o", "q.onnx", *options]) == 2
    assert message in capsys.readouterr().err
    assert not (files / "q.onnx").exists()


def test_what_is_quantised_already(files, capsys):
    assert main(["quantise", "net.onnx", "--data", "data.npz", "-o", "q.onnx"]) == 0
    assert main(["quantise", "q.onnx", "--data", "data.npz", "-o", "r.onnx"]) == 2
    assert "quantised already" in capsys.readouterr().err


def test_errors_without_a_text_are_told_by_their_kind(model, inputs, monkeypatch):
    from onnxruntime import quantization

    def fail(*_, **__):
        raise AssertionError

    monkeypatch.setattr(quantization, "quantize_static", fail)
    with pytest.raises(ModelError, match="cannot quantise it"):
        Quantiser(model, inputs)


def test_logging_is_left_as_it_was(quantiser):
    before = list(logging.getLogger().filters)
    quantised(quantiser.model, quantiser.inputs[:1])
    assert logging.getLogger().filters == before
