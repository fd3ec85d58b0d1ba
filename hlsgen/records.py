"""From JSON to frozen dataclasses: every value has the type that its field declares, or an error
names the field."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from math import isfinite
from typing import Any, get_args, get_origin, get_type_hints

from hlsgen.errors import PlanError

# No size of a design comes near to it; sizes beyond would overflow kernels' counters.
LARGEST = (1 << 31) - 1


class Frozen(dict[str, Any]):
    """A mapping that is made once and never changed: so what holds it may be remembered by it."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def record(kind: Any, data: Any, where: str) -> Any:
    """A dataclass from a JSON object. Raises PlanError for fields that are unknown, missing or of
    another type."""
    if not isinstance(data, dict):
        raise PlanError("must be an object", where=where)
    known = {f.name: f for f in fields(kind)}
    hints = get_type_hints(kind)
    for name in data:
        if name not in known:
            raise PlanError(
                f"has an unknown field {name!r}",
                where=where,
                remedy=f"known fields: {', '.join(known)}",
            )
    for name, f in known.items():
        if name not in data and f.default is MISSING and f.default_factory is MISSING:
            raise PlanError(f"lacks the field {name!r}", where=where)
    return kind(**{name: decoded(hints[name], value, name, where) for name, value in data.items()})


def decoded(hint: Any, value: Any, name: str, where: str) -> Any:
    """A JSON value as the type of its field. Raises PlanError."""
    if get_origin(hint) is types.UnionType:  # X | None
        return None if value is None else decoded(get_args(hint)[0], value, name, where)
    if is_dataclass(hint):
        return record(hint, value, f"{where}, {name}")
    if get_origin(hint) is Mapping:
        if not isinstance(value, dict):
            raise PlanError(f"{name} must be an object, not {value!r}", where=where)
        kind, place = get_args(hint)[1], f"{where}, {name}"
        return Frozen({key: decoded(kind, item, key, place) for key, item in value.items()})
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise PlanError(f"{name} must be a list, not {value!r}", where=where)
        return tuple(
            decoded(get_args(hint)[0], item, f"{name}[{i}]", where) for i, item in enumerate(value)
        )
    if hint is float and type(value) in (int, float) and isfinite(value):
        return float(value)
    if type(value) is not hint:
        raise PlanError(f"{name} must be {hint.__name__}, not {value!r}", where=where)
    if hint is int and abs(value) > LARGEST:
        raise PlanError(f"{name} must be at most {LARGEST:,}, not {value}", where=where)
    return value
