"""`hlsgen audit`: its verdict, its exit status, its page, and what it says where something is
missing."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import onnx
import pytest

import hlsgen
from hlsgen.audit import compiler
from hlsgen.audit.compiler import llvm_ir
from hlsgen.audit.isolated import isolated
from hlsgen.audit.verdict import line, verdict
from hlsgen.cli.main import main
from hlsgen.errors import AuditError
from hlsgen.left import AUDIT, leave, left
from hlsgen.zoo import network

pytestmark = pytest.mark.slow

CLEAN = """
__kernel void conv1(__global const float *restrict from, __global float *restrict to, const int n)
{
    for (int i = 0; i < n; ++i)
        to[i] = from[i];
}
"""
BROKEN = """
__kernel void conv1(__global const float *restrict from, __global float *restrict to, const int n)
{
    float sums[64];
    for (int i = 0; i < n; ++i)
        sums[i * 7 & 63] += from[i];
    to[0] = sums[n & 63];
}
"""


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    onnx.save(network("lenet5"), folder / "lenet5.onnx")
    assert (
        main(
            [
                "build",
                str(folder / "lenet5.onnx"),
                "--style",
                "pipelined",
                "--out",
                str(folder / "design"),
            ]
        )
        == 0
    )
    return folder / "design"


@pytest.fixture(scope="module")
def data(design):
    """The audit of the design as it was built."""
    return hlsgen.audit(design).to_dict()


@pytest.fixture
def text(design):
    """Gives the design another text, and its own again afterwards."""
    path = design / "kernels/lenet5.cl"
    before = path.read_text()
    yield path.write_text
    path.write_text(before)


def audited(design, capsys, *options):
    capsys.readouterr()
    status = main(["audit", str(design), "--json", *options])
    return status, json.loads(capsys.readouterr().out)


def test_every_kernel_is_found_with_the_dsps_of_the_model(design, data, capsys):
    capsys.readouterr()
    assert main(["report", str(design), "--json"]) == 0
    model = {k["name"]: k["DSP"] for k in json.loads(capsys.readouterr().out)["kernels"]}
    assert {k["name"]: k["promise"]["dsps"] for k in data["kernels"]} == model
    assert not [f for f in data["findings"] if f["rule"] in ("dsps", "units", "model")]
    assert abs(data["dsps"]["text"] - data["dsps"]["model"]) < len(model)


def test_lines_are_those_of_the_text(design, data):
    lines = (design / "kernels/lenet5.cl").read_text().splitlines()
    for kernel in data["kernels"]:
        start = next(
            n for n, line in enumerate(lines, 1) if f"__kernel void {kernel['name']}(" in line
        )
        assert start < kernel["line"] < start + 10
        assert all(a["name"] in lines[a["line"] - 1] for a in kernel["arrays"])


def test_exit_status(design, text, capsys):
    text(CLEAN)
    status, data = audited(design, capsys)
    assert status == 0 and data["ok"]
    # conv1 has neither its DSPs nor the model's channels, and all other kernels are gone.
    assert {"dsps", "units", "model"} <= {f["rule"] for f in data["findings"]}
    text(BROKEN)
    status, data = audited(design, capsys)
    assert status == 1 and not data["ok"] and {f["rule"] for f in data["findings"]} >= {"interval"}


def test_promises_of_a_built_design_are_true_and_larger_ones_are_found(design, data, text, capsys):
    assert data["distances"] and all(d["proved"] for d in data["distances"])
    rules = {"distance", "outside", "unproved"}
    assert not [f for f in data["findings"] if f["rule"] in rules]
    before = (design / "kernels/lenet5.cl").read_text()
    text(re.sub(r"safelen\((\d+)\)", lambda m: f"safelen({int(m[1]) * 1000})", before))
    status, mutant = audited(design, capsys)
    wrong = {f["line"] for f in mutant["findings"] if f["rule"] == "distance"}
    assert status == 1 and wrong == {d["line"] for d in data["distances"] if d["promised"]}


def test_people_read_the_verdict(design, text, capsys):
    text(BROKEN)
    assert main(["audit", str(design)]) == 1
    said = capsys.readouterr().out
    assert "BROKEN: 1 x geometry, 1 x interval" in said and "array sums" in said
    band = re.search(r"; II (\d+) to (\d+), so images a second may fall by that factor", said)
    assert band and 1 < int(band[1]) < int(band[2])


def test_a_clean_design_keeps_its_pace_over_the_whole_band(capsys):
    assert line(verdict([], (1, 1))).endswith("; II 1 over the whole band of latencies")
    assert line(verdict([])).endswith("breaks what the model counts on")


STRAY = """
#pragma OPENCL EXTENSION cl_intel_channels : enable
channel float both __attribute__((depth(8)));

__kernel void conv1(const int n)
{
    #pragma ivdep array(line)
    float line[4];
    for (int i = 0; i < n; ++i)
        write_channel_intel(both, (float)i);
}

