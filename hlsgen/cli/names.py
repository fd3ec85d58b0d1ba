"""Lists of names in options: of nodes, of values."""

from __future__ import annotations

import csv

from hlsgen.errors import UsageError


def names_of(text: str, option: str) -> tuple[str, ...]:
    """Names between commas; one that holds commas itself is in double quotes. Raises UsageError."""
    try:
        return tuple(filter(None, next(csv.reader([text]), [])))
    except csv.Error as error:
        raise UsageError(
            f"{text[:80]!r} is no list of names ({error})",
            where=option,
            remedy="put a name with commas or line breaks in double quotes",
        ) from None
