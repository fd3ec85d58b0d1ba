"""A design gets into its place whole: while it goes there, when a build is killed, and when two
builds meet."""

import ctypes
import errno
import fcntl
import json
import os
import shutil
import sys
from types import SimpleNamespace

import pytest

from hlsgen.codegen import place
from hlsgen.errors import OutputError


def manifest(version, *files):
    return {"generator": "hlsgen test", "version": version, "files": files}


def design(folder, version):
    """A design of two files that belong together."""
    folder.mkdir(parents=True)
    (folder / "design.json").write_text(json.dumps(manifest(version, "design.json", "weights")))
    (folder / "weights").write_text(version)
    return folder


def version_of(folder):
    """The version of a whole design; None for anything else."""
    try:
        version = json.loads((folder / "design.json").read_text())["version"]
        return version if (folder / "weights").read_text() == version else None
    except OSError:
        return None


def can_exchange(folder):
    """Whether this system swaps directories in one step, asked apart from hlsgen."""
    call = getattr(ctypes.CDLL(None), "renameat2", None)
    first, second = folder / "probe-1", folder / "probe-2"
    first.mkdir()
    second.mkdir()
    (first / "here").touch()
    return (
        call is not None
        and call(-100, bytes(first), -100, bytes(second), 2) == 0
        and (second / "here").exists()
    )


def test_at_every_moment_a_whole_design_is_there(tmp_path):
    if not can_exchange(tmp_path):
        pytest.skip("this file system cannot exchange directories")
    out, seen = design(tmp_path / "design", "old"), []

    def look(frame, event, argument):
        if frame.f_code.co_filename == place.__file__:
            seen.append(version_of(out))
            return look
        return None

    new = design(tmp_path / "new", "new")
    before = sys.gettrace()
    sys.settrace(look)
    try:
        place.put_in_place(new, out)
    finally:
        sys.settrace(before)
    assert seen[0] == "old" and set(seen) <= {"old", "new"} and version_of(out) == "new"


def refuse_to_exchange(monkeypatch, code):
    """A system whose renameat2 fails."""
    library = SimpleNamespace(renameat2=lambda *arguments: -1)
    monkeypatch.setattr(place.ctypes, "CDLL", lambda *arguments, **options: library)
    monkeypatch.setattr(place.ctypes, "get_errno", lambda: code)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EINVAL, errno.ENOTSUP])
def test_systems_that_cannot_exchange_rename(code, tmp_path, monkeypatch):
    out, new = design(tmp_path / "design", "old"), design(tmp_path / "new", "new")
    refuse_to_exchange(monkeypatch, code)
    place.put_in_place(new, out)
    assert version_of(out) == "new" and [path.name for path in tmp_path.iterdir()] == ["design"]


def test_an_exchange_that_is_forbidden_is_an_error(tmp_path, monkeypatch):
    out, new = design(tmp_path / "design", "old"), design(tmp_path / "new", "new")
    refuse_to_exchange(monkeypatch, errno.EACCES)
    with pytest.raises(OSError, match="Permission"):
        place.put_in_place(new, out)
    assert version_of(out) == "old"


class Killed(BaseException):
    """As SIGKILL: nothing is caught, and no cleaning up follows."""


