"""From JSON to the frozen dataclasses of a plan, as the host decodes its manifest: what is wrong is
a PlanError."""

from __future__ import annotations

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
