"""To JSON, which has not all numbers."""

from __future__ import annotations

from math import isfinite
from typing import Any


def jsonable(value: Any) -> Any:
    """A value with text in place of the numbers that JSON lacks."""
    if isinstance(value, dict):
        return {name: jsonable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value
