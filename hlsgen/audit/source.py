"""What an OpenCL text says to aoc that LLVM does not keep: attributes of arrays, `ivdep`
pragmas."""

from __future__ import annotations

import re
from dataclasses import dataclass

ATTRIBUTES = re.compile(r"__attribute__\s*\(\(((?:[^()]|\([^()]*\))*)\)\)")
ATTRIBUTE = re.compile(r"(\w+)(?:\(([^()]*)\))?")
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
MACRO = re.compile(r"^[ \t]*#define (\w+)(\([^)]*\))?[ \t]+([^\n]*__attribute__[^\n]*)$", re.M)
PRAGMA = re.compile(r"\s*#pragma ivdep\b(.*)")
DECLARED = re.compile(r"\b(\w+)\s*(?:\[[^\]]*\]\s*)+(?=[,=;]|$)")
NOT_ARRAYS = re.compile(r"\b(?:__kernel|kernel|channel|typedef)\b")
MEMORY_ATTRIBUTES = frozenset(
    (
        "register",
        "memory",
        "numbanks",
        "bankwidth",
        "bank_bits",
        "singlepump",
        "doublepump",
        "max_replicates",
    )
)
# The spelling of the guides up to 18.1 (hlsgen/codegen/attributes.py): a read port is a replicate.
OLDER = {"numreadports": "max_replicates"}


@dataclass(frozen=True)
class Ivdep:
    """A promise of a loop: no dependence through `array` (any array where None) nearer than
    `distance` turns (never where None)."""

    line: int
    array: str | None
    distance: int | None

    def covers(self, array: str) -> bool:
        """Whether it speaks of this array."""
        return self.array in (None, array)


Attributes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Source:
    """The facts of one text. `attributes` by name and line of a declared array; `ivdeps` in the
    order of the text."""

    attributes: dict[tuple[str, int], Attributes]
    ivdeps: tuple[Ivdep, ...]
    lines: tuple[str, ...]

    def promises(self, loop_line: int) -> list[Ivdep]:
        """The pragmas that stand right before a loop."""
        found, above = [], loop_line - 1
        while above > 0 and self.lines[above - 1].lstrip().startswith("#pragma"):
            found += [p for p in self.ivdeps if p.line == above]
            above -= 1
        return found


def read_source(text: str) -> Source:
    """The facts of an OpenCL text. Attributes may come from macros that are defined in it; pragmas
    must stand as they are."""
    plain = COMMENT.sub(blank, text)
    attributes: dict[tuple[str, int], Attributes] = {}
    code = expanded(plain)
    for match in re.finditer(r"[^;{}]+", code):
        statement = match[0]
        if "__attribute__" not in statement or NOT_ARRAYS.search(statement):
            continue
        found = {
            OLDER.get(name, name): tuple(int(n) for n in re.findall(r"\d+", values or ""))
            for group in ATTRIBUTES.findall(statement)
            for name, values in ATTRIBUTE.findall(group)
            if name in MEMORY_ATTRIBUTES or name in OLDER
        }
        bare = ATTRIBUTES.sub(blank, statement)
        for declared in DECLARED.finditer(bare):
            line = code.count("\n", 0, match.start() + declared.start(1)) + 1
            attributes[declared[1], line] = found
    return Source(attributes, tuple(pragmas(plain)), tuple(plain.splitlines()))


def blank(match: re.Match[str]) -> str:
    """Blanks of the same size on the same lines."""
    return re.sub(r"[^\n]", " ", match[0])


def expanded(text: str) -> str:
    """A text without lines of the preprocessor, and with its macros of attributes expanded, line by
    line as before."""
    macros = {name: (parameters, body) for name, parameters, body in MACRO.findall(text)}
    text = re.sub(r"^[ \t]*#[^\n]*", blank, text, flags=re.M)
    for name, (parameters, body) in macros.items():
        names = [p.strip() for p in parameters.strip("()").split(",")] if parameters else []
        use = re.compile(rf"\b{name}\b" + (r"\(([^()]*)\)" if parameters else "()"))

        def filled(match: re.Match[str], names: list[str] = names, body: str = body) -> str:
            values = dict(zip(names, match[1].split(","), strict=False))
            return re.sub(r"\b\w+\b", lambda word: values.get(word[0], word[0]), body)

        text = use.sub(filled, text)
    return text


def pragmas(text: str) -> list[Ivdep]:
    """All `ivdep` pragmas."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if match := PRAGMA.match(line):
            array = re.search(r"array\((\w+)\)", match[1])
            distance = re.search(r"safelen\((\d+)\)", match[1])
            found.append(
                Ivdep(number, array[1] if array else None, int(distance[1]) if distance else None)
            )
    return found
