"""Words for people."""

from __future__ import annotations


def counted(count: int, what: str, verb: str = "") -> str:
    """`1 image`, `2 images`; with a regular verb `1 step takes`, `2 steps take`."""
    subject = f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
    return f"{subject} {does(count, verb)}" if verb else subject


def does(count: int, verb: str) -> str:
    """A regular verb for so many: `takes`, `take`."""
    return f"{verb}s" if count == 1 else verb
