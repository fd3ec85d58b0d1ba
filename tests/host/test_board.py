"""What the host does on a board, on a device that takes itself for one: the emulator with a
compiled program in place of `bin/NAME.aocx`."""

import subprocess
import sys

import numpy as np
import pytest

from hlsgen.host.devices import environment
from tests.support.networks import build, parse, run_onnxruntime

NETWORK = """(float[1,3,8,8] x, float[8,3,3,3] a, float[4,8,1,1] b) => (float[1,4,6,6] y) {
  c = Conv(x, a) r = Relu(c) y = Conv(r, b) }"""
# In a process of its own: kernels that start by themselves end with it alone.
SCRIPT = """
import os, sys
from pathlib import Path
import numpy as np
from hlsgen.host import devices, executor
from hlsgen.host.design import HostDesign
from hlsgen.host.worker import Server

path, inputs, outputs = Path(sys.argv[1]), np.load(sys.argv[2]), sys.argv[3]
design = HostDesign(path)
mode = "concurrent"
(emulator,) = devices.visible_devices()
ready = executor.Executor(design, emulator, mode, tapped=False, images=2)
(binary,) = ready.program.get_info(executor.cl.program_info.BINARIES)
(path / "bin").mkdir()
(path / "bin" / f"{design.manifest.name}.aocx").write_bytes(binary)
devices.is_board = executor.is_board = lambda device: True

class Connection:
    def send(self, message):
        self.layers = sorted(message.get("layers", {}))

connection = Connection()
server = Server(connection)
for layers in (False, True):
    job = {"design": path, "inputs": {"x": inputs}, "device": "board", "mode": "sequential",
           "layers": layers, "poison": 0, "timeout": 20.0, "repeat": 1, "optimise": True,
           "images": len(inputs), "folder": "", "waits": False, "board": 0}
    done = server.run(job)
    job |= {"inputs": {"x": inputs[:1]}, "images": 1}
    assert np.array_equal(server.run(job)["outputs"]["y"], done["outputs"]["y"][:1])
    assert server.executor.mode == mode and (layers or server.executor.build_seconds > 0)
np.savez(outputs, **done["outputs"])
print(*connection.layers, flush=True)
os._exit(0)
"""


@pytest.mark.emulator
@pytest.mark.parametrize(("style", "kept"), [("pipelined", ""), ("folded", "c y")])
def test_a_compiled_design_runs_as_it_was_compiled(style, kept, tmp_path):
    """All kernels at once, and from the binary; layers that the board keeps nothing of are left
    out."""
    design = build(parse(NETWORK), tmp_path / style, style)
    x = np.random.default_rng(0).standard_normal((2, 3, 8, 8), np.float32)
    np.save(tmp_path / "x.npy", x)
    command = [sys.executable, "-c", SCRIPT, str(design.path)]
    done = subprocess.run(
        [*command, str(tmp_path / "x.npy"), str(tmp_path / "y.npz")],
        env=environment("emulator", 8),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == kept
    wanted = np.concatenate([run_onnxruntime(parse(NETWORK), {"x": one[None]})["y"] for one in x])
    np.testing.assert_allclose(np.load(tmp_path / "y.npz")["y"], wanted, atol=1e-5)
