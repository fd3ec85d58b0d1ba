"""The report: keys, tables, a page without network, aoc's figures beside ours, and how it looks in
a browser."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import onnx
import pytest

from hlsgen.cli.main import main
from hlsgen.zoo import network
from tests.schedule.test_calibrate import AREA, LOOPS, REPORT
from tests.support.browser import looked_at
from tests.support.paths import ROOT


@pytest.fixture(scope="module", params=["pipelined", "folded", "base"])
def design(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    onnx.save(network("lenet5"), folder / "lenet5.onnx")
    assert (
        main(
            [
                "build",
                str(folder / "lenet5.onnx"),
                "--style",
                request.param,
                "--out",
                str(folder / "design"),
            ]
        )
        == 0
    )
    return folder / "design"


def report(design, capsys, *options):
    capsys.readouterr()
    assert main(["report", str(design), "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_keys(design, capsys):
    data = report(design, capsys)
    assert (
        data["throughput_fps"] > 0
        and data["latency_ms"] > 0
        and data["bottleneck"]
        and data["resources"]["dsps"] > 0
    )
    assert len(data["layers"]) >= 8 and {"name", "cycles", "utilisation", "bound", "macs"} <= set(
        data["layers"][0]
    )
    low = [
        layer for layer in data["layers"] if layer["ideal_cycles"] and layer["utilisation"] < 0.5
    ]
    assert all(layer["why"] for layer in low)


def test_page_is_self_contained(design, capsys):
    """Nothing is loaded, and the data are those that --json prints."""
    data = report(design, capsys)
    page = Path(data["page"]).read_text()
    document = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert not re.search(r"(src|href)=\"(?!data:)", document)
    assert "default-src 'none'" in document
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert json.loads(text) == {k: v for k, v in data.items() if k not in ("ok", "page")}


def test_libraries_are_those_that_are_recorded():
    folder = ROOT / "hlsgen" / "report" / "vendor"
    bundles = json.loads((folder / "bundles.json").read_text())
    digests = {name: digest for b in bundles for name, digest in b["sha256"].items()}
    assert set(digests) == {p.name for p in folder.iterdir()} - {"bundles.json", "README.md"}
    for name, digest in digests.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    readme = (folder / "README.md").read_text()
    assert all(f"{b['package']} | {b['version']} | {b['licence']}" in readme for b in bundles)


@pytest.mark.emulator
def test_validation_is_shown_until_the_design_changes(design, capsys, tmp_path):
    copy = tmp_path / "design"
    shutil.copytree(design, copy)
    (copy / "validation.json").unlink(missing_ok=True)
    assert report(copy, capsys)["validation"] is None
    assert main(["validate", str(copy)]) == 0
    data = report(copy, capsys)
    assert data["validation"]["ok"] and "RIGHT" in Path(data["page"]).read_text()
    model = tmp_path / "lenet5.onnx"
    onnx.save(network("lenet5"), model)
    assert main(["build", str(model), "--style", "folded", "--out", str(copy)]) == 0
    assert report(copy, capsys)["validation"] is None


def test_beside_aoc(design, capsys, tmp_path):
    area = json.loads(json.dumps(AREA).replace('"conv1"', '"conv1"'))
    (tmp_path / "area.json").write_text(json.dumps(area))
    (tmp_path / "acl_quartus_report.txt").write_text(REPORT)
    data = report(design, capsys, "--aoc", str(tmp_path))
    names = [row["name"] for row in data["aoc"]["kernels"]]
    assert (
        names == (["conv1"] if "conv1" in {k["name"] for k in data["kernels"]} else [])
        and data["aoc"]["fmax"] == 237.5
    )
    assert data["aoc"]["loops"] is None
    (tmp_path / "loops.json").write_text(json.dumps(LOOPS))
    data = report(design, capsys, "--aoc", str(tmp_path))
    assert data["aoc"]["loops"].startswith("1 of 3 innermost loops run at II 1")
    assert all(row["intervals"] == ["II 1", "II 185"] for row in data["aoc"]["kernels"])
    assert "II 185" in Path(data["page"]).read_text()
    assert main(["report", str(design), "--aoc", str(tmp_path / "nowhere")]) == 2


def test_not_a_design(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "no design.json there" in capsys.readouterr().err


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.slow
def test_in_a_browser(design, dark, capsys, tmp_path):
    """Nothing is cut off or too small to read, the console stays silent, keys move the network."""
    data = report(design, capsys)
    page = Path(data["page"]).read_text()
    widths = (1400, 390)
    found, said = looked_at([(width, page) for width in widths], tmp_path, dark)
    assert not said
    for width, seen in zip(widths, found, strict=True):
        assert seen["scroll"] <= width and not seen["cut"] and not seen["loaded"]
        assert seen["least"] >= 11 and seen["charts"] >= 4
        assert seen["nodes"] == len(data["layers"]) + 2
        assert seen["dark"] == dark and (seen["paper"] != "rgb(255, 255, 255)") == dark
        first = data["layers"][0]["name"]
        assert seen["keys"]["focused"] and seen["keys"]["zooms"]
        assert seen["keys"]["chosen"] == first and "cycles an image" in seen["keys"]["details"]
