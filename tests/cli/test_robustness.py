"""Hostile files, interrupted builds, two builds at once, accesses out of bounds, many validations
in one process."""

import gc
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest

from hlsgen.cli.main import main
from hlsgen.codegen.place import workspace
from hlsgen.errors import OutputError
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from tests.support.cases import case
from tests.support.hostile import build_hostile, hostile_bytes
from tests.support.networks import assert_right, build, parse, verdict_of
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

OCLGRIND = Path("/usr/lib/oclgrind/liboclgrind-rt-icd.so")
CONV = "(float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) { y = Conv(x, w) }"


def attempt(seed, folder):
    random = np.random.default_rng(seed)
    data = hostile_bytes(lambda options: options[int(random.integers(len(options)))])
    problem = build_hostile(
        data, Path(folder) / str(seed), ("auto", "base", "pipelined", "folded")[seed % 4]
    )
    shutil.rmtree(Path(folder) / str(seed))
    return problem


@pytest.mark.slow
def test_hostile_files(tmp_path):
    """In processes of their own, with bounded memory: neither a traceback, nor a crash, nor a stray
    file, nor injected code. `python -m benchmarks.fuzz files` tries thousands."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        jobs = [(seed, pool.apply_async(attempt, (seed, str(tmp_path)))) for seed in range(200)]
        found = {seed: job.get(120) for seed, job in jobs}
    assert {seed: problem for seed, problem in found.items() if problem} == {}


def save(path, text, inputs=("x",)):
    onnx.save(parse(text, inputs=inputs), path)
    return path


def refuse(path, tmp_path, capsys, *words):
    assert main(["build", str(path), "--out", str(tmp_path / "design")]) == 2
    message = capsys.readouterr().err
    assert all(word in message for word in words), message
    assert not (tmp_path / "design").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(value, tmp_path, capsys):
    model = parse(CONV)
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights[1, 2, 0, 0] = value
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "w"))
    onnx.save(model, tmp_path / "bad.onnx")
    refuse(tmp_path / "bad.onnx", tmp_path, capsys, "node y", "weight", "not finite")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "(float[1,3,200000,200000] x) => (float[1,3,200000,200000] y) { y = Relu(x) }",
            ["feature map", "smaller"],
        ),
        (
            "(float[1,3000000000,3000000000,3,4,5] x) => (float[a,b,c,d,e,f] y) { y = Relu(x) }",
            ["feature map", "smaller"],
        ),
        (
            "(float[1,3,8,8] x) => (float[a,b,c,d] y) { r = "
            "Constant<value_ints=[1,1,100000,100000]>() y = Tile(x, r) }",
            ["would hold"],
        ),
        (
            "(float[1,3] x) => (float[a,b] y) { s = Constant<value_ints=[3,1000000000]>() k "
            "= ConstantOfShape(s) y = MatMul(x, k) }",
            ["constant node", "would hold"],
        ),
        (
            "(float[1,1,4,4] x, float[1,1,3,3] w) => (float[a,b,c,d] y) { y = "
            "Conv<pads=[9999999,0,9999999,99999]>(x, w) }",
            ["too large"],
        ),
    ],
)
def test_sizes_beyond_reason(text, words, tmp_path, capsys):
    refuse(save(tmp_path / "bad.onnx", text), tmp_path, capsys, *words)


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname"])
def test_external_data_outside_its_folder(location, tmp_path, capsys):
    (tmp_path / "secret.bin").write_bytes(bytes(4 * 4 * 27))
    (tmp_path / "model").mkdir()
    model = parse(CONV)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    (tmp_path / "model" / "bad.onnx").write_bytes(model.SerializeToString())
    refuse(tmp_path / "model" / "bad.onnx", tmp_path, capsys, "external data")


# ---- interrupted builds


def big_model(path, width="1"):
    """A network whose build takes a second or so."""
    assert main(["zoo", "mobilenetv1", "--size", "64", "--width", width, "-o", str(path)]) == 0
    return path


def content(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


# Runs a command in a new process for every line that it reads; tells that process's number, then
# its wait status. A fork spares each of them what takes longer than the build, importing the
# compiler.
FORKS = """
import os, sys
from hlsgen.cli.main import main
for _ in sys.stdin:
    child = os.fork()
    if not child:
        try:
            os.dup2(2, 1)
            os._exit(main(sys.argv[1:]))
        except KeyboardInterrupt:
            os._exit(130)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_builds_leave_the_earlier_design(number, tmp_path):
    small, large, out = (
        save(tmp_path / "small.onnx", CONV),
        big_model(tmp_path / "large.onnx"),
        tmp_path / "design",
    )
    build_large = ["build", str(large), "--out", str(out), "--style", "base"]  # most of it writes
    command = [sys.executable, "-c", FORKS, *build_large]
    assert main(["build", str(small), "--out", str(out)]) == 0
    (out / "mine.txt").write_text("mine")
    shutil.copytree(out, tmp_path / "saved")
    before, ended = content(out), []
    with (
        open(tmp_path / "errors", "w") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as forks,
    ):

        def start():
            print(file=forks.stdin, flush=True)
            return int(forks.stdout.readline()), time.monotonic()

        for _ in range(2):  # the first one reads files that the others find in memory
            _, began = start()
            assert int(forks.stdout.readline()) == 0
            whole = time.monotonic() - began
        after = content(out)
        for share in (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9):
            shutil.rmtree(out)
            shutil.copytree(tmp_path / "saved", out)
            process, _ = start()
            time.sleep(share * whole)
            with suppress(ProcessLookupError):  # it was faster this time
                os.kill(process, number)
            ended.append(int(forks.stdout.readline()) != 0)
            assert content(out) in (before, after)
            assert (out / "mine.txt").read_text() == "mine"
        forks.stdin.close()
    assert any(ended)
    assert "Traceback" not in (tmp_path / "errors").read_text()
    assert (
        main(["build", str(small), "--out", str(out)]) == 0
    )  # and clears away what was left behind
    assert {p.name for p in tmp_path.iterdir()} == {
        "small.onnx",
        "large.onnx",
        "design",
        "saved",
        "errors",
    }


