"""One network over several boards: every layer right on the emulator, one board after another and
all at once over pipes; what is broken on purpose is found."""

import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest

import hlsgen
from hlsgen.audit.design import audit
from hlsgen.audit.verdict import verdict
from hlsgen.boards.topology import topology
from hlsgen.errors import PlanError
from hlsgen.host import boards
from hlsgen.host.boards import serve
from hlsgen.host.errors import HostError
from hlsgen.host.system import SystemDesign
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.goal import Goal
from hlsgen.system.build import generate_system
from hlsgen.system.search import plan_row
from hlsgen.system.simulate import simulate_system
from hlsgen.zoo import network
from tests.support.networks import assert_right, parse, verdict_of
from tests.support.quantised import quantised_statically

pytestmark = pytest.mark.emulator

# Residual, with 5 channels whose vectors are filled up; the pooled branch has fewer pixels.
RESIDUAL = """(float[1,3,10,10] x, float[5,3,3,3] a, float[5,5,3,3] b, float[8,5,1,1] c,
float[8,5,3,3] d, float[8,8,1,1] e, float[4,8] f) => (float[1,4] y, float[1,8,5,5] t) {
    p = Conv<pads=[1,1,1,1]>(x, a) q = Relu(p) r = Conv<pads=[1,1,1,1]>(q, b) s = Add(r, q)
    u = Relu(s) m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(u) v = Conv(m, c)
    w = Conv<pads=[1,1,1,1], strides=[2,2]>(u, d) t = Add(v, w) k = Conv(t, e)
    g = GlobalAveragePool(k) h = Flatten(g) y = Gemm<transB=1>(h, f) }"""


def built(model, ends, out, boards="p520_max"):
    graph = hlsgen.load_graph(model)
    ends = (*ends, len(graph.layers))
    plan = plan_row(graph, [boards] * len(ends), topology("chain"), Goal(), {}, ends)
    generate_system(graph, plan, out)
    return plan, SystemDesign(out)


def residual():
    return parse(RESIDUAL, inputs=("x",))


@pytest.mark.parametrize(
    "ends, tensors",
    [((1,), [1]), ((2,), [2]), ((3, 5), [1, 2]), ((4, 6), [2, 2])],
    ids=["one tensor", "a branch", "three boards", "one passes through"],
)
def test_residual(tmp_path, ends, tensors):
    """One after another, each layer looked at, and then all at once."""
    plan, design = built(residual(), ends, tmp_path / "s")
    assert [len(link.tensors) for link in design.system.links] == tensors
    verdict = assert_right(design, images=3, strict=True)
    assert len(verdict["layers"]) == sum(len(graph.layers) for graph in plan.graphs)


def test_lenet_over_three_boards(tmp_path):
    _, design = built(network("lenet5"), (2, 4), tmp_path / "s")
    assert_right(design, images=2, strict=True)


def test_integers(tmp_path):
    model = quantised_statically(residual(), tmp_path, np.uint8)
    plan, design = built(model, (3, 5), tmp_path / "s")
    assert {
        t.type.bits
        for name in plan.plans[0].leaving.tensors
        for t in [plan.graphs[0].tensors[name]]
    } == {8}
    assert_right(design, images=2, strict=True)


@pytest.fixture(scope="module")
def branched(tmp_path_factory):
    """Two boards with a branch across the cut."""
    return built(residual(), (2,), tmp_path_factory.mktemp("boards") / "s")


def kernels_of(design, board):
    return design.boards[board].path / design.boards[board].manifest.kernels[0]


def test_a_wrong_packing_is_found(branched, tmp_path):
    """The receiver takes the other place of a word."""
    design = copied(branched[1], tmp_path)
    text = kernels_of(design, 1).read_text()
    assert text.count("packed.v1[slot]") == 1
    kernels_of(design, 1).write_text(text.replace("packed.v1[slot]", "packed.v1[slot ^ 1]"))
    verdict = verdict_of(SystemDesign(design.path))
    assert not verdict["ok"] and verdict["first_wrong_layer"]
    assert all(layer["ok"] for layer in verdict["layers"][:2])


