"""The verdict that an audit leaves in a design directory, for the commands that show it. It needs
nothing of the extra `audit`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hlsgen.audit.findings import ERROR, WARNING, Finding

FILE = "audit.json"


def verdict(findings: Sequence[Finding], interval: tuple[int, int] | None = None) -> dict[str, Any]:
    """What is kept of an audit: whether it is clean, the band of the largest `interval` that it
    counts on, errors and warnings by rule, and each of them."""
    counts = {
        s: dict(sorted(Counter(f.rule for f in findings if f.severity == s).items()))
        for s in (ERROR, WARNING)
    }
    kept = [asdict(f) for f in findings if f.severity in (ERROR, WARNING)]
    return {
        "ok": not counts[ERROR],
        "interval": interval,
        "errors": counts[ERROR],
        "warnings": counts[WARNING],
        "findings": kept,
    }


def digest(folder: Path) -> str:
    """The digest of a design's kernels. Raises OSError, ValueError, KeyError."""
    names = json.loads((folder / "design.json").read_text())["kernels"]
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in names)).hexdigest()


def leave(folder: Path, found: dict[str, Any]) -> None:
    """Keep a verdict in a design directory, with what it is about. One that cannot be written is
    audited nevertheless."""
    with suppress(OSError):
        (folder / FILE).write_text(json.dumps({"kernels": digest(folder)} | found, indent=1) + "\n")


def read_verdict(folder: Path) -> dict[str, Any] | None:
    """The verdict that was left in a design directory, if any; one on other kernels than those that
    lie there says nothing."""
    try:
        kept = json.loads((folder / FILE).read_text())
        return kept if kept["kernels"] == digest(folder) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def line(found: dict[str, Any]) -> str:
    """A verdict in one line."""
    low, high = found.get("interval") or (0, 0)
    band = f"II {low}" if low == high else f"II {low} to {high}"
    if found["ok"]:
        clean = "CLEAN: nothing in the text breaks what the model counts on"
        return f"{clean}; {band} over the whole band of latencies" if low else clean
    broken = f"BROKEN: {', '.join(f'{n} x {rule}' for rule, n in found['errors'].items())}"
    # The slowest loop holds up all others: at worst the predicted rate falls by its interval.
    return f"{broken}; {band}, so images a second may fall by that factor" if high > 1 else broken
