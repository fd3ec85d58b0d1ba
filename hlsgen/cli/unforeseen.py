"""The last catch: what no command foresaw ends in one line, and in a file that can be sent."""

from __future__ import annotations

import platform
import shlex
import tempfile
from collections.abc import Sequence
from contextlib import suppress

from hlsgen.version import __version__

STATUS = 70  # EX_SOFTWARE of sysexits.h
SEND = "report it with {}, which holds the trace and the command, and no file of yours"


def told(error: BaseException, details: str, command: Sequence[str]) -> str:
    """The message for an error that nobody foresaw. `details` (its trace) are kept in a file."""
    summary = f"internal error ({type(error).__name__}: {str(error)[:200]})".splitlines()[0]
    file = keep(details, command)
    return f"{summary}\n  what to do: {SEND.format(file)}" if file else f"{summary}\n{details}"


def keep(details: str, command: Sequence[str]) -> str:
    """Write a trace to a temporary file; its path, "" where it cannot be written."""
    head = (
        f"hlsgen {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"hlsgen {shlex.join(command)}\n\n"
    )
    with suppress(OSError):
        with tempfile.NamedTemporaryFile(
            "w", prefix="hlsgen-error-", suffix=".txt", delete=False, errors="replace"
        ) as file:
            file.write(head + details)
        return file.name
    return ""
