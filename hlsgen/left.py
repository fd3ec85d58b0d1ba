"""What commands leave in a design directory for others to show: JSON that names, by hash, the
design that it is about and itself. One that belongs to other kernels, weights or a manifest, or
that was changed since, says nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlsgen.errors import HlsgenError
from hlsgen.host.files import write_whole
from hlsgen.host.hashes import design_identity
from hlsgen.schema import NOTED, checked

# What `validate`, `audit` and `build --quantise` found.
VALIDATION, AUDIT, QUANTISATION = "validation.json", "audit.json", "quantisation.json"
SEALS = ("design", "digest")


@dataclass(frozen=True)
class Worst:
    """The largest relative error of a comparison; "inf" where a result is none."""

    max_rel_error: float | str


@dataclass(frozen=True)
class Validated:
    """What is shown of a validation. One that ended in a deadlock has no `output`."""

    __pydantic_config__ = NOTED

    ok: bool
    device: str
    mode: str
    images: int
    layers: tuple[dict[str, Any], ...]
    output: Worst | None = None
    onnxruntime: Worst | None = None
    first_wrong_layer: str | None = None
    error: str = ""


@dataclass(frozen=True)
class Audited:
    """What is shown of an audit."""

    __pydantic_config__ = NOTED

    ok: bool
    interval: tuple[int, int] | None
    errors: Mapping[str, int]
    warnings: Mapping[str, int]
    findings: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Share:
    """How many pictures are right."""

    share: float
    pictures: int


@dataclass(frozen=True)
class Quantised:
    """What is shown of a quantisation."""

    __pydantic_config__ = NOTED

    metric: str
    labels: bool
    float32: Share
    int8: Share
    caution: str
    kept_float: tuple[str, ...]


KINDS = {VALIDATION: Validated, AUDIT: Audited, QUANTISATION: Quantised}


def leave(folder: Path, name: str, record: Mapping[str, Any]) -> None:
    """Keep a record in a design directory. What cannot be written there is done nevertheless."""
    with suppress(OSError, ValueError, KeyError):
        about = {"design": design_identity(folder)} | dict(record)
        text = json.dumps(about | {"digest": digest(about)}, indent=1)
        write_whole(folder / name, text + "\n")


def left(folder: Path, name: str) -> dict[str, Any] | None:
    """The record that was left in a design directory, None where there is none about the design
    that lies there now, or one of another form."""
    try:
        found = json.loads((folder / name).read_text())
        if found["digest"] != digest(found) or found["design"] != design_identity(folder):
            return None
        checked(KINDS[name], found, name, HlsgenError)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, HlsgenError):
        return None
    return {key: value for key, value in found.items() if key not in SEALS}


def digest(record: Mapping[str, Any]) -> str:
    """A hash of a record's content."""
    rest = {key: value for key, value in record.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
