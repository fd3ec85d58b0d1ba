"""What is printed where: tables and progress for people, one JSON object for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import rich.console
import rich.markup
import rich.progress
import rich.table


class Console:
    """Output of one command. With `as_json` nothing but `result` reaches standard output."""

    def __init__(self, as_json: bool):
        self.as_json = as_json
        # Output that is piped or stored is not folded to some terminal's width.
        width = None if sys.stdout.isatty() else 200
        self._out = rich.console.Console(
            highlight=False, soft_wrap=True, quiet=as_json, width=width
        )
        self._err = rich.console.Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str, style: str | None = None) -> None:
        """Print a line for people."""
        self._out.print(rich.markup.escape(text), style=style)

    def error(self, text: str) -> None:
        """Print an error on standard error."""
        self._err.print(f"[bold red]error[/]: {rich.markup.escape(text)}")

    def warn(self, text: str) -> None:
        """Print a warning on standard error."""
        self._err.print(f"[bold yellow]warning[/]: {rich.markup.escape(text)}")

    def table(
        self,
        columns: Sequence[tuple[str, str]],
        rows: Sequence[Sequence[str]],
        styles: Sequence[str] | None = None,
    ) -> None:
        """Print a table. A column is a title and "left" or "right"; `styles` colours whole rows."""
        table = rich.table.Table(box=None, pad_edge=False, header_style="bold")
        for title, side in columns:
            table.add_column(title, justify="right" if side == "right" else "left", overflow="fold")
        for index, row in enumerate(rows):
            table.add_row(
                *(rich.markup.escape(cell) for cell in row), style=styles[index] if styles else None
            )
        self._out.print(table, soft_wrap=False)

    def result(self, value: dict[str, Any]) -> None:
        """Print the command's JSON object, if that was asked for."""
        if self.as_json:
            print(json.dumps(value))

    @contextmanager
    def status(self, text: str) -> Iterator[Any]:
        """Show a spinner on a terminal's standard error while something takes long; silent
        elsewhere."""
        if not self._err.is_terminal or self.as_json:
            yield lambda _: None
            return
        with self._err.status(text) as spinner:
            yield spinner.update

    @contextmanager
    def progress(self, text: str) -> Iterator[Any]:
        """A bar on a terminal's standard error, moved by calling `update(done, of, text)`; silent
        elsewhere."""
        if not self._err.is_terminal or self.as_json:
            yield lambda done, of, now=text: None
            return
        with rich.progress.Progress(console=self._err, transient=True) as bar:
            task = bar.add_task(text, total=None)
            yield lambda done, of, now=text: bar.update(
                task, completed=done, total=of, description=now
            )
