"""NaN and infinities are refused in inputs and told of in results: by the command line, the host
alone and the ONNX backend."""

import json

import numpy as np
import pytest

from hlsgen.backend import Backend
from hlsgen.cli.main import main
from hlsgen.host.__main__ import main as host_main
from hlsgen.host.errors import HostError
from tests.support.networks import build, parse

NETWORK = "(float[1,1,2,2] x) => (float[1,1,2,2] y, float[1,1,2,2] z) { y = Log(x) z = Relu(x) }"
# The logarithm of 0 is infinite, and that of -1 is not a number.
IMAGES = np.array([[1, 2, 3, 4], [0, -1, -2, 1]], np.float32).reshape(2, 1, 2, 2)
FOUND = {"y": {"nan": 2, "infinite": 1, "values": 8}}
WARNING = "warning: output y holds 2 NaN and 1 infinite among 8 values"


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    return build(parse(NETWORK), tmp_path_factory.mktemp("log") / "design", "base").path


@pytest.fixture
def images(tmp_path):
    np.savez(tmp_path / "x.npz", x=IMAGES)
    return tmp_path / "x.npz"


@pytest.mark.emulator
def test_results_of_run(design, images, tmp_path, capsys):
    arguments = [
        "run",
        str(design),
        "--input",
        str(images),
        "--output",
        str(tmp_path / "y.npz"),
        "--json",
    ]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["non_finite"] == FOUND and err.splitlines() == [WARNING]


@pytest.mark.emulator
def test_results_of_validate(design, images, capsys):
    assert main(["validate", str(design), "--input", str(images), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["non_finite"] == FOUND and err.splitlines() == [WARNING]


@pytest.mark.emulator
def test_results_of_the_host_alone(design, images, tmp_path, capsys):
    assert host_main(["run", str(design), str(images), str(tmp_path / "y.npz")]) == 0
    assert capsys.readouterr().err.splitlines() == [WARNING]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_inputs(design, value, tmp_path, capsys):
    wrong = IMAGES.copy()
    wrong[1, 0, 1, 0] = value
    np.savez(tmp_path / "x.npz", x=wrong)
    x, y = str(tmp_path / "x.npz"), str(tmp_path / "y.npz")
    message = "error: input x, image 1 holds NaN or infinities (1 of 4 values)"
    for command in (
        lambda: main(["run", str(design), "--input", x, "--output", y]),
        lambda: main(["validate", str(design), "--input", x]),
        lambda: host_main(["run", str(design), x, y]),
    ):
        assert command() == 2
        assert capsys.readouterr().err.splitlines()[0] == message
    assert not (tmp_path / "y.npz").exists()


@pytest.mark.emulator
@pytest.mark.parametrize("device", ["CPU", "EMULATOR"])
def test_backend(device):
    prepared = Backend.prepare(parse(NETWORK), device, style="base")
    with pytest.warns(RuntimeWarning, match="output y holds 1 NaN and 1 infinite among 4 values"):
        prepared.run([np.array([1, 0, -1, 1], np.float32).reshape(1, 1, 2, 2)])
    with pytest.raises(HostError, match="input x, image 0 holds NaN"):
        prepared.run([np.full((1, 1, 2, 2), np.nan, np.float32)])


@pytest.mark.emulator
def test_json_holds_no_numbers_that_json_lacks(tmp_path, capsys):
    logs = parse("(float[1,4] x) => (float[1,4] y) { y = Log(x) }")
    design = build(logs, tmp_path / "design", "base").path
    np.save(tmp_path / "x.npy", np.array([[0, -1, 1, 2]], np.float32))
    assert main(["run", str(design), "--input", str(tmp_path / "x.npy"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["classes"]
    assert {one["class"]: one["score"] for one in found["classes"]} == {
        0: "-inf",
        1: "nan",
        2: 0.0,
        3: pytest.approx(np.log(2)),
    }
