"""`boards`: lists the boards that hlsgen knows."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from hlsgen.accelerator.tables import LEFT, RIGHT, Table
from hlsgen.boards import Board, board, boards
from hlsgen.cli.console import Console

NAME = "boards"
HELP = "list the boards that hlsgen knows, or all figures of one"
EXAMPLE = "hlsgen boards pac_d5005"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "board", nargs="?", metavar="NAME", help="show this one alone (default all)"
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Print all boards, or one. Raises BoardError."""
    shown = [board(options.board)] if options.board else list(boards().values())
    if options.board:
        console.show(figures(shown[0]))
    else:
        console.show(overview(shown))
        console.prose(
            "DSPs, memories and ALMs are what the board's static region leaves. All figures of "
            "one: hlsgen boards NAME; their sources: --json"
        )
    console.result({"ok": True, "boards": [asdict(b) for b in shown]})
    return 0


def overview(shown: list[Board]) -> Table:
    """A line a board."""
    titles = ("DSPs", "memories", "ALMs", "GB/s")
    columns = (("board", LEFT), ("", LEFT), *((title, RIGHT) for title in titles))
    rows = (
        (
            b.name,
            b.title,
            f"{b.available_dsps:,}",
            f"{b.available_blocks:,}",
            f"{b.available_alms:,}",
            f"{b.bandwidth:g}",
        )
        for b in shown
    )
    return Table(columns, tuple(rows))


def figures(b: Board) -> Table:
    """All figures of a board and its device, those marked that are not verified."""
    fields = {"sources", "unverified", "device"}
    named = [
        (name, value, name in owner.unverified)
        for owner in (b, b.device)
        for name, value in vars(owner).items()
        if name not in fields
    ]
    rows = (
        (name, text_of(value), "not verified" if doubtful else "")
        for name, value, doubtful in named
    )
    return Table((("figure", LEFT), ("", LEFT), ("", LEFT)), tuple(rows))


def text_of(value: Any) -> str:
    """A figure as text."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if type(value) is int else str(value)
