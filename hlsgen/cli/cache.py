"""`cache`: tells where compiled programs are kept, and removes them."""

from __future__ import annotations

import argparse
from typing import Any

from hlsgen.cli.console import Console
from hlsgen.host import cache
from hlsgen.words import counted

NAME = "cache"
HELP = "tell where compiled programs of the emulator are kept, or remove them"
EXAMPLE = "hlsgen cache --clear"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--clear", action="store_true", help="remove all programs")


def execute(options: argparse.Namespace, console: Console) -> int:
    """Print the cache's folder, number of programs and bytes. Status 1 when some could not be
    removed."""
    removed, freed = cache.shrink(0) if options.clear else (0, 0)
    if options.clear:
        console.say(f"{counted(removed, 'program')} removed, {megabytes(freed)}")
    found = state()
    console.say(describe(found))
    ok = not (options.clear and found["programs"])
    if not ok:
        console.error(
            f"{found['folder']}: {counted(found['programs'], 'program')} cannot be removed\n"
            "  what to do: remove the folder as its owner"
        )
    console.result({"ok": ok, "removed": removed, "freed": freed, **found})
    return 0 if ok else 1


def state() -> dict[str, Any]:
    """The cache's folder (None when it is off), number of programs, bytes and limit."""
    where, found = cache.folder(), cache.entries()
    return {
        "folder": None if where is None else str(where),
        "programs": len(found),
        "bytes": sum(stat.st_size for _, stat in found),
        "limit": cache.LIMIT,
    }


def describe(found: dict[str, Any]) -> str:
    """The cache in one line."""
    if found["folder"] is None:
        return "off"
    sizes = f"{megabytes(found['bytes'])} of at most {megabytes(found['limit'])}"
    return f"{found['folder']}: {counted(found['programs'], 'program')}, {sizes}"


def megabytes(size: int) -> str:
    """Bytes for people."""
    return f"{size / 1e6:.1f} MB"
