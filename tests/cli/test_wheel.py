"""The wheel, installed outside the checkout into an environment that has what it requires and
nothing else, holds all it needs: as a stranger would, from README's first command to the archive
for the board, and from PyTorch."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email.parser import Parser
from importlib.util import find_spec

import pytest

from tests.support.environments import lend, new_environment, required
from tests.support.paths import ROOT


@pytest.mark.slow
def test_installed_wheel(tmp_path):
    # From a copy: setuptools leaves a build folder, and would pack what an earlier one holds.
    for name in ("hlsgen", "host", "templates"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / "source" / name, symlinks=True, ignore=ignored)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / "source")
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        str(tmp_path),
        str(tmp_path / "source"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (archive,), (wheel,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {
        "hlsgen/py.typed",
        "hlsgen/host/worker.py",
        "hlsgen/templates/folded/design.cl.j2",
        "hlsgen/boards/pac_d5005.json",
        "hlsgen/host/cpp/hlsgen_host.cpp",
        "hlsgen/host/cpp/picojson.h",
        "hlsgen/templates/deploy/README.md.j2",
    } <= set(names)
    with tarfile.open(archive) as packed:
        sources = packed.getnames()
    for held in (names, sources):  # the links of a checkout double nothing
        for name in ("host/worker.py", "templates/preamble.cl.j2", "hlsgen/py.typed"):
            assert len([path for path in held if path.endswith(name)]) == 1, name
    with zipfile.ZipFile(wheel) as packed:
        (told,) = (
            packed.read(name).decode() for name in names if name.endswith(".dist-info/METADATA")
        )
    site = new_environment(tmp_path / "env")
    lend(required(Parser().parsestr(told).get_all("Requires-Dist"), ["emulator"]), site)
    binaries = tmp_path / "env" / "bin"
    pip = [
        binaries / "python",
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--ignore-installed",
    ]
    ours = os.environ | {"PYTHONPATH": sysconfig.get_path("purelib")}  # for pip itself
    subprocess.run([*pip, wheel], env=ours, check=True, capture_output=True)

    # The checkout may be on the path of this process.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command, where=tmp_path / "here"):
        done = subprocess.run(
            command, cwd=where, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    python = binaries / "python"
    (tmp_path / "here").mkdir()
    as_the_readme_says(run, python)
    verdict = json.loads(run(binaries / "hlsgen", "validate", "--json"))
    assert verdict["ok"] and verdict["onnxruntime"] is None
    measured = run(python, "-m", "hlsgen.host", "bench", "lenet5_design", "--launches", "2")
    assert "predicted   " in measured
    to_the_board(run, python, tmp_path / "here")
    if find_spec("torch"):
        lend(required(["torch"]), site)
        assert "right" in run(python, "-c", FROM_TORCH)


# A network in PyTorch becomes a design, by both ways.
FROM_TORCH = """
import hlsgen, torch
module = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(),
                             torch.nn.Linear(144, 5)).eval()
x = torch.rand(2, 1, 8, 8)
expected = module(x).detach().numpy()
torch.onnx.export(module, (x,), "net.onnx", input_names=["x"], dynamo=False,
                  dynamic_axes={"x": {0: "batch"}})
for source, example in (("net.onnx", None), (module, x[:1])):
    with hlsgen.compile(source, example=example) as acc:
        assert abs(acc.predict(x.numpy()) - expected).max() < 1e-5
print("right")
"""


def as_the_readme_says(run, python):
    """The commands and the object of README's first screen, in its order."""
    text = (ROOT / "README.md").read_text().partition("\n## ")[0]
    commands = re.findall(r"^python -m (hlsgen [^#\n]*)", text, re.M)
    assert len(commands) >= 3
    for command in commands:
        run(python, "-m", *command.split())
    (snippet,) = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    assert "RIGHT" in run(python, "-c", snippet)


def to_the_board(run, python, folder):
    """The design in its archive, unpacked elsewhere, on the emulator."""
    run(python, "-m", "hlsgen", "deploy", "lenet5_design", "-o", "digits.tar.gz")
    with tarfile.open(folder / "digits.tar.gz") as packed:
        packed.extractall(folder, filter="data")
    said = run(python, "run.py", "--device", "emulator", where=folder / "digits")
    assert "output: right" in said
