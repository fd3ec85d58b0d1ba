"""Files are written whole or not at all: beside their place first, then moved there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A path to write to in place of `path`, which becomes that at the end. An earlier file stays
    where the new one cannot be written (a full disk, a signal). Raises OSError."""
    target = Path(path).resolve()  # a link stays a link
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    os.close(descriptor)
    try:
        yield Path(temporary)
        os.chmod(temporary, target.stat().st_mode if target.exists() else 0o666 & ~umask())
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file. Raises OSError."""
    with whole(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def umask() -> int:
    """The process's umask (which can be read only by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
