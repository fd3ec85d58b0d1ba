"""Tables, for terminals and notebooks alike."""

from __future__ import annotations

import html
from dataclasses import dataclass

LEFT, RIGHT = "left", "right"


@dataclass(frozen=True)
class Table:
    """Titles, each with the side to which its column is aligned, and rows of as many texts;
    `marked` are the numbers of rows that tell of something wrong."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, ...], ...]
    marked: frozenset[int] = frozenset()

    def html(self) -> str:
        """As HTML, for notebooks."""
        head = "".join(cell("th", title, side, "") for title, side in self.columns)
        body = "".join(
            f"<tr>{''.join(self.cells(number, row))}</tr>" for number, row in enumerate(self.rows)
        )
        titled = f"<tr>{head}</tr>" if any(title for title, _ in self.columns) else ""
        return f"<table>{titled}{body}</table>"

    def cells(self, number: int, row: tuple[str, ...]) -> list[str]:
        """The cells of a row."""
        colour = "color: #c62828" if number in self.marked else ""
        sides = (side for _, side in self.columns)
        return [cell("td", text, side, colour) for text, side in zip(row, sides, strict=True)]


def cell(kind: str, text: str, side: str, style: str) -> str:
    """A cell of an HTML table."""
    return f'<{kind} style="text-align: {side}; {style}">{html.escape(text)}</{kind}>'


def section(title: str, table: Table) -> str:
    """A table under a line that says what it is, as HTML."""
    return f"<p><b>{html.escape(title)}</b></p>{table.html()}"
