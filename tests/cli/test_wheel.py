"""The wheel, installed into a clean environment outside the checkout, holds all it needs."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

from tests.support.paths import ROOT


@pytest.mark.slow
def test_installed_wheel(tmp_path):
    # From a copy: setuptools leaves a build folder, and would pack what an earlier one holds.
    for name in ("hlsgen", "host", "templates"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / "source" / name, symlinks=True, ignore=ignored)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / "source")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(tmp_path / "source")]
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
    venv.create(tmp_path / "env", with_pip=True)
    binaries = tmp_path / "env" / "bin"
    subprocess.run([binaries / "pip", "install", "-q", f"{wheel}[emulator]"], check=True, capture_output=True)

    # The checkout may be on the path of this process.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def hlsgen(*arguments):
        command = [binaries / "hlsgen", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    hlsgen("zoo", "lenet5", "-o", "lenet5.onnx")
    hlsgen("build", "lenet5.onnx", "--out", "design")
    verdict = json.loads(hlsgen("validate", "design", "--json"))
    assert verdict["ok"] and verdict["onnxruntime"] is None
