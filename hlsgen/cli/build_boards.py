"""`build --boards`: one network over several boards."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from hlsgen.accelerator.accelerator import Accelerator
from hlsgen.accelerator.boards import Alone, Built, compile_boards
from hlsgen.accelerator.build import BOARD
from hlsgen.accelerator.tables import LEFT, RIGHT, Table
from hlsgen.cli.console import Console, aside_note, command
from hlsgen.errors import UsageError
from hlsgen.host.system import SystemDesign
from hlsgen.model.times import rate
from hlsgen.system.figures import system_figures
from hlsgen.system.stored import stored_plan
from hlsgen.words import counted

# Options of `build` that a system does not have.
REFUSED = ("plan", "disable", "copies", "images", "objective", "fps", "explain", "verbose", "audit")
SUFFIX = ".hlsgen"
MOST_BOARDS = 64


def add_boards(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--boards",
        metavar="N|NAME,...",
        help="build one network over so many boards of the kind of --board, or over these, joined "
        "by their I/O channels; the directory (default NAME.hlsgen) has a design for each",
    )
    parser.add_argument(
        "--topology", help="how --boards are cabled: chain, ring or pair (default chain)"
    )


def build_boards(options: argparse.Namespace, given: dict[str, Any], console: Console) -> int:
    """Build the system and describe it; `given`: the options as `compile` takes them. Status 1
    where a check that was asked for fails."""
    started = time.perf_counter()
    check(options)
    given["out"] = options.out = options.out or f"{Path(options.model).stem}{SUFFIX}"
    names = named(options.boards, given.pop("board", BOARD))
    if options.topology:
        given["topology"] = options.topology
    out = given.pop("out")
    given = {name: value for name, value in given.items() if name not in REFUSED}
    with console.status("reading the network"):
        built = compile_boards(options.model, names, out, **given)
    seconds = time.perf_counter() - started
    found = system_figures(built.plan)
    with built.accelerator as accelerator:
        if options.validate:
            with console.status("validating"):
                found["validation"] = dict(accelerator.validate().record)
    describe(found, built, console)
    ok = bool(found.get("validation", {"ok": True})["ok"])
    if options.validate:
        console.say(f"validation: {'right' if ok else 'WRONG'}")
    console.say(f"{out}: built in {seconds:.1f} s. Next: {command('validate', out)}")
    console.result({"ok": ok, "out": out, "seconds": seconds, **found, **record(built.alone)})
    return 0 if ok else 1


def check(options: argparse.Namespace) -> None:
    """Raise UsageError for options that a system does not have."""
    given = [f"--{name}" for name in REFUSED if getattr(options, name) not in (None, "", [], False)]
    if given:
        raise UsageError(
            "is not for several boards",
            where=given[0],
            remedy="leave it out; audit the boards' own directories"
            if options.audit
            else "leave it out",
        )
    if options.board and not options.boards.isdecimal():
        raise UsageError(
            "is one kind of board, and --boards names each", where="--board", remedy="leave it out"
        )


def named(text: str, board: str) -> list[str]:
    """The boards' names: so many of one kind, or those that are listed. Raises UsageError."""
    listed = [name for name in text.split(",") if name]
    count = int(text) if text.isdecimal() else len(listed)
    if not 1 <= count <= MOST_BOARDS:
        raise UsageError(f"{count} boards", where="--boards", remedy=f"choose 1 to {MOST_BOARDS}")
    return [board] * count if text.isdecimal() else listed


def describe(found: dict[str, Any], built: Built, console: Console) -> None:
    """Print the boards, the links, and what all reach together."""
    show(found, console)
    for line in alone_lines(built.alone, found):
        console.say(line)
    if built.accelerator.set_aside:
        console.say(aside_note(built.accelerator.path, built.accelerator.set_aside))


