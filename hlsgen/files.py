"""Files that a user asked for, places that one command at a time writes to, and temporary
folders."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hlsgen.errors import OutputError
from hlsgen.host.files import abandoned, hold, write_whole

SCRATCH = "hlsgen-scratch-"


class Scratch(tempfile.TemporaryDirectory[str]):
    """A temporary folder, gone with this object. Those of processes that were killed go when the
    next one is made."""

    def __init__(self) -> None:
        for left in Path(tempfile.gettempdir()).glob(f"{SCRATCH}????????"):
            if abandoned(left):
                shutil.rmtree(left, ignore_errors=True)
        super().__init__(prefix=SCRATCH)
        descriptor = os.open(self.name, os.O_RDONLY)
        hold(descriptor)
        self._close = weakref.finalize(self, os.close, descriptor)

    def cleanup(self) -> None:
        """Remove it."""
        super().cleanup()
        self._close()


def write_output(path: Path, content: str | bytes, where: str) -> None:
    """Write a file, whole or not at all, in a folder that is made where it is missing. Raises
    OutputError, which begins with `where`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise OutputError(
            f"cannot be written ({error.strerror})",
            where=where,
            remedy="free space, or name a place that is writable",
        ) from None


@contextmanager
def held(lock: Path, what: str, where: str) -> Iterator[None]:
    """Hold a lock file. The kernel releases it when the process dies, so that nobody is ever shut
    out by a dead one. Raises OutputError, which begins with `where`, while another `what` holds
    it."""
    while True:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise OutputError(
                f"another {what} is writing there",
                where=where,
                remedy="wait for it, or name another directory",
            ) from None
        if is_same(lock, descriptor):
            break
        os.close(descriptor)  # its last holder removed the file in between
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def is_same(path: Path, descriptor: int) -> bool:
    """Whether a path still names an open file."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
