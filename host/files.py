"""Files are written whole or not at all: beside their place first, then moved there. What a killed
process left of one goes when the next process writes it."""

from __future__ import annotations

import fcntl
import glob
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# How files that are not yet whole end.
PART = ".part"
# Seconds for which nothing counts as left behind: its process may be about to hold it.
YOUNG = 10.0


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A path to write to in place of `path`, which becomes that at the end. An earlier file stays
    where the new one cannot be written (a full disk, a signal). Raises OSError."""
    target = Path(path).resolve()  # a link stays a link
    prefix = f".{target.name[:100]}."
    for left in target.parent.glob(f"{glob.escape(prefix)}*{PART}"):
        if abandoned(left):
            left.unlink(missing_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=prefix, suffix=PART, dir=target.parent)
    hold(descriptor)
    try:
        yield Path(temporary)
        os.chmod(temporary, target.stat().st_mode if target.exists() else 0o666 & ~umask())
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)
        os.close(descriptor)


def hold(descriptor: int) -> None:
    """Hold an open file or folder until it is closed, by the end of the process at the latest."""
    with suppress(OSError):  # some file systems of networks cannot
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def abandoned(path: Path) -> bool:
    """Whether a temporary file or folder was left by a process that is gone: nobody holds it."""
    try:
        if time.time() - path.stat().st_mtime < YOUNG:
            return False
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file. Raises OSError."""
    with whole(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def umask() -> int:
    """The process's umask (which can be read only by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
