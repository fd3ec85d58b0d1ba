"""A system: one network over several boards, a design directory each, joined by links.

`system.json` says which boards there are, in order, and what leads from one to the next. To those
who give it inputs and read its results it looks like one design.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .design import HostDesign
from .errors import HostError
from .fields import FieldError, decoded, encoded
from .hashes import SYSTEM, manifest_digest
from .manifest import REMEDY, Buffer, Cut, Manifest, Port, Result, Value, Weights

SCHEMA = 1


@dataclass(frozen=True)
class BoardEntry:
    """A board: its design `directory`, what kind it is, and which layers of the network it has, by
    number: from `first` on, before `end`."""

    directory: str
    board: str
    first: int
    end: int


@dataclass(frozen=True)
class LinkEntry:
    """A link from the board number `writer` to the next one: pairs of I/O channels that move
    together, words of `bits` each; `bytes` that an image takes on each; `tensors` in the order in
    which they take turns. `depth`: words that the reading end holds."""

    writer: int
    channels: tuple[tuple[str, str], ...]
    bits: int
    bytes: int
    tensors: tuple[str, ...]
    depth: int


@dataclass(frozen=True, kw_only=True)
class System:
    """The content of system.json. `copies` of the chain of boards work on different images;
    `inputs`, `outputs` are what boards read and write in their own memory, `cut` as in a design.
    `sha256`: of files beside it; `digest`: of system.json without it."""

    schema: int
    generator: str
    name: str
    topology: str
    copies: int
    files: tuple[str, ...]
    boards: tuple[BoardEntry, ...]
    links: tuple[LinkEntry, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    cut: Cut | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    def to_json(self) -> str:
        """The text of system.json with its digest."""
        content = encoded(self)
        return json.dumps(content | {"digest": manifest_digest(content)}, indent=1) + "\n"


def read_system(folder: Path) -> System:
    """The content of a folder's system.json. Raises HostError."""
    try:
        data = json.loads((folder / SYSTEM).read_text())
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise FieldError(f"schema is not {SCHEMA}")
        found: System = decoded(System, data, "")
        if not found.boards:
            raise FieldError("boards is empty")
    except (OSError, ValueError, RecursionError, FieldError) as error:
        raise HostError(
            f"{folder}: {SYSTEM} is none that this host reads ({error})", remedy=REMEDY
        ) from None
    if found.digest not in ("", manifest_digest(data)):
        raise HostError(
            f"{folder}: {SYSTEM} is not what build wrote (its digest is another)",
            remedy="build the system again",
        )
    return found


class SystemDesign(HostDesign):
    """A system's directory, and `boards`, the designs in it. Its `manifest` is that of one design
    with the inputs, the outputs and all layers of the boards; its buffers are theirs."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.system = read_system(self.path)
        self.boards = [HostDesign(self.path / entry.directory) for entry in self.system.boards]
        manifests = [board.manifest for board in self.boards]
        check_ports(self.system, manifests)
        check_links(self.system, manifests)
        self.manifest = joined(self.system, manifests)
        self.sections = {}
        self.check_parts()

    def unchanged(self) -> bool:
        """Whether the files are still those that were read."""
        return read_system(self.path) == self.system and all(b.unchanged() for b in self.boards)

    def number(self, board: Path) -> int:
        """The number of the board whose design lies there. Raises HostError."""
        names = [entry.directory for entry in self.system.boards]
        if board.resolve().name not in names:
            raise HostError(f"{self.path} has no board {board.resolve().name}")
        return names.index(board.resolve().name)

    def title(self, number: int) -> str:
        """What messages call a board."""
        entry = self.system.boards[number]
        return f"{entry.directory} ({entry.board})"


def open_design(path: str | Path) -> HostDesign:
    """The design of a directory, or the system. Raises HostError."""
    return (SystemDesign if (Path(path) / SYSTEM).is_file() else HostDesign)(path)


def joined(system: System, boards: list[Manifest]) -> Manifest:
    """The manifest of one design that has all that the boards have."""
    buffers: dict[str, Buffer] = {}
    layers: list[Result] = []
    inputs: dict[str, Port] = {}
    outputs: dict[str, Port] = {}
    hashes: dict[str, str] = {}
    for entry, board in zip(system.boards, boards, strict=True):
        place = entry.directory
        buffers |= {f"{place}/{name}": buffer for name, buffer in board.buffers.items()}
        layers += [replace(layer, layout=moved(layer, place)) for layer in board.layers]
        inputs |= {port.name: replace(port, layout=moved(port, place)) for port in board.inputs}
        outputs |= {port.name: replace(port, layout=moved(port, place)) for port in board.outputs}
        hashes |= {f"{place}/{name}": value for name, value in board.sha256.items()}
    work = [board.multiply_accumulates for board in boards]
    weights = boards[0].weights
    return Manifest(
        schema=boards[0].schema,
        generator=system.generator,
        name=system.name,
        board=", ".join(dict.fromkeys(board.board for board in boards)),
        style=boards[0].style,
        dtype=boards[0].dtype,
        files=system.files,
        kernels=tuple(
            f"{entry.directory}/{name}"
            for entry, board in zip(system.boards, boards, strict=True)
            for name in board.kernels
        ),
        options=(),
        weights=Weights(
            weights.file, sum(board.weights.bytes for board in boards), (), weights.type
        ),
        buffers=buffers,
        inputs=tuple(inputs[value.name] for value in system.inputs),
        outputs=tuple(outputs[value.name] for value in system.outputs),
        layers=tuple(layers),
        multiply_accumulates=sum(n or 0 for n in work),
        batched=True,
        runs={},
        cut=system.cut,
        sha256={**system.sha256, **hashes},
    )


def moved(result: Port | Result, place: str) -> Any:
    """The layout of a board's result in the joined manifest."""
    return replace(result.layout, buffer=f"{place}/{result.layout.buffer}")


def check_ports(system: System, boards: list[Manifest]) -> None:
    """Raise HostError for an input or output of the system that is none of a board's."""
    for values, ports in (
        (system.inputs, [port for board in boards for port in board.inputs]),
        (system.outputs, [port for board in boards for port in board.outputs]),
    ):
        for value in values:
            if value.name not in [port.name for port in ports]:
                raise HostError(f"{SYSTEM}: no board has {value.name}", remedy=REMEDY)


def check_links(system: System, boards: list[Manifest]) -> None:
    """Raise HostError where the boards' designs do not have the ends of the links that the system
    names."""
    ends: list[list[tuple[tuple[str, ...], int]]] = [[] for _ in boards]
    for link in system.links:
        for number, side in ((link.writer, 0), (link.writer + 1, 1)):
            if not 0 <= number < len(boards):
                raise HostError(f"{SYSTEM}: there is no board number {number}", remedy=REMEDY)
            ends[number].append((tuple(pair[side] for pair in link.channels), link.bytes))
    for entry, board, wanted in zip(system.boards, boards, ends, strict=True):
        found = [(end.channels, end.bytes) for end in board.links]
        if sorted(found) != sorted(wanted):
            raise HostError(
                f"{entry.directory} has not the links that {SYSTEM} names",
                remedy="build the system again",
            )
