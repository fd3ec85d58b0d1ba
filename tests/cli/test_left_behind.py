"""Temporary files and folders of processes that were killed go; those of processes that live
stay."""

import os
import tempfile

import pytest

from hlsgen.files import SCRATCH, Scratch
from hlsgen.host.files import abandoned, hold, write_whole


def aged(path):
    os.utime(path, (0, 0))
    return path


def test_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, mine = tmp_path / f"{SCRATCH}abcdefgh", tmp_path / f"{SCRATCH}of-a-user"
    (left / "inner").mkdir(parents=True)
    mine.mkdir()
    aged(left), aged(mine)
    descriptors = len(os.listdir("/proc/self/fd"))
    with Scratch() as first:
        assert not left.exists() and mine.exists()
        aged(first)
        with Scratch():
            assert os.path.isdir(first)
    assert list(tmp_path.iterdir()) == [mine]
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_files(tmp_path):
    target = tmp_path / "report[1].html"
    left, young, held = (tmp_path / f".{target.name}.{n}.part" for n in ("left", "young", "held"))
    for path in (left, young, held):
        path.write_text("half")
    with open(held) as file:
        hold(file.fileno())
        aged(left), aged(held)
        write_whole(target, "whole")
        assert sorted(tmp_path.iterdir()) == sorted([held, young, target])
    assert abandoned(held) and not abandoned(young) and not abandoned(tmp_path / "gone")


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_whole(tmp_path / "file", 3)
    assert not list(tmp_path.iterdir())
