"""From JSON to the frozen dataclasses of a plan, as the host decodes its manifest: what is wrong is
a PlanError; and to JSON, which has not all numbers."""

from __future__ import annotations

from math import isfinite
from typing import Any

from hlsgen.errors import PlanError
from hlsgen.host.fields import FieldError, MissingField, UnknownField, decoded


def record(kind: Any, data: Any, where: str) -> Any:
    """A dataclass from a JSON object. Raises PlanError for fields that are unknown, missing or of
    another type."""
    try:
        return decoded(kind, data, "")
    except UnknownField as error:
        raise PlanError(
            f"has an unknown field {error.name!r}",
            where=inside(where, error.place),
            remedy=f"known fields: {', '.join(error.known)}",
        ) from None
    except MissingField as error:
        raise PlanError(
            f"lacks the field {error.name!r}", where=inside(where, error.place)
        ) from None
    except FieldError as error:
        raise PlanError(str(error), where=where) from None


def inside(where: str, place: str) -> str:
    """A place in a plan, as messages name it."""
    return f"{where}, {place}" if place else where


def jsonable(value: Any) -> Any:
    """A value with text in place of the numbers that JSON lacks."""
    if isinstance(value, dict):
        return {name: jsonable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value
