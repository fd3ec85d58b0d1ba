"""Files that a user asked for."""

from __future__ import annotations

from pathlib import Path

from hlsgen.errors import OutputError
from hlsgen.host.files import write_whole


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
