"""The host: layouts, verdicts, watchdog, and independence from the compiler."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from hlsgen.host.compare import TOLERANCE, compare
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import DeadlockError, HostError
from hlsgen.host.executor import Executor, errors_of
from hlsgen.host.hashes import file_hash
from hlsgen.host.runner import find_devices, run
from tests.support.cases import case
from tests.support.networks import assert_right, build, parse, verdict_of
from tests.support.paths import ROOT

NETWORK = """(float[1,3,12,12] x, float[8,3,3,3] a, float[8] ab, float[8,8,3,3] b,
float[4,8,1,1] c) => (float[1,4,3,3] y) {
first = Conv<pads=[1,1,1,1], strides=[2,2]>(x, a, ab) second = Conv<pads=[1,1,1,1]>(first, b)
pooled = MaxPool<kernel_shape=[2,2], strides=[2,2]>(second) y = Conv(pooled, c) }"""


def test_kernels_are_launched_when_inputs_are_written():
    """A blocking write on a queue of its own may be under way when it returns."""
    order: list[str] = []
    host = SimpleNamespace(finish=lambda: order.append("written"), flush=lambda: None)
    executor = Executor.__new__(Executor)
    executor.mode, executor.queues, executor.guards = "concurrent", {"host": host}, {}
    executor.run, executor.started_once = SimpleNamespace(autorun=()), True
    executor.launch = lambda item, images: (
        order.append(item.kernel) or SimpleNamespace(command_execution_status=0)
    )
    executor.execute([SimpleNamespace(kernel="read_input")], 1, 1.0)
    assert order == ["written", "read_input"]


def test_comparison():
    reference = np.array([1.0, -2.0, 4.0], np.float32)
    assert compare(reference, reference).ok
    assert compare(reference * np.float32(1 + 1e-6), reference).ok
    off = compare(reference + np.float32(0.01), reference)
    assert not off.ok and off.max_abs_error == pytest.approx(0.01, rel=1e-3)
    assert not compare(np.array([1, np.nan, 4], np.float32), reference).ok
    assert not compare(np.array([1, np.inf, 4], np.float32), reference).ok
    assert not compare(reference[:2], reference).ok
    assert compare(np.zeros(3), np.zeros(3)).ok and not compare(np.full(3, 1e-30), np.zeros(3)).ok
    assert TOLERANCE["float32"] <= 1e-4


def broken(tmp_path, style, old, new):
    """A design of NETWORK with one textual change in its kernels."""
    design = build(parse(NETWORK), tmp_path / style, style)
    file = design.path / design.manifest.kernels[0]
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return design


BREAKAGES = {
    "base wrong stride": (
        "base",
        "const int row = y * 2 + ky",
        "const int row = y * 1 + ky",
        "first",
    ),
    "base wrong pad": (
        "base",
        "const int column = x * 1 + kx * 1 - 1",
        "const int column = x * 1 + kx * 1 - 0",
        "second",
    ),
    "pipelined wrong stride": ("pipelined", "next_x += 2;", "next_x += 1;", None),
    "pipelined minimum for maximum": ("pipelined", "largest = fmax(", "largest = fmin(", "pooled"),
    "pipelined forgotten bias": ("pipelined", "product + bias[0]", "product", "first"),
    "folded tap twice": ("folded", ": s.tap_step_x;", ": 0;", "second"),
    "folded wrong row step": ("folded", "row + s.row_step", "row + s.column_step", "first"),
    "folded forgotten bias": ("folded", " + shift;", ";", "first"),
    "folded wrong mask": (
        "folded",
        "s.mask_y >> r & s.mask_x >> c & 1",
        "s.mask_y >> r & s.mask_x >> c & 0",
        "pooled",
    ),
}


@pytest.mark.emulator
@pytest.mark.parametrize("name", BREAKAGES)
def test_broken_kernel_is_found(name, tmp_path):
    style, old, new, layer = BREAKAGES[name]
    # Where no layer is named the kernels never end: they work all that time.
    verdict = verdict_of(broken(tmp_path, style, old, new), timeout=5 if layer else 2)
    assert verdict["ok"] is False
    if layer:
        assert verdict["first_wrong_layer"] == layer
    else:  # the kernel consumes or produces too little, so that its neighbour waits for ever
        assert verdict.get("unfinished") or verdict["first_wrong_layer"] == "first"


@pytest.mark.emulator
def test_wrong_weights_are_found(tmp_path):
    design = build(parse(NETWORK), tmp_path / "design", "folded")
    data = bytearray((design.path / "weights").read_bytes())
    values = np.frombuffer(data, np.float32)
    values[np.flatnonzero(values)[3]] += 1
    (design.path / "weights").write_bytes(data)
    with pytest.raises(HostError, match="weights is not what build wrote"):
        verdict_of(design)
    without_hashes(design.path)
    verdict = verdict_of(design)
    assert verdict["ok"] is False and verdict["first_wrong_layer"] == "first"


def without_hashes(folder):
    """Make a design one by hand, which nothing vouches for."""
    manifest = json.loads((folder / "design.json").read_text())
    (folder / "design.json").write_text(json.dumps(manifest | {"sha256": {}, "digest": ""}))


def test_a_bitstream_names_its_sources(tmp_path):
    design = build(parse(NETWORK), tmp_path / "design", "folded")
    image = design.path / "bin" / f"{design.manifest.name}.aocx"
    image.parent.mkdir()
    image.write_bytes(b"bitstream")
    found = HostDesign(design.path)
    found.check_bitstream(image)  # made by hand: it names none
    sources = (*design.manifest.kernels, "Makefile")
    note = "".join(f"{file_hash(design.path / name)}  {name}\n" for name in sources)
    image.with_name(image.name + ".sources").write_text(note)
    found.check_bitstream(image)
    before = found.identity
    with open(design.path / design.manifest.kernels[0], "a") as file:
        file.write("// edited\n")
    with pytest.raises(HostError, match="was compiled from another kernels/"):
        found.check_bitstream(image)
    assert found.edited == design.manifest.kernels and found.identity != before


@pytest.mark.emulator
def test_deadlock_names_the_kernels(tmp_path):
    """A FIFO that is too shallow round a branch: strict emulation blocks, and the verdict says who
    waits."""
    design = build(case("branches_of_different_length"), tmp_path / "design", "pipelined")
    file = design.path / design.manifest.kernels[0]
    lines = file.read_text().split("\n")
    for index, line in enumerate(lines):
        if line.startswith("channel") and "read_input_to_y" in line:
            lines[index] = (
                line[: line.index("DEPTH(")] + "DEPTH(1, " + line.split("DEPTH(")[1].split(", ")[1]
            )
    file.write_text("\n".join(lines))
    verdict = verdict_of(design, strict=True, timeout=2)
    assert verdict["ok"] is False
    assert "read_input" in verdict["unfinished"] and "write_output" in verdict["unfinished"]
    inputs = {"x": np.zeros((1, 4, 9, 9), np.float32)}
    with pytest.raises(DeadlockError, match="write_output"):
        run(design, inputs, strict=True, timeout=1)


@pytest.mark.emulator
def test_kernels_that_do_not_compile(tmp_path):
    design = broken(tmp_path, "folded", "lanes in;", "lanes in")
    with pytest.raises(HostError, match="do not compile"):
        verdict_of(design)


def test_errors_come_before_warnings():
    """A compiler that warns of every kernel must not hide what is wrong."""
    warnings = [f"{n}:1: warning: something to look at" for n in range(500)]
    found = errors_of(
        "\n".join(
            [
                *warnings,
                "7:5: error: no such channel",
                "    read(x)",
                "         ^",
                "1 error generated.",
            ]
        )
    )
    assert found.splitlines()[:3] == ["7:5: error: no such channel", "    read(x)", "         ^"]
    assert errors_of("out of memory") == "out of memory"
    assert len(errors_of("\n".join(warnings))) <= 4000


@pytest.mark.emulator
def test_a_crash_of_the_runtime_is_a_message(tmp_path, monkeypatch):
    design = build(parse(NETWORK), tmp_path / "design", "folded")
    monkeypatch.setattr("hlsgen.host.process.sys.executable", shutil.which("false"))
    with pytest.raises(HostError, match="crashed"):
        run(design, {"x": np.zeros((1, 3, 12, 12), np.float32)})


@pytest.mark.emulator
def test_no_child_and_no_folder_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    design = build(parse(NETWORK), tmp_path / "design", "pipelined")
    assert_right(design, strict=True)
    assert not [name for name in os.listdir(tmp_path / "tmp") if name.startswith("hlsgen-")]


@pytest.mark.emulator
@pytest.mark.parametrize("device", ["cpu", "pocl"])
def test_kernels_without_channels_run_elsewhere(device, tmp_path):
    if device == "pocl" and not any("Portable" in d["platform"] for d in find_devices("system")):
        pytest.skip("PoCL is not installed on this machine")
    for style, disable in (("base", []), ("folded", ["channels"])):
        assert_right(build(parse(NETWORK), tmp_path / style, style, disable=disable), device=device)


@pytest.mark.emulator
def test_images_stream_back_to_back(tmp_path):
    """State of one image (line buffers, accumulators) must not leak into the next."""
    assert_right(build(parse(NETWORK), tmp_path / "design", "pipelined"), images=5, strict=True)


def test_host_alone(tmp_path):
    """A copy of host/ beside a copy of a design, in a process that cannot import the compiler."""
    from hlsgen.cli.main import main

    design = build(parse(NETWORK), tmp_path / "board" / "design", "pipelined")
    assert (
        main(
            [
                "reference",
                str(design.path),
                "-o",
                str(tmp_path / "board" / "reference.npz"),
                "--samples",
                "2",
            ]
        )
        == 0
    )
    shutil.copytree(ROOT / "host", tmp_path / "board" / "host")
    (design.path / "model.onnx").unlink()
    guard = tmp_path / "board" / "sitecustomize.py"
    guard.write_text(
        "import sys\nfor name in ('onnx', 'hlsgen', 'networkx', 'jinja2'):\n    "
        "sys.modules[name] = None\n"
    )
    command = [sys.executable, "-m", "host", "check", "design", "reference.npz"]
    environment = dict(os.environ, PYTHONPATH=str(tmp_path / "board"))
    done = subprocess.run(
        command,
        cwd=tmp_path / "board",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["ok"] and verdict["images"] == 2 and len(verdict["layers"]) == 4


def test_importing_the_host_imports_no_compiler():
    code = (
        "import hlsgen.host.runner, sys; print([m for m in ('onnx', 'jinja2', "
        "'networkx', 'pyopencl', 'hlsgen.graph') if m in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_manifest_schema_is_checked(tmp_path):
    design = build(parse(NETWORK), tmp_path / "design", "base")
    manifest = json.loads((design.path / "design.json").read_text())
    (design.path / "design.json").write_text(json.dumps(manifest | {"schema": 99}))
    with pytest.raises(HostError, match="schema 99"):
        HostDesign(design.path)
