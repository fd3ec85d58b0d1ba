"""Compiled programs on disk, so that kernels are compiled once and not once a process.

The folder is `$HLSGEN_CACHE`, else `hlsgen` in the user's cache folder; `HLSGEN_CACHE=off` switches
it off. Nothing here raises: a cache that cannot be read or written is no cache.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

# Bytes that all entries together may take; the ones not used for longest are removed.
LIMIT = 256 << 20
ENTRY = re.compile(r"[0-9a-f]{64}\.program")
DIGEST = hashlib.sha256().digest_size


def folder() -> Path | None:
    """Where programs are kept, whether or not it exists; None when the cache is switched off."""
    setting = os.environ.get("HLSGEN_CACHE", "")
    if setting == "off":
        return None
    if setting:
        return Path(setting)
    # A relative $XDG_CACHE_HOME is to be ignored.
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    with suppress(RuntimeError):
        return (base if base.is_absolute() else Path.home() / ".cache") / "hlsgen"
    return None


def entries() -> list[tuple[Path, os.stat_result]]:
    """All kept programs, the one not used for longest first."""
    where, found = folder(), []
    with suppress(OSError):
        for path in where.iterdir() if where else ():
            if ENTRY.fullmatch(path.name):
                with suppress(OSError):
                    found.append((path, path.stat()))
    return sorted(found, key=lambda entry: entry[1].st_mtime_ns)


def load(key: str) -> bytes | None:
    """The program of a key, or None. An entry that is damaged is removed."""
    where = folder()
    if where is None:
        return None
    path = where / f"{key}.program"
    try:
        data = path.read_bytes()
        if hashlib.sha256(data[DIGEST:]).digest() == data[:DIGEST]:
            os.utime(path)
            return data[DIGEST:]
        path.unlink()
    except OSError:
        pass
    return None


def store(key: str, program: bytes) -> None:
    """Keep a program. Other processes see all of it or nothing."""
    where = folder()
    if where is None or DIGEST + len(program) > LIMIT:
        return
    with suppress(OSError):
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=where, prefix="new-")
        try:
            with open(handle, "wb") as file:
                file.write(hashlib.sha256(program).digest() + program)
            os.replace(name, where / f"{key}.program")
        except BaseException:
            os.unlink(name)
            raise
        shrink(LIMIT)


def remove(key: str) -> None:
    """Forget a program."""
    where = folder()
    if where is not None:
        with suppress(OSError):
            (where / f"{key}.program").unlink()


def shrink(limit: int) -> tuple[int, int]:
    """Remove what has not been used for longest until at most `limit` bytes are left.

    Returns the number and the bytes of what was removed.
    """
    kept = entries()
    total = sum(stat.st_size for _, stat in kept)
    count = freed = 0
    for path, stat in kept:
        if total - freed <= limit:
            break
        with suppress(OSError):
            path.unlink()
            count, freed = count + 1, freed + stat.st_size
    return count, freed
