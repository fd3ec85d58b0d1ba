"""What commands leave in a design directory for others to show: JSON that names, by hash, the
design that it is about and itself. One that belongs to other kernels, weights or a manifest, or
that was changed since, says nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hlsgen.host.files import write_whole
from hlsgen.host.hashes import design_identity

# What `validate`, `audit` and `build --quantise` found.
VALIDATION, AUDIT, QUANTISATION = "validation.json", "audit.json", "quantisation.json"
SEALS = ("design", "digest")


def leave(folder: Path, name: str, record: Mapping[str, Any]) -> None:
    """Keep a record in a design directory. What cannot be written there is done nevertheless."""
    with suppress(OSError, ValueError, KeyError):
        about = {"design": design_identity(folder)} | dict(record)
        text = json.dumps(about | {"digest": digest(about)}, indent=1)
        write_whole(folder / name, text + "\n")


def left(folder: Path, name: str) -> dict[str, Any] | None:
    """The record that was left in a design directory, None where there is none about the design
    that lies there now."""
    try:
        found = json.loads((folder / name).read_text())
        if found["digest"] != digest(found) or found["design"] != design_identity(folder):
            return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return {key: value for key, value in found.items() if key not in SEALS}


def digest(record: Mapping[str, Any]) -> str:
    """A hash of a record's content."""
    rest = {key: value for key, value in record.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
