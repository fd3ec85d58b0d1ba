"""`hlsgen compare`: model, audit and aoc's report side by side, and a file without names of the
user's."""

import json

import onnx
import pytest

import hlsgen
from hlsgen.accelerator.accelerator import Accelerator
from hlsgen.audit.design import audit
from hlsgen.calibrate.aoc_report import AocMemory, read_report
from hlsgen.calibrate.loops import read_loops
from hlsgen.cli.main import main
from tests.support import aoc_reports
from tests.support.networks import parse

NETWORK = """
(float[1, 8, 12, 12] portrait, float[8, 8, 3, 3] w1, float[8, 8, 3, 3] w2)
=> (float[1, 8, 12, 12] diagnosis)
{
  stem = Conv<pads = [1, 1, 1, 1]>(portrait, w1)
  act = Relu(stem)
  diagnosis = Conv<pads = [1, 1, 1, 1]>(act, w2)
}
"""
SECRETS = ("portrait", "diagnosis", "stem", "someone", "secret", "kernels.cl")


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    """A small pipelined design and its audit."""
    folder = tmp_path_factory.mktemp("compare")
    onnx.save(parse(NETWORK, inputs=("portrait",)), folder / "private.onnx")
    graph = hlsgen.load_graph(folder / "private.onnx")
    hlsgen.generate(graph, hlsgen.schedule(graph, style="pipelined"), folder / "design")
    return folder / "design", audit(folder / "design")


@pytest.fixture(autouse=True)
def audited_once(design, monkeypatch):
    """Compiling the kernels again for each test would take most of its time."""
    monkeypatch.setattr(Accelerator, "audit", lambda self: design[1])


def reported(found, changed=None):
    """What aoc would report if it did all that the audit says; `changed` edits arrays by kernel
    and name, intervals by kernel and line, DSPs by kernel."""
    changed, kernels, loops = changed or {}, {}, {}
    for k in found.kernels:
        arrays = []
        for a in k.arrays:
            memory = found.promises[k.name].memories.get(a.name)
            made = aoc_reports.registers(a.name, a.line)
            if not a.registers and memory:
                size = memory.bytes, memory.banks, memory.bank_bytes, memory.replicates
                made = aoc_reports.memory(a.name, a.line, *size)
            arrays.append(changed.get((k.name, a.name), made))
        dsps = changed.get(k.name, k.arithmetic.dsps)
        kernels[k.name] = (1000, 2000, 10, dsps, 5), arrays
        loops[k.name] = [(o.line, changed.get((k.name, o.line), "~1")) for o in k.loops]
    loads = sum(not u.store for k in found.kernels for u in k.units)
    stores = sum(u.store for k in found.kernels for u in k.units)
    return aoc_reports.area(kernels, loads, stores), aoc_reports.loops(loops)


def compared(design, folder, capsys, changed=None, *options):
    """The command's status and result."""
    path, found = design
    aoc_reports.write(folder, *reported(found, changed))
    status = main(["compare", str(path), str(folder), "--json", *options])
    return status, json.loads(capsys.readouterr().out)


def test_a_report_that_agrees(design, tmp_path, capsys):
    status, result = compared(design, tmp_path / "r", capsys)
    assert status == 0 and result["ok"] and result["aoc"] == "19.4"
    assert all(agree == asked for agree, asked in result["rules"].values()), result["checks"]
    assert set(result["rules"]) == {
        "kernels", "dsps", "interval", "registers", "stall-free", "banks", "units",
    }  # fmt: skip
    assert [a["aoc"]["ALUT"] for a in result["areas"]] == [1000] * len(design[1].kernels)


def test_every_rule_can_be_contradicted(design, tmp_path, capsys):
    memories = [(k, a) for k in design[1].kernels for a in k.arrays if not a.registers]
    (kernel, first), (other, second) = memories[0], memories[-1]
    narrow = aoc_reports.memory(first.name, first.line, 64, 1, 4, 2, stalls=True)
    changed = {
        (kernel.name, first.name): narrow,
        (other.name, second.name): aoc_reports.registers(second.name, second.line),
        (kernel.name, kernel.loops[0].line): "185",
        (other.name, other.loops[0].line): "",
        kernel.name: 3,
    }
    status, result = compared(design, tmp_path / "r", capsys, changed)
    missed = {(c["rule"], c["kernel"], c["what"]) for c in result["checks"] if not c["agrees"]}
    assert status == 1 and missed == {
        ("banks", kernel.name, first.name),
        ("stall-free", kernel.name, first.name),
        ("registers", other.name, second.name),
        ("interval", kernel.name, f"loop of line {kernel.loops[0].line}"),
        ("interval", other.name, f"loop of line {other.loops[0].line}"),
        ("dsps", kernel.name, ""),
    }


def test_what_is_sent_names_nothing_of_the_user(design, tmp_path, capsys):
    file = tmp_path / "facts.json"
    compared(design, tmp_path / "r", capsys, None, "--send", str(file))
    sent = file.read_text()
    assert not [word for word in (*SECRETS, str(tmp_path)) if word in sent]
    kernels = {check["kernel"] for check in json.loads(sent)["checks"]}
    assert {"conv 1", "conv 2", "weight_loader"} <= kernels
    assert main(["compare", str(design[0]), str(tmp_path / "r"), "--send", str(file)]) == 2
    assert "exists" in capsys.readouterr().err


def test_a_missing_kernel_and_a_missing_report(design, tmp_path, capsys):
    path, found = design
    area, loops = reported(found)
    del area["children"][-1]
    aoc_reports.write(tmp_path / "r", area, loops)
    assert main(["compare", str(path), str(tmp_path / "r")]) == 1
    assert "missing" in capsys.readouterr().out
    assert main(["compare", str(path), str(tmp_path / "nowhere")]) == 2
    assert "holds no area.json" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["18.1", "19.4", "21.2"])
def test_reports_of_several_versions(version, tmp_path):
    array = (
        aoc_reports.older_memory("line", 7, 4096, 4, 2)
        if version == "18.1"
        else aoc_reports.memory("line", 7, 4096, 4, 4, 2)
    )
    area = aoc_reports.area({"conv": ((1, 2, 3, 4, 5), [array])}, 3, 1)
    report = read_report(aoc_reports.write(tmp_path / "r", area, version=version))
    width = 0 if version == "18.1" else 4
    assert report.memories == (AocMemory("conv", "line", False, True, 4096, 4, width, 2),)
    assert (report.version, report.units, report.loops) == (version, 4, None)


def test_kernels_of_many_work_items_have_no_interval(tmp_path):
    """aoc 18.1 prints a figure there that is none."""
    loops = aoc_reports.loops({"conv": [(3, "52628672")]}, kind="ND-Range")
    folder = aoc_reports.write(tmp_path / "r", aoc_reports.area({}, 0, 0), loops)
    assert read_loops(folder) == ()
