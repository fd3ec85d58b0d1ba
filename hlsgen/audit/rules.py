"""The figures of aoc that the audit reasons with, from rules.json, which names their sources."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

Band = tuple[float, float]


@cache
def rules() -> dict[str, Any]:
    """All figures."""
    table: dict[str, Any] = json.loads(
        resources.files("hlsgen.audit").joinpath("rules.json").read_text()
    )
    return table


def latency(operation: str) -> Band:
    """Fewest and most cycles from an operation's operands to its value; none for what is wires
    alone."""
    low, high = rules()["latencies"].get(operation, (0, 0))
    return low, high
