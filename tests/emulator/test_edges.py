"""Networks at the edges of what ONNX allows, from `build` to the verdict of `validate`."""

import json

import onnx
import pytest

from hlsgen.cli.main import main
from tests.support.networks import build, parse, verdict_of

pytestmark = pytest.mark.emulator

X, Y = "float[1,3,4,4] x", "float[1,3,4,4] y"


def save(path, text, name=None, inputs=("x",)):
    """Write a network, whose nodes share a name if one is given."""
    model = parse(text, inputs=inputs)
    for node in model.graph.node:
        node.name = name or node.name
    onnx.save(model, path)
    return str(path)


def verdict(model, folder, capsys):
    """Build and validate by the command line; returns the verdict and what was printed for
    people."""
    assert main(["build", model, "--out", str(folder)]) == 0
    capsys.readouterr()
    status = main(["validate", str(folder), "--json"])
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["ok"] == (status == 0)
    return found


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"({X}) => ({Y}) {{ t = MaxPool<kernel_shape=[1,1]>(x) y = Abs(t) }}", "n"),
        (f"({X}, float[2,b] z) => ({Y}) {{ y = Relu(x) }}", None),
        (f"({X}, float[a,3] z) => ({Y}) {{ u = Sin(z) y = Relu(x) }}", None),
    ],
    ids=["nodes share a name", "an input nobody reads", "an input and node that nothing needs"],
)
def test_right_also_by_onnxruntime(text, name, tmp_path, capsys):
    found = verdict(save(tmp_path / "m.onnx", text, name, ("x", "z")), tmp_path / "d", capsys)
    assert found["ok"] and found["onnxruntime"]["ok"]


def test_what_onnxruntime_refuses_is_compared_with_numpy_and_said(tmp_path, capsys):
    """onnxruntime takes odd windows alone; the reference in numpy is held against ONNX's own
    elsewhere."""
    model = save(
        tmp_path / "m.onnx",
        "(float[1,8,3,3] x) => (float[1,8,3,3] y) { y = LRN<size=4, alpha=0.01>(x) }",
    )
    found = verdict(model, tmp_path / "d", capsys)
    assert found["ok"] and found["onnxruntime"] is None
    assert "onnxruntime does not run this model" in found["onnxruntime_refusal"]
    assert main(["validate", str(tmp_path / "d")]) == 0
    assert "compared with numpy alone" in capsys.readouterr().out


@pytest.mark.parametrize("style", ["base", "pipelined", "folded"])
@pytest.mark.parametrize("size", [2, 4])
def test_even_windows_of_lrn(style, size, tmp_path):
    """With exact powers: the emulator's relaxed ones are off by some 1e-4."""
    text = (
        f"(float[1,21,3,3] x) => (float[1,21,3,3] y) {{ y = LRN<size={size}, alpha=2.0, "
        f"bias=1.5>(x) }}"
    )
    found = verdict_of(build(parse(text), tmp_path / "d", style=style, disable=["relaxed_fp"]))
    assert found["ok"] and found["output"]["max_rel_error"] < 1e-6, found
