"""A fault that is put in on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    """One textual change of one file. `old` stands there exactly once; `tests` are pytest's names
    of what must then fail; `why` says what a user would suffer."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    why: str

    def stale(self, root: Path) -> str | None:
        """What makes the entry useless in a tree, or None: its text must stand there once and be
        changed, its tests must exist."""
        path = root / self.file
        if not path.is_file():
            return f"there is no {self.file}"
        count = path.read_text().count(self.old)
        if count != 1:
            return f"its text stands {count} times in {self.file}"
        if self.old == self.new:
            return "it changes nothing"
        if not self.tests:
            return "it names no tests"
        return next(
            (f"there is no test {test}" for test in self.tests if not test_exists(root, test)), None
        )

    def applied(self, text: str) -> str:
        """The file's text with the fault."""
        return text.replace(self.old, self.new)


def test_exists(root: Path, name: str) -> bool:
    """Whether a pytest name, `file` or `file::function` or `file::function[parameter]`, is in the
    tree."""
    file, _, function = name.partition("::")
    path = root / file
    return path.is_file() and (
        not function or f"def {function.partition('[')[0]}(" in path.read_text()
    )
