"""A disk that is really full: one line and status 2, no half file, what was there stays whole."""

import shutil
import subprocess
import tempfile

import numpy as np
import onnx
import pytest

from hlsgen.cli.main import main
from tests.support.cases import case

# Bytes of the file system, and those that a test leaves free.
SIZE, FREE = 4 << 20, 8192


@pytest.fixture
def disk(tmp_path):
    """A small file system."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk):
    """Leave few bytes free."""
    with open(disk / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        file.truncate(file.tell() - FREE)


def content(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "filler"}


def test_commands_on_a_full_disk(disk, tmp_path, capsys, monkeypatch):
    onnx.save(case("add_residual"), tmp_path / "net.onnx")
    np.savez(tmp_path / "x.npz", x=np.zeros((400, 3, 8, 8), np.float32))
    model, design = str(tmp_path / "net.onnx"), disk / "design"
    assert main(["build", model, "--style", "base", "--out", str(design), "-q"]) == 0
    fill(disk)
    before = content(disk)
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    explore = ["explore", model, "--boards", "pac_a10", "--styles", "base", "--shares", "1"]
    for command in (
        ["build", model, "--style", "base", "--out", str(design)],
        ["build", model, "--style", "folded", "--out", str(disk / "new")],
        ["report", str(design)],
        ["deploy", str(design), "-o", str(disk / "design.zip")],
        ["reference", str(design), "--samples", "50", "-o", str(disk / "reference.npz")],
        ["zoo", "lenet5", "-o", str(disk / "lenet5.onnx")],
        [*explore, "--jobs", "1", "--out", str(disk / "explored")],
    ):
        capsys.readouterr()
        assert main([*command, "-q"]) == 2, command
        said = capsys.readouterr().err
        assert "No space left" in said and "internal error" not in said, command
        found = content(disk)
        if command[0] == "explore":  # what was found before the disk was full is kept, whole
            explored = {p.name for p in found.keys() - before.keys()}
            assert explored <= {"results.jsonl", "results.csv", "results.json"}
            shutil.rmtree(disk / "explored")
            found = content(disk)
        assert found == before, command
