"""`build --quantise`: a float network becomes a design of integers in one step."""

import json

import numpy as np
import onnx
import pytest

import hlsgen
from hlsgen.cli.main import main
from hlsgen.errors import UsageError
from hlsgen.quantise.request import QuantiseOptions
from tests.support.networks import parse

NETWORK = """(float[N,3,6,6] x, float[4,3,3,3] a, float[4] b, float[64,5] f, float[5] c)
=> (float[N,5] y) { t = Conv(x, a, b) r = Relu(t) g = Flatten(r) y = Gemm(g, f, c) }"""


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    onnx.save(parse(NETWORK), "net.onnx")
    inputs = np.random.default_rng(2).standard_normal((10, 3, 6, 6), dtype=np.float32)
    np.savez("data.npz", input=inputs)
    np.savez("labelled.npz", input=inputs, labels=np.arange(10) % 5)
    return tmp_path


BUILD = ["build", "net.onnx", "--style", "pipelined", "--out", "d"]


def test_one_step_is_both_steps(files, capsys):
    """The network in the design is the one that the command `quantise` writes; what it costs is in
    the table, in the design, and gone with the next build."""
    told = ["--method", "percentile", "--keep-float", "1", "--calibrate", "4"]
    assert main([*BUILD, "--quantise", "data.npz", *told]) == 0
    said = capsys.readouterr().out
    assert (
        main(["quantise", "net.onnx", "--data", "data.npz", *told, "-o", "q.onnx", "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["ok"]
    assert (files / "d/model.onnx").read_bytes() == onnx.load("q.onnx").SerializeToString(
        deterministic=True
    )
    kept = json.loads((files / "d/quantisation.json").read_text())
    share = kept["int8"]["share"]
    assert kept["method"] == "percentile" and len(kept["kept_float"]) == 1
    assert kept["calibration_pictures"] == 4 and kept["int8"]["pictures"] == 6
    line = f"int8 agrees with float32 on {share:.1%} of 6 pictures, 1 layer left in float"
    assert line in " ".join(said.split())
    assert main([*BUILD, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["quantisation"] is None
    assert not (files / "d/quantisation.json").exists()


@pytest.mark.emulator
def test_from_python():
    """A path will do, a dynamic batch too; the design computes what the quantised network does."""
    wanted = QuantiseOptions("labelled.npz", metric="top5")
    with hlsgen.compile("net.onnx", style="pipelined", quantise=wanted) as acc:
        assert acc.graph.integers and acc.validate().ok
        assert dict(acc.summary.rows)["accuracy"].startswith("top5 100.0% in int8, 100.0% in float")
        assert acc.data()["quantisation"]["labels"]
    with hlsgen.compile(
        "net.onnx", style="pipelined", quantise="data.npz", shapes={"x": (1, 3, 6, 6)}
    ) as acc:
        assert acc.graph.integers


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--quantise", "nothing"], "--quantise nothing: no such file or folder"),
        (["--quantise", "wrong.npz"], "--quantise wrong.npz: pictures are [3, 7, 7]"),
        (["--quantise", "empty.npz"], "--quantise empty.npz: holds no array"),
        (["--quantise", "data.npz", "--keep", "nothing"], "no layer that is quantised is called"),
        (["--quantise", "data.npz", "--calibrate", "0"], "--calibrate: 0 pictures"),
        (["--keep-float", "2"], "there is nothing to quantise"),
        (["--prepare", "mnist"], "there is nothing to quantise"),
    ],
)
def test_one_clear_error(options, message, files, capsys):
    np.savez("wrong.npz", input=np.zeros((4, 3, 7, 7), np.float32))
    np.savez("empty.npz", nothing=np.zeros(1))
    assert main([*BUILD, *options]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("error:") == 1 and not (files / "d").exists()


def test_options_that_exclude_each_other():
    for wrong in ({"keep_float": 1, "max_loss": 0.1}, {"method": "entropy"}, {"metric": "top2"}):
        with pytest.raises(UsageError):
            QuantiseOptions("data.npz", **wrong)
