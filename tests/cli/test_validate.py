"""`validate`'s status is its verdict's, whoever finds the fault."""

import json

import numpy as np
import pytest

from hlsgen.accelerator import accelerator
from hlsgen.cli.main import main
from hlsgen.host.design import HostDesign
from hlsgen.validation import Reference
from tests.support.networks import build, parse, run_onnxruntime

TWO = (
    "(float[1,3,4,4] x, float[2,3,1,1] w) => (float[1,2,4,4] y, float[1,2,4,4] z) { "
    "y = Conv(x, w) z = Relu(y) }"
)
IMAGES = np.random.default_rng(0).standard_normal((3, 3, 4, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two") / "design"
    build(parse(TWO), folder, "base")
    return folder


def right_outputs():
    runs = [run_onnxruntime(parse(TWO), {"x": image[None]}) for image in IMAGES]
    return {name: np.concatenate([run[name] for run in runs]) for name in ("y", "z")}


def test_right_outputs_agree_with_onnxruntime(design):
    found = Reference(HostDesign(design), {"x": IMAGES}).against_onnxruntime(right_outputs())
    assert found["ok"] and found["max_abs_error"] < 1e-6


@pytest.mark.parametrize("image", range(3))
@pytest.mark.parametrize("name", ["y", "z"])
def test_every_image_and_output_is_held_against_onnxruntime(name, image, design):
    outputs = right_outputs()
    outputs[name][image, 1, 2, 3] += 1
    found = Reference(HostDesign(design), {"x": IMAGES}).against_onnxruntime(outputs)
    assert found["ok"] is False and found["max_abs_error"] == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(
    ("numpy_says", "onnxruntime_says", "status"),
    [(True, True, 0), (True, False, 1), (False, True, 1)],
)
def test_both_must_agree(numpy_says, onnxruntime_says, status, design, monkeypatch, capsys):
    """Also where our own references are wrong together with the design."""
    verdict = {"ok": numpy_says, "images": 3, "layers": [], "device": "none", "mode": "fast"}
    verdict |= {"seconds": 0.0, "output": {"max_rel_error": 0.0}}
    monkeypatch.setattr(
        accelerator, "validate", lambda *arguments, **options: (verdict, right_outputs())
    )
    monkeypatch.setattr(
        Reference,
        "against_onnxruntime",
        lambda self, outputs: {"ok": onnxruntime_says, "max_abs_error": 0.0, "max_rel_error": 0.0},
    )
    assert main(["validate", str(design), "--json"]) == status
    assert json.loads(capsys.readouterr().out)["ok"] == (status == 0)
    assert json.loads((design / "validation.json").read_text())["ok"] == (status == 0)
