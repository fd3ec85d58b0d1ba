"""What made what: the manifest of a flow, by which a step is known to be up to date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from hlsgen.errors import HlsgenError
from hlsgen.host.files import write_whole
from hlsgen.schema import STRICT, read
from hlsgen.version import __version__

MANIFEST, LOCK = "flow.json", ".flow.lock"
Digests = dict[str, str]


@dataclass(frozen=True)
class Origin:
    """What a step's results follow from: its options, the digests of its inputs by their names, and
    the version of the tool."""

    options: Mapping[str, Any]
    inputs: Digests
    version: str = __version__


@dataclass(frozen=True)
class Record:
    """A step that is done. `outputs` are digests of files by their paths in the flow's folder;
    `accuracy` is what its result has right of the test pictures, `result` what its command told."""

    command: str
    origin: Origin
    outputs: Digests
    seconds: float
    finished: str
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Begun:
    """A step that was started, and of which nobody noted that it is done."""

    step: str
    command: str
    origin: Origin


@dataclass(frozen=True)
class Kept:
    """What flow.json holds."""

    __pydantic_config__ = STRICT

    steps: Mapping[str, Record]
    started: Begun | None
    schema: Literal[1] = 1


@dataclass
class Manifest:
    """The steps that are done in a flow's folder, and the one that was started last."""

    folder: Path
    steps: dict[str, Record] = field(default_factory=dict)
    started: Begun | None = None

    @staticmethod
    def read(folder: Path) -> Manifest:
        """That of a folder; empty where there is none, or one that cannot be read: every step runs
        then."""
        try:
            kept = read(Kept, folder / MANIFEST, MANIFEST, HlsgenError)
        except HlsgenError:
            return Manifest(folder)
        return Manifest(folder, dict(kept.steps), kept.started)

    def start(self, name: str, command: str, origin: Origin) -> bool:
        """Note that a step begins. Returns whether the very same one was broken off before."""
        begun = Begun(name, command, origin)
        again = self.started == begun
        self.started = begun
        self.steps.pop(name, None)
        self.write()
        return again

    def finish(self, name: str, record: Record) -> None:
        """Note that a step is done."""
        self.steps[name], self.started = record, None
        self.write()

    def judged(self, name: str, accuracy: Mapping[str, Any]) -> None:
        """Note what a step's result has right."""
        self.steps[name] = replace(self.steps[name], accuracy=accuracy)
        self.write()

    def write(self) -> None:
        """Write it, all of it or nothing."""
        kept = asdict(Kept(self.steps, self.started))
        write_whole(self.folder / MANIFEST, json.dumps(kept, indent=1) + "\n")

    def why(self, name: str, origin: Origin) -> str:
        """Why a step has to run, in words; "" where it has not."""
        record = self.steps.get(name)
        if record is None:
            begun = self.started
            same = begun is not None and (begun.step, begun.origin) == (name, origin)
            return "was broken off" if same else "not done yet"
        before = record.origin
        if before.version != origin.version:
            return f"hlsgen {origin.version} in place of {before.version}"
        if changed := differences(before.options, origin.options):
            return f"another {', '.join(changed)}"
        if changed := differences(before.inputs, origin.inputs):
            return f"{', '.join(changed)} changed"
        lost = [path for path in record.outputs if not (self.folder / path).exists()]
        if lost:
            return f"{', '.join(lost)} is missing"
        other = differences(record.outputs, digests(self.folder, record.outputs))
        return f"{', '.join(other)} was changed by hand" if other else ""


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names whose values differ."""
    names = dict.fromkeys([*before, *now])
    return [name for name in names if before.get(name) != now.get(name)]


def digests(folder: Path, names: Iterable[str]) -> Digests:
    """The digests of files in a folder, by their names."""
    return {name: digest(folder / name) for name in names}


def digest(path: Path) -> str:
    """The SHA-256 of a file, or of all files of a folder with their names."""
    if not path.is_dir():
        stat = path.stat()
        return file_digest(path, stat.st_mtime_ns, stat.st_size)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = [f"{digest(file)} {file.relative_to(path)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@lru_cache(4096)
def file_digest(path: Path, modified: int, size: int) -> str:
    """The SHA-256 of a file as it was then."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()
