"""What is printed where: tables and progress for people, one JSON object for programs."""

from __future__ import annotations

import json
import shlex
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rich.console
import rich.markup
import rich.progress

from hlsgen.accelerator.tables import Table
from hlsgen.cli.columns import wrapped_rows
from hlsgen.model.times import rate
from hlsgen.progress import Progress, listening
from hlsgen.records import jsonable

# Columns of tables that are piped or stored.
COLUMNS = 80
# Seconds between lines on progress where there is no terminal.
PAUSE = 10.0


class Console:
    """Output of one command. With `as_json` nothing but `result` reaches standard output, with
    `quiet` nothing at all; errors and warnings go to standard error."""

    def __init__(self, as_json: bool, quiet: bool = False):
        self.as_json, self.silent = as_json, as_json or quiet
        self._out = rich.console.Console(highlight=False, quiet=self.silent)
        self._err = rich.console.Console(stderr=True, highlight=False)
        self._tty = sys.stdout.isatty()

    @property
    def columns(self) -> int:
        """Columns that a table may take."""
        return self._out.width if self._tty else COLUMNS

    def say(self, text: str, style: str | None = None) -> None:
        """Print a line for people; on a terminal it goes on between words where it is too long."""
        self._print(self._out, text, style, self._tty)

    def prose(self, text: str) -> None:
        """Print a paragraph, which goes on between words, wherever it goes to."""
        for line in textwrap.wrap(
            text, self.columns, break_long_words=False, break_on_hyphens=False
        ):
            self._out.print(rich.markup.escape(line), soft_wrap=True)

    def error(self, text: str) -> None:
        """Print an error on standard error."""
        self._labelled("error", "bold red", text)

    def warn(self, text: str) -> None:
        """Print a warning on standard error."""
        self._labelled("warning", "bold yellow", text)

    def _labelled(self, label: str, style: str, text: str) -> None:
        self._err.print(f"[{style}]{label}[/]: {rich.markup.escape(text)}", soft_wrap=True)

    def _print(
        self, console: rich.console.Console, text: str, style: str | None, fold: bool
    ) -> None:
        long = max(map(len, text.split()), default=0) > console.width
        # Words and paths are never cut: what is wider than the terminal is left to it.
        console.print(rich.markup.escape(text), style=style, soft_wrap=not fold or long)

    def show(self, table: Table) -> None:
        """Print a table; rows that tell of something wrong are red."""
        styles = ["red" if n in table.marked else "" for n in range(len(table.rows))]
        self.table(table.columns, table.rows, styles)

    def table(
        self,
        columns: Sequence[tuple[str, str]],
        rows: Sequence[Sequence[str]],
        styles: Sequence[str] | None = None,
    ) -> None:
        """Print a table. A column is a title and "left" or "right"; `styles` colours whole rows."""
        titled = any(title for title, _ in columns)
        titles = [[title for title, _ in columns]] if titled else []
        looks = ["bold"] * titled + list(styles or [""] * len(rows))
        lines = wrapped_rows([*titles, *rows], [side for _, side in columns], self.columns)
        for look, row in zip(looks, lines, strict=True):
            for line in row:
                self._out.print(rich.markup.escape(line), style=look or None, soft_wrap=True)

    def result(self, value: dict[str, Any]) -> None:
        """Print the command's JSON object, if that was asked for. Numbers that JSON lacks are text:
        inf, -inf, nan."""
        if self.as_json:
            print(json.dumps(jsonable(value), allow_nan=False))

    @contextmanager
    def status(self, text: str) -> Iterator[Any]:
        """Show what is being done, and for how long, while it takes long: a spinner on a terminal's
        standard error, elsewhere a line now and then. What the block computes may tell more."""
        if self.silent:
            yield lambda _: None
            return
        shown = Status(self._err, text)
        with shown.running(), listening(lambda told: shown.update(progress_text(told))):
            yield shown.update

    @contextmanager
    def progress(self, text: str) -> Iterator[Any]:
        """A bar on a terminal's standard error, moved by calling `update(done, of, text)`; silent
        elsewhere."""
        if not self._err.is_terminal or self.silent:
            yield lambda done, of, now=text: None
            return
        with rich.progress.Progress(console=self._err, transient=True) as bar:
            task = bar.add_task(text, total=None)
            yield lambda done, of, now=text: bar.update(
                task, completed=done, total=of, description=now
            )


class Status:
    """What is being done, on standard error."""

    def __init__(self, console: rich.console.Console, text: str):
        self.console, self.text = console, text
        self.spinner: rich.progress.Progress | None = None
        self.started = self.told = time.monotonic()

    @contextmanager
    def running(self) -> Iterator[None]:
        """A spinner where there is a terminal, with the time that it takes."""
        if not self.console.is_terminal:
            yield
            return
        columns = (
            rich.progress.SpinnerColumn(),
            rich.progress.TimeElapsedColumn(),
            rich.progress.TextColumn("{task.description}", markup=False),
        )
        with rich.progress.Progress(*columns, console=self.console, transient=True) as spinner:
            spinner.add_task(self.text, total=None)
            self.spinner = spinner
            yield

    def update(self, text: str) -> None:
        """Say what is done now."""
        now = time.monotonic()
        if self.spinner is not None:
            self.spinner.update(self.spinner.task_ids[0], description=text)
        elif now - self.told >= PAUSE:
            self.told = now
            line = f"{text}, {now - self.started:.0f} s"
            self.console.print(rich.markup.escape(line), soft_wrap=True)


def progress_text(told: Progress) -> str:
    """A stage, with the best design so far and how much better another one could be."""
    if not told.best:
        return told.stage
    best = f"{told.stage}: best so far {rate(told.best)} images/s"
    if told.gap == float("inf"):
        return best
    return f"{best}, bound {rate(told.bound)}, gap {told.gap:.0%}"


def aside_note(out: str | Path, folder: str) -> str:
    """Where in a directory a build has put what aoc made of earlier kernels."""
    return f"note: what aoc made of earlier kernels is in {out}/{folder}; compile this design anew"


def command(*words: str | Path) -> str:
    """A command of hlsgen as it can be typed: what a shell would split or expand is quoted."""
    return shlex.join(["hlsgen", *map(str, words)])
