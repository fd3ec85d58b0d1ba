"""Pages of the site that no hand writes: the command line, the API, CONTRIBUTING.md, a notebook."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import hlsgen
from hlsgen.cli.main import parser
from hlsgen.host.__main__ import parser as host_parser

ROOT = Path(__file__).parents[1]


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    pages = {
        "cli.md": "".join(command_line()),
        "api.md": api(),
        "notebook.md": notebook(ROOT / "docs" / "notebook.ipynb"),
        "contributing.md": from_the_root((ROOT / "CONTRIBUTING.md").read_text()),
    }
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links of the checkout as links of the site."""
    return markdown.replace("](../CONTRIBUTING.md", "](contributing.md")


def from_the_root(text: str) -> str:
    """A page of the checkout's root: its links to documents begin in docs/."""
    return re.sub(r"\]\(docs/", "](", text)


def notebook(file: Path) -> str:
    """A notebook as a page."""
    parts = []
    for one in json.loads(file.read_text())["cells"]:
        text = "".join(one["source"])
        parts.append(f"```python\n{text}\n```" if one["cell_type"] == "code" else text)
    return "\n\n".join([*parts, f"The notebook itself: [{file.name}]({file.name})."]) + "\n"


def command_line() -> Iterator[str]:
    """All commands with their options, as the parsers declare them."""
    yield "# Command line\n\n"
    yield "`python -m hlsgen` is the same as `hlsgen`. `DIR` may be left out where there is one "
    yield "design.\n\n"
    for name, sub in subcommands(parser()):
        yield from command(f"hlsgen {name}", sub)
    yield "The host's commands need no compiler ([design-directory.md](design-directory.md)).\n\n"
    for name, sub in subcommands(host_parser()):
        yield from command(f"python -m hlsgen.host {name}", sub)


def subcommands(top: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The commands of a parser by name."""
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def command(title: str, sub: argparse.ArgumentParser) -> Iterator[str]:
    """A command: what it does, an example, a table of its arguments."""
    yield f"## {title}\n\n"
    if sub.description:
        yield f"{sentence(sub.description)}\n\n"
    example = (sub.epilog or "").partition("example: ")[2]
    if example:
        yield f"```\n{example}\n```\n\n"
    yield "| argument | |\n|---|---|\n"
    for action in sub._actions:
        if action.help != argparse.SUPPRESS:
            yield f"| {names(action)} | {cell(explained(sub, action))} |\n"
    yield "\n"


def names(action: argparse.Action) -> str:
    """How an argument is given."""
    shown = action.metavar or (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    )
    value = (
        "" if action.nargs == 0 else f" {' '.join(shown) if isinstance(shown, tuple) else shown}"
    )
    given = [f"`{cell(option + value)}`" for option in action.option_strings]
    return ", ".join(given) or f"`{cell(str(shown))}`"


def explained(sub: argparse.ArgumentParser, action: argparse.Action) -> str:
    """What an argument is for."""
    formatter = sub._get_formatter()
    return formatter._expand_help(action) if action.help else ""


def cell(text: str) -> str:
    """Text in a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def sentence(text: str) -> str:
    """A help text as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def api() -> str:
    """Everything that `dir(hlsgen)` shows."""
    shown = [name for name in dir(hlsgen) if not name.startswith("_")]
    first = [name for name in ("compile", "load", "Accelerator") if name in shown]
    rest = [name for name in shown if name not in first]
    text = "# API\n\nAll names are in `hlsgen`. How they work together: [python.md](python.md).\n\n"
    return text + "".join(f"::: hlsgen.{name}\n\n" for name in (*first, *rest))
