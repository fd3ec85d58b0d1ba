"""Ctrl-C and SIGTERM in the middle of real commands: soon, in one line, with the shell's status,
and nothing stays behind."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import onnx
import pytest

import hlsgen
from hlsgen.cli.main import main
from hlsgen.explore.farm import run_group
from hlsgen.sparsify import sparsify
from hlsgen.zoo import network

pytestmark = pytest.mark.slow

# Seconds that an interrupted command may take to end; busy machines are slow.
SOON = 20.0
# CPU seconds after which Python runs and the compiler is being imported.
STARTING = 0.2
# CPU seconds after which a process has imported the compiler, read the network, and searches.
SEARCHING = 2.0


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A network whose search takes long in every style (its zeros can be skipped in many ways), and
    one that is quickly built and slowly emulated."""
    folder = tmp_path_factory.mktemp("models")
    sparse = sparsify(network("resnet34", width=0.5), "relative", sparsity=0.85).model
    onnx.save(sparse, folder / "long.onnx")
    assert main(["zoo", "mobilenetv1", "--width", "0.5", "-o", str(folder / "slow.onnx")]) == 0
    return folder


def command(*arguments):
    return [sys.executable, "-m", "hlsgen", *map(str, arguments)]


def started(arguments, **options):
    return subprocess.Popen(
        command(*arguments), stderr=subprocess.PIPE, start_new_session=True, text=True, **options
    )


def descendants(pid):
    """Processes that a process has started, and theirs."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children] + [
        other for child in children for other in descendants(child)
    ]


def alive(pids):
    """Those that still run."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            continue
        found += [pid] * (state != "Z")
    return found


def cpu_seconds(pid):
    """What a process has worked."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(condition, seconds=120.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def interrupt(process, number=signal.SIGINT, group=False):
    """Send a signal, as a terminal does to the whole group or as `kill` does. Returns status and
    standard error; no descendant lives on."""
    before = descendants(process.pid)
    (os.killpg if group else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=SOON)
    wait_for(lambda: not alive(before), SOON)
    return process.returncode, err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("style", "number", "status"),
    [("pipelined", signal.SIGINT, 130), ("folded", signal.SIGTERM, 143)],
)
def test_build_in_the_middle_of_the_search(style, number, status, models, tmp_path):
    process = started(
        ["build", models / "long.onnx", "--style", style, "--out", tmp_path / "design"]
    )
    wait_for(lambda: cpu_seconds(process.pid) > SEARCHING)
    assert interrupt(process, number) == (status, "error: interrupted\n")
    assert not list(tmp_path.iterdir())


def test_a_build_that_starts(models, tmp_path):
    process = started(["build", models / "long.onnx", "--out", tmp_path / "design"])
    wait_for(lambda: cpu_seconds(process.pid) > STARTING)
    assert interrupt(process) == (130, "error: interrupted\n")


def test_the_cursor_comes_back(models, tmp_path):
    """On a terminal, where a spinner hides it."""
    ours, theirs = pty.openpty()
    arguments = command(
        "build", models / "long.onnx", "--style", "folded", "--out", tmp_path / "design"
    )
    process = subprocess.Popen(arguments, stderr=theirs, env=os.environ | {"TERM": "xterm"})
    os.close(theirs)
    shown = b""
    while b" search" not in shown:
        shown += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    assert process.wait(SOON) == 130
    while b"error" not in shown:
        shown += os.read(ours, 4096)
    os.close(ours)
    assert shown.count(b"\x1b[?25l") == shown.count(b"\x1b[?25h") > 0


@pytest.mark.slow
@pytest.mark.parametrize("group", [False, True])
def test_emulation(group, models, tmp_path):
    """The child with the emulator ends too, and its folder goes."""
    design = tmp_path / "design"
    assert main(["build", str(models / "slow.onnx"), "--style", "base", "--out", str(design)]) == 0
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = started(
        ["validate", design, "--samples", "200"],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(scratch)},
    )
    wait_for(lambda: any(cpu_seconds(pid) > 1.5 for pid in descendants(process.pid)))
    assert interrupt(process, group=group) == (130, "error: interrupted\n")
    assert not [path for path in scratch.iterdir() if path.name.startswith("hlsgen-")]
    assert not (design / "validation.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("group", [False, True])
def test_explore_with_its_workers(group, models, tmp_path):
    arguments = [
        "explore",
        models / "long.onnx",
        "--boards",
        "pac_d5005,pac_a10",
        "--out",
        tmp_path / "out",
        "--jobs",
        "2",
    ]
    process = started(arguments, stdout=subprocess.DEVNULL)
    wait_for(lambda: sum(cpu_seconds(pid) > SEARCHING for pid in descendants(process.pid)) == 2)
    assert interrupt(process, group=group) == (130, "error: interrupted\n")


def test_a_compile_ends_with_all_that_it_started(tmp_path):
    with open(tmp_path / "log", "w") as log, pytest.raises(subprocess.TimeoutExpired):
        run_group(["sh", "-c", "sleep 600 & echo $! > pid; wait"], tmp_path, log, 1.0)
    wait_for(lambda: not alive([int((tmp_path / "pid").read_text())]), SOON)


def test_python_gets_a_keyboard_interrupt():
    graph = hlsgen.load_graph(network("resnet34"))
    threading.Timer(
        1.0, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)
    ).start()
    with pytest.raises(KeyboardInterrupt):
        hlsgen.schedule(graph, style="pipelined")


def test_processes_that_start_meanwhile_never_see_it():
    """The first one neither: before it multiprocessing starts a process of its own, which unblocks
    the signal."""
    code = """
import multiprocessing, signal
from hlsgen.interrupts import no_interrupts
with no_interrupts():
    multiprocessing.get_context("spawn").Process(target=print).start()
    assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""
    subprocess.run([sys.executable, "-c", code], check=True)
