"""The verdict that an audit leaves in a design directory, for the commands that show it. It needs
nothing of the extra `audit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hlsgen.audit.findings import ERROR, WARNING, Finding


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
