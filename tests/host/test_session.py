"""Worker processes that serve run after run: same results, no run suffers from another, nothing is
left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Pipe
from pathlib import Path

import numpy as np
import pytest

from hlsgen.host.devices import environment
from hlsgen.host.errors import DeadlockError, HostError
from hlsgen.host.process import WorkerProcess
from hlsgen.host.runner import run
from hlsgen.host.session import Session
from tests.support.cases import case
from tests.support.networks import build, images_for
from tests.support.paths import ROOT

CASES = [
    ("add_residual", "pipelined"),
    ("lrn", "folded"),
    ("max_pool", "base"),
    ("conv_depthwise", "pipelined"),
]


@pytest.fixture(scope="module")
def designs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("designs")
    return [build(case(name), folder / f"{name}_{style}", style) for name, style in CASES]


@pytest.fixture
def started(monkeypatch):
    """The worker processes that are started from now on."""
    processes = []
    start = WorkerProcess.__init__

    def init(self, variables):
        start(self, variables)
        processes.append(self.child)

    monkeypatch.setattr(WorkerProcess, "__init__", init)
    return processes


def same(first, second):
    return all(np.array_equal(first.outputs[name], second.outputs[name]) for name in first.outputs)


def crash(process):
    """End a worker that waits, as the system does when memory runs out."""
    process.kill()
    process.wait()


@pytest.mark.emulator
def test_many_designs_in_one_worker_give_what_a_process_each_gives(designs, started):
    with Session() as session:
        shared = [run(d, images_for(d, 2), session=session) for d in (*designs, *designs)]
        assert len(started) == 1
    assert started[0].returncode is not None
    alone = [run(d, images_for(d, 2), session=Session(keep=0)) for d in designs]
    assert len(started) == 1 + len(designs)
    assert all(same(*pair) for pair in zip(shared, alone * 2, strict=True))


@pytest.mark.emulator
def test_kernels_that_never_end_leave_with_their_worker(designs, started):
    """In strict mode kernels start by themselves and wait for more images: the next run gets a new
    process."""
    design = designs[0]
    assert design.run("concurrent").autorun
    with Session() as session:
        first = run(design, images_for(design), strict=True, session=session)
        assert started[0].returncode is not None
        assert same(first, run(design, images_for(design), session=session))
    assert len(started) == 2


@pytest.mark.emulator
def test_a_run_works_after_a_failure(designs, started, tmp_path):
    design = designs[0]
    broken = build(case("max_pool"), tmp_path / "broken", "pipelined")
    file = broken.path / broken.manifest.kernels[0]
    text = file.read_text()
    with Session() as session:
        expected = run(design, images_for(design), session=session)
        file.write_text(text.replace("write_channel_intel(", "if (0) write_channel_intel("))
        with pytest.raises(DeadlockError, match="write_output"):
            run(broken, images_for(broken), timeout=1, session=session)
        assert same(expected, run(design, images_for(design), session=session))
        file.write_text("nonsense")
        with pytest.raises(HostError, match="do not compile"):
            run(broken, images_for(broken), session=session)
        assert same(expected, run(design, images_for(design), session=session))
        crash(started[-1])
        assert same(expected, run(design, images_for(design), session=session))
        assert len(started) == 4
    assert all(process.returncode is not None for process in started)


@pytest.mark.emulator
def test_an_exception_of_the_caller_ends_the_worker_at_once(designs, started):
    def interrupt(*_):
        raise KeyboardInterrupt

    design = designs[0]
    with Session() as session:
        with pytest.raises(KeyboardInterrupt):
            run(design, images_for(design, 3), on_layers=interrupt, session=session)
        assert started[0].returncode == -signal.SIGKILL
        run(design, images_for(design), session=session)


@pytest.mark.emulator
def test_silence_ends_a_worker(started):
    with Session() as session:
        with (
            pytest.raises(HostError, match="did not answer"),
            session.worker(environment("emulator", 0)) as worker,
        ):
            list(worker.work({"task": "devices"}, 0.001))
        assert started[0].returncode == -signal.SIGKILL


def test_a_worker_that_has_grown_serves_no_more():
    ours, theirs = Pipe()
    lifeline, end = os.pipe()
    code = (
        "from hlsgen.host import worker; worker.MEMORY_LIMIT = 0; "
        f"worker.main({theirs.fileno()}, {lifeline})"
    )
    with subprocess.Popen([sys.executable, "-c", code], pass_fds=[theirs.fileno(), lifeline]):
        theirs.close()
        assert ours.recv() == {"event": "ready"}
        ours.send({"task": "devices"})
        assert ours.recv()["reusable"] is False
    os.close(lifeline)
    os.close(end)


@pytest.mark.emulator
def test_threads_share_a_session(designs, started):
    results = {}
    with Session() as session:

        def work(number):
            results[number] = run(designs[number], images_for(designs[number]), session=session)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(len(designs))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(started) <= len(designs)
        # The thread that started a worker is gone, the worker is not.
        again = [run(design, images_for(design), session=session) for design in designs]
        assert len(started) <= len(designs)
    assert all(same(results[n], again[n]) for n in range(len(designs)))


@pytest.mark.emulator
def test_a_fork_has_workers_of_its_own(designs, started):
    design = designs[0]
    with Session() as session:
        expected = run(design, images_for(design), session=session)
        child = os.fork()
        if not child:
            status = 1
            try:
                found = run(design, images_for(design), session=session)
                session.close()
                status = 0 if same(expected, found) and len(started) == 2 else 2
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert same(expected, run(design, images_for(design), session=session))
        assert len(started) == 1


@pytest.mark.emulator
def test_other_settings_get_another_worker(designs, started, monkeypatch):
    design = designs[1]
    with Session() as session:
        run(design, images_for(design), session=session)
        monkeypatch.setenv("CL_CONFIG_CPU_TBB_NUM_WORKERS", "40")
        run(design, images_for(design), session=session)
        monkeypatch.setenv("SOMETHING_ELSE", "1")
        run(design, images_for(design), session=session)
    assert len(started) == 2


PARENT = """
import sys
from hlsgen.host.design import HostDesign
from hlsgen.host.process import WorkerProcess
from hlsgen.host.runner import run
import numpy as np

