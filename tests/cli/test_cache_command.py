"""`cache` shows and clears what the runs of this user left; `doctor` shows it."""

import json

import pytest

from hlsgen.cli.main import main
from hlsgen.host import cache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HLSGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def result_of(arguments, capsys):
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.emulator
def test_clear(folder, capsys):
    empty = {"folder": str(folder), "programs": 0, "bytes": 0, "limit": cache.LIMIT}
    assert result_of(["cache"], capsys) == {"ok": True, "removed": 0, "freed": 0, **empty}
    cache.store("a" * 64, bytes(968))
    assert result_of(["cache"], capsys) == {
        "ok": True,
        "removed": 0,
        "freed": 0,
        **empty,
        "programs": 1,
        "bytes": 1000,
    }
    assert result_of(["doctor"], capsys)["cache"]["bytes"] == 1000
    assert result_of(["cache", "--clear"], capsys) == {
        "ok": True,
        "removed": 1,
        "freed": 1000,
        **empty,
    }
    assert list(folder.iterdir()) == []


def test_for_people(folder, capsys, monkeypatch):
    cache.store("a" * 64, bytes(2_000_000))
    assert main(["cache"]) == 0
    assert f"{folder}: 1 program, 2.0 MB of at most 268.4 MB" in capsys.readouterr().out
    monkeypatch.setenv("HLSGEN_CACHE", "off")
    assert main(["cache"]) == 0
    assert capsys.readouterr().out == "off\n"
    assert len(list(folder.iterdir())) == 1