__kernel void pool1(const int n)
{
    for (int i = 0; i < n; ++i)
        write_channel_intel(both, (float)i);
}
"""


def test_what_no_kernel_shows_alone(design, text, capsys):
    """A pragma that belongs to no loop, and a channel that two kernels write."""
    text(STRAY)
    _, data = audited(design, capsys)
    found = {(f["rule"], f["severity"]) for f in data["findings"]}
    assert {("pragma", "warning"), ("channel", "error")} <= found


def test_page_is_self_contained(design, capsys, tmp_path):
    _, data = audited(design, capsys, "--html")
    page = (design / "audit.html").read_text()
    assert data["page"] == str(design / "audit.html") and "conv1" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    (tmp_path / "file").touch()
    assert main(["audit", str(design), "--html", str(tmp_path / "file" / "page.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_api(design):
    with pytest.raises(AuditError, match="is not a design directory"):
        hlsgen.audit(design.parent)


def test_a_text_that_is_no_opencl_is_refused(design, text, capsys):
    text("__kernel void conv1(void) { undeclared = 1; }")
    assert main(["audit", str(design)]) == 2
    assert "line 1: use of undeclared identifier 'undeclared'" in capsys.readouterr().err


def test_a_manifest_that_is_no_manifest_is_refused(tmp_path, capsys):
    (tmp_path / "design.json").write_text("[]")
    assert main(["audit", str(tmp_path)]) == 2
    assert "design.json, it must be an object, not []" in capsys.readouterr().err


def test_what_is_missing_is_named(design, capsys, monkeypatch):
    monkeypatch.setattr(compiler, "library", lambda: None)
    assert main(["audit", str(design)]) == 2
    said = capsys.readouterr().err
    assert (
        "pocl-binary-distribution not installed" in said and "pip install 'hlsgen[audit]'" in said
    )


def test_clang_is_given_up_after_a_while():
    with pytest.raises(AuditError, match="did not finish"):
        llvm_ir(CLEAN, timeout=1e-4)
    assert "@conv1" in llvm_ir(CLEAN)  # the next one starts anew


def test_what_fails_beside_clang_is_in_the_log(tmp_path):
    job = {"folder": str(tmp_path), "options": [3], "text": "", "seconds": 60}
    assert compiler.WORKER.compile(job, 60) == 1
    assert "TypeError" in (tmp_path / compiler.LOG).read_text()


def test_a_compile_ends_by_itself_where_nobody_is_left_to_end_it(tmp_path):
    os.mkfifo(tmp_path / "never")  # clang waits for somebody to write into it
    text = f'#include "{tmp_path / "never"}"\n'
    job = {"folder": str(tmp_path), "options": [], "text": text, "seconds": 1}
    assert compiler.WORKER.compile(job, 60) == -signal.SIGALRM


def test_the_package_is_imported_without_the_extra():
    """The commands must start where neither llvmlite nor PoCL is installed."""
    code = "import sys; sys.modules['llvmlite'] = None; import hlsgen.cli.main, hlsgen.audit"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def crash():
    os.kill(os.getpid(), signal.SIGKILL)


def fail(*_):
    raise ValueError("no such block")


@pytest.mark.parametrize(
    ("work", "said"),
    [(crash, "crashed"), (fail, "no such block"), (lambda: time.sleep(60), "did not end")],
)
def test_index_code_that_goes_wrong_ends_alone(work, said):
    with pytest.raises(AuditError, match=said):
        isolated(work, timeout=2)


def test_a_prover_that_fails_leaves_the_rest_of_the_audit(design, monkeypatch):
    monkeypatch.setattr("hlsgen.audit.distance.Prover.distances", fail)
    found = hlsgen.audit(design)
    assert ("unproved", "warning") in {
        (f.rule, f.severity) for f in found.findings
    } and found.kernels


def test_the_verdict_stays_until_the_next_build(design, tmp_path, capsys):
    copy = tmp_path / "design"
    shutil.copytree(design, copy)
    (copy / "audit.json").unlink(missing_ok=True)
    assert main(["report", str(copy)]) == 0 and "not audited yet" in capsys.readouterr().out
    status, data = audited(copy, capsys)
    kept = json.loads((copy / "audit.json").read_text())
    assert kept["ok"] == (status == 0) and len(kept["findings"]) == len(
        [f for f in data["findings"] if f["severity"] != "note"]
    )
    assert main(["report", str(copy)]) == 0
    said = "audit: " + ("CLEAN" if kept["ok"] else "BROKEN")
    assert said in capsys.readouterr().out and said.split()[1] in (copy / "report.html").read_text()
    assert (
        main(["build", str(copy / "model.onnx"), "--style", "pipelined", "--out", str(copy)]) == 0
    )
    assert not (copy / "audit.json").exists()


def test_a_verdict_on_other_kernels_says_nothing(design, tmp_path):
    copy = Path(shutil.copytree(design, tmp_path / "copy"))
    leave(copy, AUDIT, verdict([]))
    assert left(copy, AUDIT)["ok"]
    path = copy / "kernels/lenet5.cl"
    path.write_text(path.read_text() + "\n")
    assert left(copy, AUDIT) is None


def test_build_audits_what_it_builds(design, tmp_path, capsys, monkeypatch):
    out = tmp_path / "built"
    capsys.readouterr()
    status = main(
        [
            "build",
            str(design / "model.onnx"),
            "--style",
            "pipelined",
            "--out",
            str(out),
            "--audit",
            "--json",
        ]
    )
    data = json.loads(capsys.readouterr().out)
    assert data["ok"] == data["audit"]["ok"] == (status == 0) and (out / "audit.json").is_file()
    monkeypatch.setattr(compiler, "library", lambda: None)
    assert (
        main(["build", str(design / "model.onnx"), "--out", str(tmp_path / "none"), "--audit"]) == 2
    )
    assert not (tmp_path / "none").exists()
