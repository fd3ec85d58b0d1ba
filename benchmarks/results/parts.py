"""Parts of the page: what makes each, and what was made, with the commit whose model it is of."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent / "made"
# What predictions depend on.
SOURCES = ("hlsgen", "host", "templates")


@dataclass(frozen=True)
class Part:
    """Lines of Markdown that are made by themselves, in some minutes."""

    name: str
    make: Callable[[], Iterator[str]]

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return FOLDER / f"{self.name}.md"


@dataclass(frozen=True)
class Made:
    """A part as it was made: of the model of a `commit`, with its day; no lines: never."""

    commit: str = ""
    day: str = ""
    lines: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """A sentence of it."""
        return f"By the model of commit {self.commit}, {self.day}."


def renew(part: Part) -> None:
    """Make a part anew and keep it. Raises SystemExit where the model is no commit's."""
    if git("status", "--porcelain", "--", *SOURCES):
        raise SystemExit(f"commit your changes of {', '.join(SOURCES)}: a part names its commit")
    day = git("log", "-1", "--format=%cs", "--", *SOURCES)
    lines = list(part.make())
    FOLDER.mkdir(exist_ok=True)
    part.path.write_text("\n".join([f"{model_commit()} {day}", *lines]) + "\n")


def model_commit() -> str:
    """The last commit that changed what predictions depend on."""
    return git("log", "-1", "--format=%h", "--", *SOURCES)


def kept(part: Part) -> Made:
    """A part as it was made last."""
    if not part.path.is_file():
        return Made()
    origin, *lines = part.path.read_text().splitlines()
    commit, day = origin.split()
    return Made(commit, day, tuple(lines))


def git(*arguments: str) -> str:
    """What git says."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
