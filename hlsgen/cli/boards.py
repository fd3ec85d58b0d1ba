"""`boards`: lists the boards that hlsgen knows."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from hlsgen.boards import boards
from hlsgen.cli.console import Console

NAME = "boards"
HELP = "list the boards that hlsgen knows"
EXAMPLE = "hlsgen boards"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def execute(options: argparse.Namespace, console: Console) -> int:
    """Print all boards."""
    columns = [
        ("board", "left"),
        ("", "left"),
        ("DSPs", "right"),
        ("memories", "right"),
        ("ALMs", "right"),
        ("GB/s", "right"),
        ("aoc -board", "left"),
        ("SDK", "left"),
        ("not verified", "left"),
    ]
    rows = [
        (
            b.name,
            b.title,
            f"{b.available_dsps:,}",
            f"{b.available_blocks:,}",
            f"{b.available_alms:,}",
            f"{b.bandwidth:g}",
            b.aoc_board,
            ", ".join(b.sdk_versions) or "none",
            ", ".join((*b.unverified, *b.device.unverified)),
        )
        for b in boards().values()
    ]
    console.table(columns, rows)
    console.say(
        "DSPs, memories and ALMs are what the board's static region leaves. --json gives "
        "every figure's source."
    )
    console.result({"ok": True, "boards": [asdict(b) for b in boards().values()]})
    return 0
