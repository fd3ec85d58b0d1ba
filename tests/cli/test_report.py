"""The report: keys, tables, a page without network, aoc's figures beside ours, and how it looks in
a browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import onnx
import pytest

from hlsgen.cli.main import main
from hlsgen.zoo import network
from tests.schedule.test_calibrate import AREA, LOOPS, REPORT


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
    page = Path(report(design, capsys)["page"]).read_text()
    assert (
        not re.search(r"(src|href)=\"(?!data:)", page)
        and page.count("<svg") == 4
        and "conv1" in page
    )


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


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.slow
def test_in_a_browser(design, width, capsys, tmp_path):
    """Nothing is wider than the window, and the console stays silent."""
    chromium = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if not chromium:
        pytest.skip("no Chromium on this machine")
    page = Path(report(design, capsys)["page"]).read_text()
    # A browser without a window has a least width of its own, so the page is looked at inside a
    # frame.
    probe = f"""<!DOCTYPE html><html><body style="margin:0"><iframe id="f" style="width:{
        width
    }px;height:2000px;border:0"></iframe><script>
const errors = []; f.onload = () => {{ const
d = f.contentDocument; document.title = JSON.stringify([d.documentElement.scrollWidth, errors]); }};
f.contentWindow.onerror = m => errors.push(m); f.srcdoc = {
        json.dumps(page).replace("</", "<" + chr(92) + "/")
    };</script></body></html>"""
    (tmp_path / "probe.html").write_text(probe)
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
    ]
    command = [
        chromium,
        *flags,
        "--disable-sync",
        f"--user-data-dir={tmp_path}/profile",
        "--virtual-time-budget=4000",
        "--dump-dom",
    ]
    found = subprocess.run(
        [*command, f"file://{tmp_path}/probe.html"], capture_output=True, text=True, timeout=120
    )
    title = re.search(r"<title>(.*?)</title>", found.stdout)
    assert title, found.stderr[-500:]
    scroll, errors = json.loads(title.group(1))
    assert scroll <= width and not errors
