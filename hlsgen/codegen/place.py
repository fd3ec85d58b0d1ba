"""Puts a finished design in its place, atomically: whatever happens meanwhile, the directory holds
a whole design."""

from __future__ import annotations

import ctypes
import errno
import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hlsgen.codegen.compiled import COMPILED, free_name, keep_times, still_valid
from hlsgen.errors import OutputError
from hlsgen.files import held
from hlsgen.host.files import umask
from hlsgen.host.hashes import SYSTEM
from hlsgen.left import AUDIT, QUANTISATION, VALIDATION
from hlsgen.schema import NOTED, read

# What other commands leave in a design directory, and a new build makes untrue.
OUTDATED = {*(VALIDATION, AUDIT, QUANTISATION), *("prediction.json", "report.html", "audit.html")}
AT_FDCWD, RENAME_EXCHANGE = -100, 2


@contextmanager
def workspace(out: Path) -> Iterator[Path]:
    """An empty directory beside `out` to build in, while no other build into `out` runs. It is gone
    afterwards.

    What killed builds left behind is removed, but an earlier design that one of them had put aside
    comes back. Raises OutputError when another build holds `out`.
    """
    parent = out.parent
    parent.mkdir(parents=True, exist_ok=True)
    lock = parent / f".{out.name}.lock"
    with held(lock, "build", f"--out {out}"):
        left = sorted(parent.glob(f".{glob.escape(out.name)}.build.*"))
        for aside in (path for path in left if path.suffix == ".old"):  # as `put_in_place` calls it
            if not out.exists():
                aside.rename(out)
        for stale in left:
            shutil.rmtree(stale, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.build.", dir=parent))
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def placed(out: Path, write: Callable[[Path], object]) -> str:
    """Have `write` fill an empty folder, and make that the directory `out`. Returns what
    `put_in_place` does. Raises OutputError."""
    target = out.resolve()  # so that a working directory that moves does no harm
    try:
        with workspace(target) as folder:
            temporary = folder / target.name
            temporary.mkdir()
            write(temporary)
            temporary.chmod(0o777 & ~umask())
            return put_in_place(temporary, target)
    except OSError as error:
        raise OutputError(
            f"cannot be written ({error.strerror})",
            where=f"--out {out}",
            remedy="free space, or choose a writable directory",
        ) from None


def put_in_place(folder: Path, out: Path) -> str:
    """Make a complete folder the directory `out`. Foreign files of an earlier design there are
    kept.

    The earlier design is exchanged for the new one in one step of the file system, so a kill at any
    moment leaves one of them. Returns where in `out` the compiled results of other kernels now are,
    "" if there were none. Raises OutputError where a foreign file has the name of one of the new
    design.
    """
    if not out.exists():
        folder.rename(out)
        return ""
    aside = keep_foreign_files(out, folder)
    if not exchange(folder, out):
        earlier = folder.with_name(folder.name + ".old")
        out.rename(earlier)
        try:
            folder.rename(out)
        except OSError:
            earlier.rename(out)
            raise
        shutil.rmtree(earlier, ignore_errors=True)
    return aside


def exchange(first: Path, second: Path) -> bool:
    """Swap two directories atomically (Linux renameat2). False where the system or the file system
    cannot."""
    swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if swap is None:
        return False
    if swap(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(second))


@dataclass(frozen=True)
class Owned:
    """What tells in a manifest, of whatever version, which files hlsgen wrote."""

    __pydantic_config__ = NOTED

    generator: str
    files: tuple[str, ...]


def own_files(out: Path) -> set[str] | None:
    """The files of the design, or the system, in a directory, and what other commands left of it;
    None where hlsgen wrote none there."""
    try:
        name = SYSTEM if (out / SYSTEM).exists() else "design.json"
        found = read(Owned, out / name, str(out), OutputError)
    except OutputError:
        return None
    if not found.generator.startswith("hlsgen "):
        return None
    boards = {f"{Path(name).parent}/" for name in found.files if Path(name).name == "design.json"}
    outdated = {f"{board}{name}" for board in boards for name in OUTDATED}
    return set(found.files) | OUTDATED | outdated


def keep_foreign_files(before: Path, folder: Path) -> str:
    """Link (or copy) what was not part of the earlier design into the new one. What aoc made of
    other kernels is put aside.

    Returns the name of the folder for that, "" if there is nothing in it. Raises OutputError for a
    file that the new design would hide.
    """
    own, aside, used = own_files(before) or set(), free_name(before), False
    results = old_results(before, folder)
    for path in sorted(p for p in before.rglob("*") if p.is_file() or p.is_symlink()):
        name = path.relative_to(before)
        if str(name) in own:
            continue
        outdated = any(name.is_relative_to(result) for result in results)
        used |= outdated
        keep_file(path, folder / aside / name if outdated else folder / name)
    return aside if used else ""


def old_results(before: Path, folder: Path) -> list[Path]:
    """Where in `before` results of aoc may lie that the new design in `folder`, or those of the
    boards of a system, cannot use. Sources that came out the same keep their times."""
    found = []
    for place in designs(before) | designs(folder):
        if still_valid(before / place, folder / place):
            keep_times(before / place, folder / place)
        else:
            found += [place / name for name in COMPILED]
    return found


def designs(out: Path) -> set[Path]:
    """Where in a directory designs lie: in itself, or of a system one for each board."""
    names = map(Path, own_files(out) or ())
    return {name.parent for name in names if name.name == "design.json"}


def keep_file(path: Path, target: Path) -> None:
    """Link or copy one file of the user's into a new design. Raises OutputError where the design
    has a file there."""
    if target.exists():
        raise OutputError(
            "the new design has a file of this name, and this one is not hlsgen's",
            where=str(path),
            remedy="move it, or name another directory with --out",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(path, target, follow_symlinks=False)