@pytest.mark.parametrize("renames", [0, 1])
def test_a_build_killed_between_two_renames_loses_nothing(renames, tmp_path, monkeypatch):
    """Where directories cannot be exchanged: the next build finds the earlier design again, with
    what the user put there."""
    out = design(tmp_path / "design", "old")
    (out / "mine.txt").write_text("mine")
    new = design(tmp_path / ".design.build.killed", "new")
    done, plain = [], type(out).rename

    def rename(self, target, plain=plain):
        if len(done) == renames:
            raise Killed
        done.append(target)
        return plain(self, target)

    monkeypatch.setattr(place, "exchange", lambda first, second: False)
    with monkeypatch.context() as patch:
        patch.setattr(type(out), "rename", rename)
        with pytest.raises(Killed):
            place.put_in_place(new, out)
    with place.workspace(out):
        assert version_of(out) == "old" and (out / "mine.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["design"]


def test_a_failed_rename_puts_the_earlier_design_back(tmp_path, monkeypatch):
    out, missing = design(tmp_path / "design", "old"), tmp_path / "missing"
    monkeypatch.setattr(place, "exchange", lambda first, second: False)
    monkeypatch.setattr(place, "keep_foreign_files", lambda before, folder: None)
    with pytest.raises(OSError, match="missing"):
        place.put_in_place(missing, out)
    assert version_of(out) == "old"


def test_a_lock_whose_file_is_gone_holds_nothing(tmp_path, monkeypatch):
    """A build opens the lock file, its holder ends and removes it, a third build makes and holds a
    new one: two hold locks, on files of one name. Only the new file's counts."""
    out, lock = tmp_path / "design", tmp_path / ".design.lock"
    others = []

    def flock(descriptor, operation, plain=fcntl.flock):
        if not others:
            lock.unlink()
            others.append(os.open(lock, os.O_CREAT | os.O_RDWR))
            plain(others[0], fcntl.LOCK_EX)
        plain(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OutputError, match="another build"), place.workspace(out):
        pass
    os.close(others[0])
    assert lock.exists() and not list(tmp_path.glob(".design.build.*"))


def test_a_lock_is_free_again_afterwards(tmp_path):
    for _ in range(2):
        with place.workspace(tmp_path / "design") as folder:
            assert (tmp_path / ".design.lock").exists() and not list(folder.iterdir())
    assert not list(tmp_path.iterdir())


def test_files_of_the_user_go_along_and_those_of_the_earlier_design_do_not(tmp_path):
    out = design(tmp_path / "design", "old")
    (out / "design.json").write_text(
        json.dumps(manifest("old", "design.json", "weights", "kernels/old.cl"))
    )
    (out / "kernels").mkdir()
    for name in (
        "kernels/old.cl",
        "kernels/mine.cl",
        "validation.json",
        "report.html",
        "notes.txt",
    ):
        (out / name).write_text(name)
    (out / "link").symlink_to("notes.txt")
    place.put_in_place(design(tmp_path / "new", "new"), out)
    shutil.rmtree(tmp_path / "new", ignore_errors=True)
    found = {str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir()}
    assert found == {"design.json", "weights", "kernels/mine.cl", "notes.txt", "link"}
    assert version_of(out) == "new" and (out / "link").is_symlink()


def system(folder, version, *kernels):
    """A system: `kernels`, a text a board."""
    names = [f"board_{n}/{name}" for n in range(1, len(kernels) + 1) for name in BOARD_FILES]
    for number, text in enumerate(kernels, 1):
        (folder / f"board_{number}" / "kernels").mkdir(parents=True)
        for name in BOARD_FILES:
            (folder / f"board_{number}" / name).write_text(text if name != "Makefile" else "make")
    (folder / "system.json").write_text(json.dumps(manifest(version, "system.json", *names)))
    return folder


BOARD_FILES = ("design.json", "kernels/net.cl", "Makefile")


def test_each_board_of_a_system_keeps_what_was_compiled_of_its_own_kernels(tmp_path):
    """The first board's kernels come out the same, and make finds them up to date; the others'
    are other ones, or none."""
    out = system(tmp_path / "out", "old", "same", "before", "gone")
    images = [out / f"board_{n}" / "bin" / "net.aocx" for n in (1, 2, 3)]
    for image in images:
        image.parent.mkdir()
        image.write_text("compiled")
    (out / "board_2" / "aoc.log").write_text("log")
    (out / "mine" / "bin").mkdir(parents=True)
    (out / "mine" / "bin" / "tool").write_text("mine")
    sources = [out / "board_1" / name for name in BOARD_FILES[1:]]
    for source in sources:
        os.utime(source, ns=(10**18, 10**18))
    aside = place.put_in_place(system(tmp_path / "new", "new", "same", "now"), out)
    assert aside == "compiled.old"
    assert [image.exists() for image in images] == [True, False, False]
    assert {str(path.relative_to(out / aside)) for path in (out / aside).rglob("*.*")} == {
        "board_2/bin/net.aocx",
        "board_3/bin/net.aocx",
        "board_2/aoc.log",
    }
    assert (out / "mine" / "bin" / "tool").exists()
    assert [source.stat().st_mtime_ns for source in sources] == [10**18] * 2
