"""What aoc made in a design directory. It belongs to the kernels and the Makefile that it was made
from, and to no others."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

# Hours of work: a rebuild never deletes them.
COMPILED = ("bin", "aoc.json", "aoc.log")
ASIDE = "compiled.old"


def sources(folder: Path) -> list[Path]:
    """The files of a design directory that aoc's result depends on."""
    return [*sorted((folder / "kernels").glob("*.cl")), folder / "Makefile"]


def sources_digest(folder: Path) -> str:
    """A hash of names and content of all that aoc's result depends on; OSError where a file is
    missing."""
    digest = hashlib.sha256()
    for path in sources(folder):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def still_valid(before: Path, folder: Path) -> bool:
    """Whether aoc would make of the new design in `folder` what it made of the one in `before`."""
    try:
        return all(
            (before / path.relative_to(folder)).read_bytes() == path.read_bytes()
            for path in sources(folder)
        )
    except OSError:
        return False


def keep_times(before: Path, folder: Path) -> None:
    """Give unchanged sources their earlier times, so that make finds what it compiled from them up
    to date."""
    for path in sources(folder):
        found = (before / path.relative_to(folder)).stat()
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def free_name(folder: Path) -> str:
    """A name in a design directory under which results of earlier kernels can be put aside."""
    number, name = 1, ASIDE
    while (folder / name).exists():
        number += 1
        name = f"{ASIDE}.{number}"
    return name
