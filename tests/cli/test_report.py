"""The report: keys, tables, a page without network, aoc's figures beside ours, and how it looks in
a browser."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import onnx
import pytest

import hlsgen
from hlsgen.cli.main import main
from hlsgen.report.beside import beside
from hlsgen.zoo import network
from tests.schedule.test_calibrate import AREA, LOOPS, REPORT
from tests.support.browser import looked_at
from tests.support.networks import parse
from tests.support.paths import ROOT

STYLES = ("pipelined", "folded", "base")


@pytest.fixture(scope="module")
def designs(tmp_path_factory):
    """A design of each style, by its style."""
    folder = tmp_path_factory.mktemp("designs")
    onnx.save(network("lenet5"), folder / "lenet5.onnx")
    for style in STYLES:
        build = ["build", str(folder / "lenet5.onnx"), "--style", style]
        assert main([*build, "--out", str(folder / style)]) == 0
    return {style: folder / style for style in STYLES}


@pytest.fixture(params=STYLES)
def design(request, designs):
    return designs[request.param]


def report(design, capsys, *options):
    capsys.readouterr()
    assert main(["report", str(design), *options, "--json"]) == 0
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
    text = Path(data["page"]).read_text()
    document = re.sub(r"<script.*?</script>", "", text, flags=re.S)
    assert not re.search(r"(src|href)=\"(?!data:)", document)
    assert "default-src 'none'" in document
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert json.loads(found) == {k: v for k, v in data.items() if k not in ("ok", "page")}


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


def test_pipelined_layers_say_why_they_wait(designs, capsys):
    layers = {x["name"]: x for x in report(designs["pipelined"], capsys)["layers"]}
    assert layers["conv1"]["why"] == "" and layers["conv1"]["load"] == 1
    assert layers["conv2"]["why"] == (
        "waits 63% of the time, conv1 sets the pace (63% for input); its multipliers work 83% of "
        "its cycles: 17% of its iterations multiply nothing"
    )


def test_the_graph_of_engines_has_every_channel_once(designs, capsys):
    data = report(designs["folded"], capsys)
    nodes, links = data["engine_graph"]["nodes"], data["engine_graph"]["links"]
    assert [node["name"] for node in nodes] == [kernel["name"] for kernel in data["kernels"]]
    assert sorted(link["name"] for link in links) == sorted(f["name"] for f in data["fifos"])
    assert report(designs["pipelined"], capsys)["engine_graph"] is None


def test_what_aoc_made_in_the_design_is_found(designs, capsys, tmp_path):
    copy = tmp_path / "design"
    shutil.copytree(designs["pipelined"], copy)
    assert "aoc" not in report(copy, capsys)
    (copy / "bin" / "lenet5" / "reports").mkdir(parents=True)
    (copy / "bin" / "lenet5" / "reports" / "area.json").write_text(json.dumps(AREA))
    assert [row["name"] for row in report(copy, capsys)["aoc"]["kernels"]] == ["conv1"]
    half = json.dumps(AREA)[:200]  # aoc is writing it
    (copy / "bin" / "lenet5" / "reports" / "area.json").write_text(half)
    data = report(copy, capsys)
    assert "aoc" not in data and "left out" in data["aoc_note"]
    assert main(["report", str(copy), "-q"]) == 0
    assert "area.json is not JSON" in capsys.readouterr().err
    assert main(["report", str(copy), "--aoc", str(copy / "bin")]) == 2


def test_not_a_design(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "no design.json there" in capsys.readouterr().err


def test_two_designs_side_by_side(designs, capsys, tmp_path):
    first, second = designs["pipelined"], designs["folded"]
    both = tmp_path / "both.html"
    data = report(first, capsys, str(second), "--output", str(both))
    assert [d["style"] for d in data["designs"]] == ["pipelined", "folded"]
    one, two = data["designs"]
    figures = {row["figure"]: row for row in data["figures"]}
    assert figures["DSPs"]["first"] == one["resources"]["dsps"]
    assert figures["DSPs"]["ratio"] == two["resources"]["dsps"] / one["resources"]["dsps"]
    assert {row["layer"] for row in data["layers"]} == {row["name"] for row in one["layers"]}
    assert one == {k: v for k, v in report(first, capsys).items() if k not in ("ok", "page")}
    assert main(["report", str(first), str(tmp_path / "nowhere")]) == 2
    assert main(["report", str(first), str(first), "--explain"]) == 2


def test_layers_of_one_design_alone_are_compared():
    def data(**layers):
        figures = {"fmax": 1, "alms": 1, "blocks": 1, "dsps": 0}
        named = [{"name": name, "cycles": cycles} for name, cycles in layers.items()]
        whole = dict.fromkeys(("throughput_fps", "latency_ms", "least_bandwidth_gbs"), 1)
        return whole | {"roofline_share": 1, "resources": figures, "layers": named}

    found = beside(data(a=10, b=4), data(b=2, c=1))
    assert found["layers"] == [
        {"layer": "a", "first": 10, "second": None, "ratio": None},
        {"layer": "b", "first": 4, "second": 2, "ratio": 0.5},
        {"layer": "c", "first": None, "second": 1, "ratio": None},
    ]
    assert next(row for row in found["figures"] if row["figure"] == "DSPs")["ratio"] is None


def long_chain(folder):
    """The page of a pipeline with branches that needs several lines, and how many boxes it has."""
    text, last = "", "x"
    for n in range(8):
        text += f"a{n} = LeakyRelu({last}) b{n} = Sigmoid(a{n}) c{n} = Add(a{n}, b{n}) "
        last = f"c{n}"
    model = parse(f"(float[1,4,6,6] x) => (float[1,4,6,6] {last}) {{ {text} }}")
    with hlsgen.compile(model, style="pipelined", out=folder / "chain") as accelerator:
        return accelerator.report().page.read_text(), len(accelerator.graph.layers) + 2


def assert_well_shown(seen, width, dark):
    assert seen["scroll"] <= width and not seen["cut"] and not seen["loaded"]
    assert seen["least"] >= 11 and seen["charts"] >= 4
    assert seen["dark"] == dark and (seen["paper"] != "rgb(255, 255, 255)") == dark
    assert seen["keys"]["focused"] and seen["keys"]["zooms"] and seen["keys"]["chosen"]
    assert "cycles an image" in seen["keys"]["details"]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.slow
def test_in_a_browser(designs, dark, capsys, tmp_path):
    """Nothing is cut off or too small to read, the console stays silent, keys move the network."""
    both = tmp_path / "both.html"
    report(designs["pipelined"], capsys, str(designs["folded"]), "--output", str(both))
    text = {style: Path(report(designs[style], capsys)["page"]).read_text() for style in STYLES}
    shown = [(1400, both.read_text(), 20), (390, text["pipelined"], 10)]
    if not dark:
        shown += [(1400, text["pipelined"], 10), (390, text["folded"], 10)]
        shown += [(1400, text["base"], 10), (1400, *long_chain(tmp_path))]
    found, said = looked_at([(width, html) for width, html, _ in shown], tmp_path, dark)
    assert not said
    for (width, _, boxes), seen in zip(shown, found, strict=True):
        assert_well_shown(seen, width, dark)
        assert seen["nodes"] == boxes
