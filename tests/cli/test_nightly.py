"""The nightly run: every part runs, and a find is a status."""

import tarfile

import numpy as np
import pytest

from benchmarks import nightly
from benchmarks.fuzz import ends


@pytest.mark.parametrize("broken", ["", "strict", "audit"])
def test_a_find_of_any_part_is_told(broken, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(nightly, "LOGS", tmp_path / "logs")
    tried = []

    def succeeds(part, words):
        tried.append((part, words))
        return part != broken

    monkeypatch.setattr(nightly, "succeeds", succeeds)
    assert nightly.main(["--minutes", "0", "--first", "7", "--against", "tree"]) == bool(broken)
    parts = (*nightly.FUZZ, *nightly.ONCE, "regression")
    assert [part for part, _ in tried] == list(parts)
    assert tried[0][1][-2:] == ("--first", "7")
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split()[1] for row in rows] == list(parts)
    assert [row.split()[1] for row in rows if "FOUND" in row] == ([broken] if broken else [])


def test_a_module_that_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(nightly, "LOGS", tmp_path)
    assert not nightly.succeeds("none", ("benchmarks.none",))
    assert "benchmarks.none" in (tmp_path / "none.log").read_text()


@pytest.mark.slow
def test_ends_of_an_exploration_with_compiles(capsys):
    assert ends.run(1, seed=3, names=("farm",)) == 0, capsys.readouterr().out


def test_a_comparison_needs_another_checkout(tmp_path, monkeypatch, capsys):
    """It is left out where all parts run, and refused where it alone is asked for."""
    monkeypatch.setattr(nightly, "LOGS", tmp_path)
    monkeypatch.setattr(nightly, "succeeds", lambda part, words: True)
    with pytest.raises(SystemExit):
        nightly.main(["--only", "audit", "regression"])
    assert "--against TREE" in capsys.readouterr().err
    assert nightly.main(["--minutes", "0"]) == 0 and "audit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"a": '),
        ("a.html", "<html>"),
        ("a.csv", "a,b\n1"),
        ("a.onnx", ""),
        ("a.npz", "PK"),
        ("a.cl", "kernel void a() {"),
        ("a", ""),
    ],
)
def test_half_files_are_seen(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    assert ends.half_files(tmp_path) == [name]


def test_half_archives_are_seen(tmp_path):
    arrays, archive = tmp_path / "a.npz", tmp_path / "a.tar.gz"
    np.savez(arrays, a=np.arange(100))
    with tarfile.open(archive, "w:gz") as file:
        file.add(arrays, "a.npz")
    assert ends.half_files(tmp_path) == []
    for path in (arrays, archive):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert sorted(ends.half_files(tmp_path)) == ["a.npz", "a.tar.gz"]
