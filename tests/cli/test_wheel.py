"""The wheel, installed outside the checkout into an environment that has what it requires and
nothing else, holds all it needs."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email.parser import Parser

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

    def hlsgen(*arguments):
        command = [binaries / "hlsgen", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    hlsgen("zoo", "lenet5", "-o", "lenet5.onnx")
    hlsgen("build", "lenet5.onnx", "--out", "design")
    verdict = json.loads(hlsgen("validate", "design", "--json"))
    assert verdict["ok"] and verdict["onnxruntime"] is None
