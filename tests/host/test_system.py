"""A system without emulated boards: what is read of it and what is refused, and which error of
several is told."""

import json
import shutil
import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from hlsgen.accelerator.accelerator import Accelerator
from hlsgen.accelerator.boards import compile_boards
from hlsgen.boards.topology import topology
from hlsgen.errors import PlanError
from hlsgen.frontend.cut import load_network
from hlsgen.host import boards
from hlsgen.host.bench import bench
from hlsgen.host.boards import Aborted, worst
from hlsgen.host.errors import DeadlockError, HostError
from hlsgen.host.ranks import run_rank
from hlsgen.host.runner import run
from hlsgen.host.system import SystemDesign
from hlsgen.schedule.goal import Goal
from hlsgen.system.build import generate_system
from hlsgen.system.search import plan_row
from tests.support.networks import images_for, parse

# The host computes Det.
NETWORK = """(float[1,3,8,8] x, float[{0},3,3,3] a, float[4,{0},3,3] b) => (float[1,4] y) {{
    p = Conv(x, a) q = Conv(p, b) y = Det(q) }}"""


def build(folder):
    """A system of two boards. Returns what `generate_system` does."""
    graph = load_network(parse(NETWORK.format(4)))
    plan = plan_row(graph, ["p520_max"] * 2, topology("chain"), Goal(), {}, (1, 2))
    return generate_system(graph, plan, folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("system") / "s"
    build(folder)
    return folder


@pytest.fixture
def system(built, tmp_path):
    """A copy to break."""
    return shutil.copytree(built, tmp_path / "s")


def test_bitstreams_of_other_kernels_are_put_aside(system):
    """Another network of the same name: no board runs what was compiled for the earlier one."""
    for board in Accelerator(system).design.boards:
        (board.path / "bin").mkdir()
        (board.path / "bin" / f"{board.manifest.name}.aocx").write_text("compiled")
    assert build(system) == "" and Accelerator(system).compiled
    wider = parse(NETWORK.format(6))
    made = compile_boards(wider, ["p520_max"] * 2, system, style="pipelined").accelerator
    assert made.set_aside == "compiled.old" and not made.compiled
    assert not list(system.glob("board_*/bin"))
    assert len(list((system / "compiled.old").glob("board_*/bin/*.aocx"))) == 2


def test_a_model_that_the_host_runs_is_that_of_the_build(system):
    """As in the directory of one design: an altered one is refused, and so is a missing one."""
    tail = system / "tail.onnx"
    tail.write_bytes(tail.read_bytes() + b"\x00")
    with pytest.raises(HostError, match=r"tail\.onnx is not what build wrote"):
        SystemDesign(system)
    tail.unlink()
    with pytest.raises(HostError, match=r"tail\.onnx is missing"):
        SystemDesign(system)


def test_edited_kernels_of_a_board_are_told(system):
    assert SystemDesign(system).edited == ()
    name = SystemDesign(system).manifest.kernels[1]
    (system / name).write_text((system / name).read_text() + "// edited\n")
    assert name.startswith("board_2/") and SystemDesign(system).edited == (name,)


def test_a_plan_of_a_board_that_was_edited_is_refused(system):
    path = system / "board_2" / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    with pytest.raises(PlanError, match=r"board_2.*plan\.json was edited"):
        _ = Accelerator(system).prediction


ABORTED = Aborted("another board failed")
DEADLOCK = DeadlockError(["conv"], 3.0)
CRASH = HostError("crashed")


@pytest.mark.parametrize(
    "problems, told",
    [
        ([ABORTED, DEADLOCK, CRASH], "b2: crashed"),
        ([ABORTED, DEADLOCK, DEADLOCK], "b1: conv, b2: conv"),
        ([ABORTED, ABORTED], "another board failed"),
    ],
)
def test_the_worst_problem_of_boards_is_told(problems, told):
    assert told in str(worst([(f"b{n}", problem) for n, problem in enumerate(problems)]))


def test_a_board_that_ends_with_another_may_be_through_first(built, monkeypatch):
    """The one that fails wakes the others before its own failure is noted: they do not hide it."""

    def take_part(worker, job, *_):
        if job["board"] == 0:
            raise ABORTED
        time.sleep(0.2)
        raise CRASH

    monkeypatch.setattr(boards, "take_part", take_part)
    session = SimpleNamespace(worker=nullcontext)
    jobs = [{"board": n, "mode": "concurrent", "device": "board"} for n in range(2)]
    with pytest.raises(HostError, match=r"board_2 \(p520_max\): crashed"):
        boards.at_once(SystemDesign(built), jobs, 1.0, session, lambda _: None)


@pytest.mark.parametrize("device", ["0", "pocl"])
def test_several_boards_are_not_one_device(built, device):
    design = SystemDesign(built)
    comm = SimpleNamespace(Get_size=lambda: 2, Get_rank=lambda: 0)
    for started in (
        lambda: run(design, images_for(design), device=device),
        lambda: run_rank(design, images_for(design), comm, device=device),
    ):
        with pytest.raises(HostError, match=r"and there are 2 boards\n.*--device board"):
            started()


def test_processes_of_emulated_boards_need_a_folder(built):
    """Without one they would wait for files of the current folder."""
    design = SystemDesign(built)
    comm = SimpleNamespace(Get_size=lambda: 2, Get_rank=lambda: 0, Barrier=lambda: None)
    with pytest.raises(HostError, match=r"a folder for their links\n.*give --links DIR"):
        run_rank(design, images_for(design), comm, device="emulator", timeout=2)


@pytest.mark.parametrize(
    "field, value, told",
    [
        ("boards", [], "boards is empty"),
        ("inputs", "z", "no board has z"),
        ("outputs", "z", "no board has z"),
    ],
)
def test_a_system_file_that_names_what_is_not_there_is_refused(system, field, value, told):
    data = json.loads((system / "system.json").read_text()) | {"digest": ""}
    data[field] = [data[field][0] | {"name": value}] if value else value
    (system / "system.json").write_text(json.dumps(data))
    with pytest.raises(HostError, match=told):
        SystemDesign(system)


def test_a_system_file_that_is_nested_deeply_is_refused(tmp_path):
    (tmp_path / "system.json").write_text("[" * 100_000)
    with pytest.raises(HostError, match="none that this host reads"):
        SystemDesign(tmp_path)


def test_a_system_is_not_measured_as_one_design(built):
    with pytest.raises(HostError, match="bench measures one design"):
        bench(SystemDesign(built))
