"""The table of operators is made from the code, and the documents hold it."""

import json

from hlsgen.cli.main import main
from hlsgen.ops import onnx_importers, operators
from hlsgen.ops.table import becomes, entries, importers, markdown
from tests.support.paths import ROOT

DOCS = ROOT / "docs"


def test_documents_hold_the_table():
    assert markdown() in (DOCS / "operators.md").read_text()


def test_every_operator_is_in_it(capsys):
    assert {entry.name for entry in entries()} == set(onnx_importers())
    assert all(set(entry.layers) <= set(operators()) for entry in entries())
    assert main(["ops", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["operators"]}
    assert listed["Conv"]["styles"] == ["base", "pipelined", "folded"]
    assert main(["ops"]) == 0
    assert "ConvTranspose" in capsys.readouterr().out


def test_every_layer_is_made_by_something():
    made = {layer for importer in importers() for layer in becomes(importer)}
    assert made == set(operators()) - {"pad"}  # a Pad is absorbed or becomes a gather
