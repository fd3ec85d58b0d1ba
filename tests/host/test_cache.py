"""Compiled programs on disk: used, replaced when damaged, bounded, never in the way."""

import hashlib
import os
import shutil

import numpy as np
import pytest

from hlsgen.host import cache
from hlsgen.host.runner import run
from hlsgen.host.session import Session
from tests.support.cases import case
from tests.support.networks import build, images_for


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HLSGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    return build(case("max_pool"), tmp_path_factory.mktemp("design") / "design", "folded")


def result(design, **options):
    """The output of a process of its own."""
    return run(design, images_for(design), session=Session(keep=0), **options).outputs["y"]


def wrong(design, tmp_path):
    """A copy of the design that takes the smallest value."""
    copy = type(design)(shutil.copytree(design.path, tmp_path / "wrong"))
    file = copy.path / copy.manifest.kernels[0]
    text = file.read_text()
    assert "fmax(" in text
    file.write_text(text.replace("fmax(", "fmin("))
    return copy


@pytest.mark.emulator
@pytest.mark.parametrize(("device", "style"), [("emulator", "folded"), ("cpu", "base")])
def test_programs_come_from_the_cache(device, style, folder, tmp_path):
    """Shown by an exchange: the entry of one program under the key of another is what runs."""
    design = build(case("max_pool"), tmp_path / "design", style)
    expected = result(design, device=device)
    (entry,) = folder.iterdir()
    different = result(wrong(design, tmp_path), device=device)
    assert not np.array_equal(expected, different)
    (second,) = set(folder.iterdir()) - {entry}
    shutil.copy(second, entry)
    np.testing.assert_array_equal(result(design, device=device), different)


@pytest.mark.emulator
def test_options_and_settings_are_part_of_the_key(folder, design, monkeypatch):
    result(design, optimise=False)
    result(design, optimise=True)
    assert len(list(folder.iterdir())) == 2
    monkeypatch.setenv("CL_CONFIG_CHANNEL_DEPTH_EMULATION_MODE", "strict")
    result(design, optimise=True)
    assert len(list(folder.iterdir())) == 3
    monkeypatch.setenv("CL_CONFIG_CPU_TBB_NUM_WORKERS", "40")
    result(design, optimise=True)
    assert len(list(folder.iterdir())) == 3


DAMAGES = {
    "half": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "a bit": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_never_reaches_the_runtime(damage, folder):
    cache.store("a" * 64, b"program")
    (entry,) = folder.iterdir()
    entry.write_bytes(damage(entry.read_bytes()))
    assert cache.load("a" * 64) is None and not entry.exists()


@pytest.mark.emulator
@pytest.mark.parametrize(
    "damage",
    [*DAMAGES.values(), lambda data: hashlib.sha256(b"no program").digest() + b"no program"],
    ids=[*DAMAGES, "another content"],
)
def test_a_damaged_entry_is_built_anew(damage, folder, design):
    expected = result(design)
    (entry,) = folder.iterdir()
    data = entry.read_bytes()
    entry.write_bytes(damage(data))
    np.testing.assert_array_equal(result(design), expected)
    assert [entry] == list(folder.iterdir())
    assert len(entry.read_bytes()) > len(data) // 2


@pytest.mark.emulator
def test_runs_need_no_cache(design, tmp_path, monkeypatch):
    expected = result(design)
    monkeypatch.setenv("HLSGEN_CACHE", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "unused"))
    np.testing.assert_array_equal(result(design), expected)
    assert os.listdir(tmp_path) == []
    # A folder that cannot be made.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HLSGEN_CACHE", str(tmp_path / "file" / "cache"))
    np.testing.assert_array_equal(result(design), expected)


def test_where_the_cache_is(tmp_path, monkeypatch):
    monkeypatch.delenv("HLSGEN_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache.folder() == tmp_path / ".cache" / "hlsgen"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.folder() == tmp_path / ".cache" / "hlsgen"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == tmp_path / "xdg" / "hlsgen"
    monkeypatch.setenv("HLSGEN_CACHE", "off")
    assert cache.folder() is None


def test_the_least_recently_used_entries_go(folder, monkeypatch):
    keys = [f"{n:064x}" for n in range(4)]
    monkeypatch.setattr(cache, "LIMIT", 3 * (cache.DIGEST + 1000))
    for n, key in enumerate(keys[:3]):
        cache.store(key, bytes(1000))
        os.utime(folder / f"{key}.program", (n, n))
    assert cache.load(keys[0]) == bytes(1000)
    cache.store(keys[3], bytes(1000))
    assert [cache.load(key) is not None for key in keys] == [True, False, True, True]
    cache.store(keys[1], bytes(4000))
    assert cache.load(keys[1]) is None


def test_clearing_leaves_other_files_alone(folder):
    cache.store("a" * 64, b"program")
    (folder / "notes.txt").write_text("mine")
    (folder / ("b" * 64)).write_text("mine too")
    assert cache.shrink(0) == (1, cache.DIGEST + len(b"program"))
    assert sorted(os.listdir(folder)) == sorted(["b" * 64, "notes.txt"])
    assert cache.shrink(0) == (0, 0)
