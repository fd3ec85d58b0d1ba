"""A system with a process a board, as Slurm starts it: with stand-ins for srun and mpi4py, on
emulated boards."""

import os
import subprocess
import sys
import tarfile
from dataclasses import replace

import numpy as np
import pytest

import hlsgen
from hlsgen.accelerator.accelerator import Accelerator
from hlsgen.boards.topology import topology
from hlsgen.host.system import SystemDesign
from hlsgen.schedule.goal import Goal
from hlsgen.system.build import generate_system
from hlsgen.system.search import plan_row
from tests.support.networks import images_for, parse, run_onnxruntime
from tests.support.paths import ROOT

pytestmark = pytest.mark.emulator
STAND_IN = ROOT / "tests" / "support" / "mpi_stand_in"
NETWORK = """(float[1,3,6,6] x, float[8,3,3,3] a, float[8,8,3,3] b) => (float[1,8,6,6] y) {
    p = Conv<pads=[1,1,1,1]>(x, a) q = Conv<pads=[1,1,1,1]>(p, b) y = Add(p, q) }"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """Two rows of two boards, deployed: the folder, the model, the images."""
    folder, model = tmp_path_factory.mktemp("ranks"), parse(NETWORK, inputs=("x",))
    graph = hlsgen.load_graph(model)
    plan = plan_row(graph, ["p520_max"] * 2, topology("chain"), Goal(), {}, (1, len(graph.layers)))
    generate_system(graph, replace(plan, copies=2), folder / "s")
    images = images_for(SystemDesign(folder / "s"), 5)
    with Accelerator(folder / "s") as accelerator:
        accelerator.deploy(folder / "s.tar.gz", images)
    with tarfile.open(folder / "s.tar.gz") as archive:
        archive.extractall(folder / "there", filter="data")
    return folder / "there" / "s", model, images


def started(folder, **variables):
    paths = os.pathsep.join([str(STAND_IN), str(folder)])
    environment = os.environ | {
        "PATH": f"{STAND_IN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": paths,
        "PYTHON": sys.executable,
        "DEVICE": "emulator",
        "SLURM_SUBMIT_DIR": str(folder),
        **variables,
    }
    command = ["bash", str(folder / "system.slurm")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def test_four_processes(unpacked, tmp_path):
    folder, model, images = unpacked
    done = started(folder, STANDIN_SIZE="4", LINKS=str(tmp_path / "links"))
    assert done.returncode == 0, done.stderr
    with np.load(folder / "outputs.npz") as found:
        assert list(found) == ["y"] and found["y"].shape == (5, 8, 6, 6)
        for n in range(5):
            wanted = run_onnxruntime(model, {"x": images["x"][n : n + 1]})["y"]
            np.testing.assert_allclose(found["y"][n : n + 1], wanted, rtol=1e-4, atol=1e-5)


def test_too_few_processes(unpacked, tmp_path):
    done = started(unpacked[0], STANDIN_SIZE="3", LINKS=str(tmp_path / "links"))
    assert done.returncode != 0
    assert "3 processes for 4 boards" in done.stderr


def test_script_and_readme(unpacked):
    """The cables and the boards that the texts name are the system's."""
    script, readme = ((unpacked[0] / n).read_text() for n in ("system.slurm", "README.md"))
    assert "--ntasks=4" in script
    cable = "process 0 kernel_output_ch0 - process 1 kernel_input_ch2"
    assert cable in script
    assert "board 1 `kernel_output_ch0` to board 2 `kernel_input_ch2`" in readme
    assert "has run on emulated boards only" in readme
    assert "With the boards of a row in one machine" in readme
