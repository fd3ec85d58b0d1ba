"""Options that list names: one with commas is in double quotes, in whatever command."""

import json

import onnx
import pytest

from hlsgen.cli.main import main
from hlsgen.cli.names import names_of
from hlsgen.errors import UsageError
from tests.support.networks import parse

NETWORK = """(float[1,4,4,4] x, float[4,4,1,1] a, float[4,4,1,1] b, float[4,4,1,1] c)
=> (float[1,4,4,4] y) { p = Conv(x, a) q = Conv(p, b) y = Conv(q, c) }"""


@pytest.fixture
def model(tmp_path):
    """Three convolutions, the first two of which have commas in all their names."""
    found = parse(NETWORK)
    nodes = found.graph.node
    nodes[0].output[0] = nodes[1].input[0] = nodes[0].name = "p,1"
    nodes[1].output[0] = nodes[2].input[0] = nodes[1].name = "q,1"
    onnx.save(found, tmp_path / "model.onnx")
    return str(tmp_path / "model.onnx")


def test_layers_that_are_spared(model, tmp_path, capsys):
    command = ["sparsify", model, "-o", str(tmp_path / "sparse.onnx"), "--sparsity", "0.5"]
    assert main([*command, "--spare", '"p,1","q,1"', "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["left_out"] == {"p,1": "spared", "q,1": "spared"}
    assert [layer["name"] for layer in told["layers"]] == ["y"]


def test_where_a_design_ends(model, tmp_path, capsys):
    command = ["build", model, "--style", "base", "--out", str(tmp_path / "design"), "--json"]
    assert main([*command, "--cut", '"q,1"']) == 0
    assert json.loads(capsys.readouterr().out)["on_host"]["end"] == ["q,1"]


def test_lists():
    assert names_of('a,"b,c",,d e', "--spare") == ("a", "b,c", "d e")
    assert names_of("", "--spare") == ()
    for text in ("a\nb", "a" * 200_000):
        with pytest.raises(UsageError, match=r"--spare.*is no list of names"):
            names_of(text, "--spare")