start = WorkerProcess.__init__
def init(self, variables):
    start(self, variables)
    print(self.child.pid, flush=True)
WorkerProcess.__init__ = init

design = HostDesign(sys.argv[1])
images = {"x": np.zeros((1, 5, 8, 7), np.float32)}
if sys.argv[2] == "idle":
    run(design, images)
    print("waiting", flush=True)
    sys.stdin.read()
run(design, images, strict=True, timeout=300)
"""


def running(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("state", ["idle", "busy"])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGINT])
def test_a_parent_that_is_killed_leaves_nothing(state, sent, tmp_path):
    """A busy worker is in a deadlock, with kernels that poll; an idle one waits for a job.

    Ctrl-C at a terminal reaches the parent alone.
    """
    design = build(case("max_pool"), tmp_path / "design", "pipelined")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    if state == "busy":
        file = design.path / design.manifest.kernels[0]
        file.write_text(
            file.read_text().replace("write_channel_intel(", "if (0) write_channel_intel(")
        )
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(design.path), state],
        env=dict(os.environ, TMPDIR=str(temporary), PYTHONPATH=str(ROOT)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    worker = int(parent.stdout.readline())
    if state == "idle":
        assert parent.stdout.readline() == "waiting\n"
    else:
        wait_for(lambda: len(os.listdir(f"/proc/{worker}/task")) > 20)
    assert running(worker) and os.getsid(worker) == worker
    parent.send_signal(sent)
    parent.wait()
    wait_for(lambda: not running(worker))
    assert os.listdir(temporary) == []
    parent.stdin.close()
    parent.stdout.close()


def wait_for(condition):
    """Wait until a condition holds; the bound is for a test that hangs."""
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)
