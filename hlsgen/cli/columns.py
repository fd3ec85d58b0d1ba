"""Lays tables out in so many columns: words are never cut."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

GAP = "  "


def wrapped_rows(
    rows: Sequence[Sequence[str]], sides: Sequence[str], columns: int
) -> list[list[str]]:
    """The lines of every row. Columns as wide as their longest text; where that is more than fits,
    the widest go on between words in further lines."""
    widths = shrunk(
        [max((len(text) for text in column), default=0) for column in zip(*rows, strict=True)],
        [
            max((longest_word(text) for text in column), default=0)
            for column in zip(*rows, strict=True)
        ],
        columns - len(GAP) * (len(sides) - 1),
    )
    return [row_lines(row, widths, sides) for row in rows]


def longest_word(text: str) -> int:
    """Characters of a text's longest word."""
    return max(map(len, text.split()), default=0)


def shrunk(natural: list[int], least: list[int], room: int) -> list[int]:
    """Widths that fit the room: the widest column that can be narrower gives way, again and
    again. Where words alone take more than the room, that much."""
    widths = list(natural)
    while sum(widths) > room:
        wide = [n for n in range(len(widths)) if widths[n] > least[n]]
        if not wide:
            break
        widest = max(wide, key=lambda n: widths[n])
        widths[widest] -= 1
    return widths


def row_lines(row: Sequence[str], widths: Sequence[int], sides: Sequence[str]) -> list[str]:
    """The lines that a row takes."""
    cells = [
        textwrap.wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False) or [""]
        for text, width in zip(row, widths, strict=True)
    ]
    height = max(map(len, cells), default=1)
    padded = [[*cell, *[""] * (height - len(cell))] for cell in cells]
    return [
        GAP.join(
            text.rjust(width) if side == "right" else text.ljust(width)
            for text, width, side in zip(line, widths, sides, strict=True)
        ).rstrip()
        for line in zip(*padded, strict=True)
    ]
