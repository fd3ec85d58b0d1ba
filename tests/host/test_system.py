"""A system on disk: what is read of it and what is refused, without a run."""

import shutil

import pytest

from hlsgen.accelerator.accelerator import Accelerator
from hlsgen.accelerator.boards import compile_boards
from hlsgen.boards.topology import topology
from hlsgen.frontend.cut import load_network
from hlsgen.schedule.goal import Goal
from hlsgen.system.build import generate_system
from hlsgen.system.search import plan_row
from tests.support.networks import parse

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
