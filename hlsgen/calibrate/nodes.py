"""area.json, loops.json and quartus.json, which aoc writes: read with their mistakes, and checked,
so that what reads them meets the types that it counts on and no others."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlsgen.errors import HlsgenError
from hlsgen.schema import LENIENT, checked, contents

REMEDY = "was it written by aoc 17.1 to 21.2?"


class ReportError(HlsgenError):
    """A report or CSV file cannot be used."""


@dataclass(frozen=True)
class Place:
    """A place in the source text."""

    __pydantic_config__ = LENIENT

    line: int | str | None = None


@dataclass(frozen=True)
class Node:
    """A node of area.json or loops.json. `details` are texts and tables for people; what `data`
    holds depends on the file and its version."""

    __pydantic_config__ = LENIENT

    name: str | int = ""
    type: str = ""
    data: tuple[str | float | None, ...] = ()
    total_kernel_resources: tuple[float, ...] = ()
    max_resources: tuple[float, ...] = ()
    details: Any = ()
    debug: tuple[tuple[Place, ...], ...] = ()
    children: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def text(self) -> str:
        """Its details, as they stand in the file."""
        return json.dumps(self.details)

    @property
    def line(self) -> int:
        """The line of the text that it speaks of, 0 where it tells none."""
        lines = (int(number(place.line)) for places in self.debug for place in places)
        return next(filter(None, lines), 0)


def read_nodes(path: Path) -> Node:
    """The tree of area.json or loops.json. Raises ReportError."""
    return checked(Node, load_lenient(path), str(path), ReportError, REMEDY)


def read_objects(path: Path) -> list[dict[str, Any]]:
    """All objects of a JSON file, outer ones first. Raises ReportError."""
    tree = checked(dict[str, Any], load_lenient(path), str(path), ReportError, REMEDY)
    return list(objects(tree))


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects of a JSON value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)):
            yield from objects(inner)


def load_lenient(path: Path) -> Any:
    """JSON, also as aoc 19 writes it: with commas before closing brackets, missing between objects,
    bare backslashes, and members of objects between square brackets. Raises ReportError."""
    text = contents(path, str(path), ReportError).decode(errors="replace")
    text = re.sub(r"^\s*var\s+\w+\s*=\s*", "", text).strip().rstrip(";")
    for attempt in (text, repaired(text)):
        try:
            return json.loads(attempt, strict=False)
        except (ValueError, RecursionError) as error:
            problem = error
    raise ReportError(
        f"is not JSON, not even after repair ({problem})", where=str(path), remedy=REMEDY
    )


def repaired(text: str) -> str:
    """The text with the mistakes mended that quartus.json of aoc 19 has."""
    text = re.sub(r'\\(?!["\\/bfnrtu])', r"\\\\", text)
    text = re.sub(r",(\s*[}\]])", r"\1", text)
    text = re.sub(r'\[(\s*"[^"]*"\s*:[^\[\]{}]*)\]', r"{\1}", text)
    text = re.sub(r"([}\]\"])(\s*)(?=[{\[])", r"\1,\2", text)
    text = re.sub(r'("|[}\]\d])(\s*\n\s*)(?=")', r"\1,\2", text)
    return re.sub(r",\s*,+", ",", text)


def number(value: Any) -> float:
    """A figure that may be text with thousands' commas; 0 where there is none."""
    match = re.search(r"[\d,]*\.?\d+", str(value)[:40])
    found = float(match.group().replace(",", "")) if match else 0.0
    return found if math.isfinite(found) else 0.0