def report_boards(accelerator: Accelerator, options: argparse.Namespace, console: Console) -> int:
    """What `report` says of a system: its boards and links, and a page in the directory of each.
    Raises UsageError for what is of one design alone."""
    for name in ("other", "output", "aoc", "explain"):
        if getattr(options, name):
            raise UsageError(
                "is for one design", where=name.upper(), remedy="name one board's directory"
            )
    design, pages = accelerator.design, []
    assert isinstance(design, SystemDesign)
    plan = stored_plan(design, accelerator.graph, accelerator.calibration)
    found = system_figures(plan)
    show(found, console)
    for board in design.boards:
        with Accelerator(board.path, calibration=options.calibration) as one:
            pages.append(str(one.report().page))
    console.say(f"reports: {', '.join(pages)}")
    console.result({"ok": True, "pages": pages, **found})
    return 0


def show(found: dict[str, Any], console: Console) -> None:
    """Tables of boards and links, and what they reach."""
    console.show(boards_table(found["boards"]))
    if found["links"]:
        console.say("")
        console.show(links_table(found["links"]))
    console.say("")
    rows = f", in {found['copies']} equal rows" if found["copies"] > 1 else ""
    chip = "all weights on chip" if found["weights_on_chip"] else "some weights from memory"
    console.say(
        f"{rate(found['throughput_fps'])} images a second{rows}, {found['latency_ms']:.3g} ms an "
        f"image, {chip}; the slowest is {found['bottleneck']}"
    )


def boards_table(boards: list[dict[str, Any]]) -> Table:
    """A line a board."""
    titles = ("layers", "images/s", "MHz", "ALMs", "memories", "DSPs")
    columns = (("board", LEFT), ("from", LEFT), ("to", LEFT))
    rows = (
        (
            f"{number} {b['board']}",
            b["first_layer"],
            b["last_layer"],
            str(b["layers"]),
            rate(b["throughput_fps"]),
            f"{b['fmax']:.0f}",
            *(f"{b['shares'][name]:.0%}" for name in ("ALMs", "memory blocks", "DSPs")),
            b["bottleneck"],
        )
        for number, b in enumerate(boards, 1)
    )
    right = ((title, RIGHT) for title in titles)
    return Table((*columns, *right, ("bound by", LEFT)), tuple(rows))


def links_table(links: list[dict[str, Any]]) -> Table:
    """A line a link."""
    columns = (("link", LEFT), ("channels", RIGHT), ("Gbit/s", RIGHT), ("busy", RIGHT))
    rows = (
        (
            f"{number} to {number + 1}",
            str(link["channels"]),
            f"{link['gbits']:.1f}",
            f"{link['busy']:.0%}",
            ", ".join(link["tensors"]),
        )
        for number, link in enumerate(links, 1)
    )
    return Table((*columns, ("tensors", LEFT)), tuple(rows))


def alone_lines(alone: Alone | None, found: dict[str, Any]) -> list[str]:
    """What one board reaches alone, and whether it is enough."""
    if alone is None:
        return []
    one, all_ = alone.estimate.throughput, found["throughput_fps"]
    count = len(found["boards"]) * found["copies"]
    lines = [
        f"one board alone ({alone.style}): {rate(one)} images a second, "
        f"{alone.estimate.latency * 1e3:.3g} ms; {counted(count, 'board')} reach "
        f"{all_ / one:.2f} times as much"
    ]
    if all_ <= one:
        lines.append("one board is enough: leave out --boards")
    elif len(found["boards"]) == 1:
        lines.append("each board has the whole network: layers on several would not be faster")
    elif all_ < count * one:
        lines.append(
            f"{count} boards with that design each would reach {rate(count * one)} images a "
            "second, every image on one of them: build it without --boards"
        )
    return lines


def record(alone: Alone | None) -> dict[str, Any]:
    """What one board reaches, JSON-ready."""
    if alone is None:
        return {}
    found = {"style": alone.style, "throughput_fps": alone.estimate.throughput}
    return {"one_board": found | {"latency_ms": alone.estimate.latency * 1e3}}