def test_two_tensors_exchanged_are_found(tmp_path):
    plan, _ = built(residual(), (4,), tmp_path / "right")
    other = replace(plan.plans[1].arriving, tensors=plan.plans[1].arriving.tensors[::-1])
    swapped = replace(plan, plans=(plan.plans[0], replace(plan.plans[1], arriving=other)))
    generate_system(hlsgen.load_graph(residual()), swapped, tmp_path / "s")
    verdict = verdict_of(SystemDesign(tmp_path / "s"))
    assert not verdict["ok"] and verdict["first_wrong_layer"]


def test_a_fifo_too_shallow_is_found(tmp_path):
    """The tensor that goes the short way waits for the other: on the sending board too little room
    for it stops both boards, in the simulator and on the emulator."""
    plan, _ = built(residual(), (2,), tmp_path / "s")
    short = next(
        i
        for i, e in enumerate(plan.plans[0].edges)
        if not e.consumer and e.tensor == plan.plans[0].leaving.tensors[0]
    )
    assert not simulate_system(plan).simulation.deadlocked
    edges = list(plan.plans[0].edges)
    edges[short] = replace(edges[short], depth=4)
    shallow = replace(plan.plans[0], edges=tuple(edges))
    with pytest.raises(PlanError, match="could deadlock"):
        check_plan(plan.graphs[0], shallow)
    broken = replace(plan, plans=(shallow, plan.plans[1]))
    assert simulate_system(broken).simulation.deadlocked
    generate_system(hlsgen.load_graph(residual()), broken, tmp_path / "t")
    verdict = verdict_of(SystemDesign(tmp_path / "t"), strict=True, timeout=3)
    assert not verdict["ok"]
    assert any(name.startswith("board_1 (p520_max): link_out") for name in verdict["unfinished"])


def test_a_board_that_dies_ends_all(branched, tmp_path):
    """One message, and no process is left."""
    design = copied(branched[1], tmp_path)
    path = kernels_of(design, 0)
    path.write_text(path.read_text() + "\nthis is no OpenCL\n")
    with pytest.raises(HostError, match=r"board_1 \(p520_max\): the kernels do not compile"):
        verdict_of(SystemDesign(design.path), strict=True)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_board_that_is_killed_ends_all(branched, monkeypatch, when):
    """As it starts, or when it has started: one message names it, and no process is left."""
    workers = []

    def dying(worker, job, silence, start, heard):
        workers.append(worker)

        def started():
            start()
            if job["board"] == 1:
                os.kill(worker.child.pid, signal.SIGKILL)
                if when == "before":
                    worker.child.wait()

        return serve(worker, job, silence, started, heard)

    monkeypatch.setattr(boards, "serve", dying)
    with pytest.raises(HostError, match=r"board_2 \(p520_max\): the OpenCL runtime crashed"):
        verdict_of(branched[1], strict=True)
    assert len(workers) == 2 and all(worker.child.poll() is not None for worker in workers)


def copied(design, folder):
    return SystemDesign(shutil.copytree(design.path, folder / "copy"))


def test_a_board_alone_is_refused(branched):
    with pytest.raises(HostError, match="one board of a system"):
        verdict_of(branched[1].boards[0])


def test_simulated_together(branched):
    """Two boards are as fast together as the slower one, and an image takes both."""
    plan, _ = branched
    found = simulate_system(plan, 6)
    assert found.throughput == pytest.approx(plan.throughput, rel=0.05)
    cycles = plan.latency - plan.boards[0].launch_us * 1e-6  # the simulator launches nothing
    assert 0.5 * cycles < found.latency < 1.5 * cycles


def test_boards_are_audited(branched):
    """The kernels at both ends of a link keep II 1, and take as many DSPs as the model counts."""
    for board in branched[1].boards:
        found = audit(board.path)
        assert verdict(found.findings, found.interval)["ok"], found.findings