def test_a_full_disk_leaves_the_earlier_design(tmp_path, capsys, monkeypatch):
    small, out = save(tmp_path / "small.onnx", CONV), tmp_path / "design"
    assert main(["build", str(small), "--out", str(out)]) == 0
    before = content(out)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hlsgen.codegen.generate.model_bytes", full)
    assert main(["build", str(small), "--out", str(out), "--style", "base"]) == 2
    assert "No space left" in capsys.readouterr().err
    assert content(out) == before
    assert {p.name for p in tmp_path.iterdir()} == {"small.onnx", "design"}


@pytest.mark.slow
def test_two_builds_at_once(tmp_path):
    out = tmp_path / "design"
    with workspace(out), pytest.raises(OutputError, match="another build"), workspace(out):
        pass
    large = big_model(tmp_path / "large.onnx", "0.25")
    command = [sys.executable, "-m", "hlsgen", "build", str(large), "--out", str(out), "--style"]
    processes = [
        subprocess.Popen(
            [*command, style], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for style in ("folded", "base", "folded", "base")
    ]
    ends = [(p.communicate()[1], p.returncode) for p in processes]
    assert any(code == 0 for _, code in ends)
    assert all(
        code == 0 or (code == 2 and "another build is writing there" in err) for err, code in ends
    ), ends
    assert HostDesign(out).manifest.style in ("folded", "base")
    assert {p.name for p in tmp_path.iterdir()} == {"large.onnx", "design"}


# ---- out of bounds


@pytest.mark.emulator
@pytest.mark.parametrize("style", ["base", "pipelined", "folded"])
def test_a_write_out_of_bounds_is_seen(style, tmp_path):
    design = build(parse(CONV), tmp_path / "design", style)
    path = next((tmp_path / "design" / "kernels").glob("*.cl"))
    text = path.read_text()
    changed = {
        "base": ("output[at + first] =", "output[at + first + (at == 0 ? -1 : 0)] ="),
        "pipelined": ("image_data[i] = read", "image_data[i + (i == 0 ? -1 : 0)] = read"),
        # The feature memory begins with the input: the write goes before it.
        "folded": (
            "features[s.out_base + (row * s.out_width",
            "features[-1 + 0 * (row * s.out_width",
        ),
    }[style]
    assert changed[0] in text
    path.write_text(text.replace(*changed))
    with pytest.raises(HostError, match="outside buffer"):
        verdict_of(design)


@pytest.mark.emulator
def test_a_read_out_of_bounds_is_seen(tmp_path):
    """What lies beyond a buffer is not a number, so a kernel that reads it is wrong."""
    design = build(parse(CONV), tmp_path / "design", "base")
    path = next((tmp_path / "design" / "kernels").glob("*.cl"))
    text = path.read_text()
    changed = "row < 8 &&"
    assert changed in text
    path.write_text(
        text.replace(changed, "row < 99 &&").replace("const int row = y", "const int row = 1 + y")
    )
    assert not verdict_of(design)["ok"]


@pytest.mark.skipif(not OCLGRIND.is_file(), reason="oclgrind is not installed")
@pytest.mark.parametrize(
    "name",
    [
        "conv_asymmetric_pads",
        "max_pool_ceil",
        "gemm",
        "softmax",
        "lrn",
        "pad_reflect",
        "conv_transpose_odd",
    ],
)
def test_oclgrind_finds_nothing(name, tmp_path):
    """Kernels without channels, under a simulator that checks every access."""
    design = build(case(name), tmp_path / "design", "base")
    assert oclgrind(design) == ""


@pytest.mark.skipif(not OCLGRIND.is_file(), reason="oclgrind is not installed")
def test_oclgrind_would_find_something(tmp_path):
    design = build(parse(CONV), tmp_path / "design", "base")
    path = next((tmp_path / "design" / "kernels").glob("*.cl"))
    path.write_text(path.read_text().replace("output[at + first] =", "output[at + first + 1] ="))
    assert "Invalid write" in oclgrind(design)


def oclgrind(design):
    """What oclgrind says of a run of all kernels of a design without channels."""
    script = ROOT / "tests/support/oclgrind_run.py"
    variables = {
        "OCLGRIND_DATA_RACES": "1",
        "OCLGRIND_UNINITIALIZED": "1",
        "PYOPENCL_NO_CACHE": "1",
    }
    command = [sys.executable, str(script), str(design.path), str(OCLGRIND)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, **variables}
    )
    assert "ran on Oclgrind" in done.stdout, done.stdout + done.stderr
    faults = ("Invalid", "Uninitialized", "race", "Unaligned", "divergence")
    return "\n".join(
        line for line in done.stderr.splitlines() if any(fault in line for fault in faults)
    )


# ---- many in a row


@pytest.mark.emulator
def test_soak(tmp_path):
    """One process validates many designs and keeps nothing. `python -m benchmarks.fuzz soak` does
    200."""
    process = psutil.Process()
    names = ["conv_plain", "gemm", "softmax", "split"]
    states = []
    for count in range(12):
        folder = tmp_path / str(count)
        assert_right(
            build(case(names[count % 4]), folder, ("base", "pipelined", "folded")[count % 3])
        )
        shutil.rmtree(folder)
        gc.collect()
        states.append(
            (
                process.num_fds(),
                len(process.children()),
                threading.active_count(),
                process.memory_info().rss,
            )
        )
    early, late = states[3], states[-1]
    assert late[:3] == early[:3]
    assert late[3] - early[3] < 60e6
