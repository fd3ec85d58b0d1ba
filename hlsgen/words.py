"""Words for people."""

from __future__ import annotations


def counted(count: int, what: str) -> str:
    """`1 image`, `2 images`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
