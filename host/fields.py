"""Frozen dataclasses to and from JSON: every value has the type that its field declares, or an
error names the field.

A field that JSON calls otherwise has that name in its metadata, as `json`.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache, cached_property
from typing import Any, get_args, get_origin, get_type_hints


class FieldError(Exception):
    """A field has a value that it cannot have."""


class UnknownField(FieldError):
    """The object at `place` has a field `name`, which is none of the `known` ones."""

    def __init__(self, place: str, name: str, known: tuple[str, ...]):
        self.place, self.name, self.known = place, name, known
        super().__init__(f"{joined(place, name)} is unknown to this host")


class MissingField(FieldError):
    """The object at `place` lacks the field `name`."""

    def __init__(self, place: str, name: str):
        self.place, self.name = place, name
        super().__init__(f"{joined(place, name)} is missing")


class Frozen(dict[str, Any]):
    """A mapping that is made once and never changed: so what holds it may be remembered by it."""

    @cached_property
    def hash(self) -> int:
        """Worked out once: searches look such mappings up again and again."""
        return hash(frozenset(self.items()))

    def __hash__(self) -> int:  # type: ignore[override]
        return self.hash

    def __reduce__(self) -> tuple[type[Frozen], tuple[dict[str, Any]]]:
        return Frozen, (dict(self),)  # strings have other hashes in another process


def joined(place: str, name: str) -> str:
    """The place of a field in the object at `place`, "" for the outermost."""
    return f"{place}.{name}" if place else name


def published(f: Field[Any]) -> str:
    """A field's name in JSON."""
    return str(f.metadata.get("json", f.name))


def decoded(hint: Any, value: Any, place: str) -> Any:
    """A JSON value as a type: a dataclass, a mapping, a list or tuple, a plain value. Raises
    FieldError, which names the place."""
    if get_origin(hint) is types.UnionType:  # X | None
        return None if value is None else decoded(get_args(hint)[0], value, place)
    if is_dataclass(hint):
        return record(hint, value, place)
    if get_origin(hint) is Mapping:
        wanted(dict, value, place)
        inner = get_args(hint)[1]
        return Frozen(
            (name, decoded(inner, item, joined(place, name))) for name, item in value.items()
        )
    if get_origin(hint) is tuple:
        wanted(list, value, place)
        inner = get_args(hint)
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        if len(value) != len(kinds):
            raise FieldError(f"{place} must have {len(kinds)} parts, not {len(value)}")
        return tuple(
            decoded(kind, item, f"{place}[{i}]")
            for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
        )
    if hint is float:
        return number(value, place)
    wanted(hint, value, place)
    return value


def number(value: Any, place: str) -> float:
    """A finite number, whole or not."""
    if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:
        raise FieldError(f"{place} must be float, not {json.dumps(value)[:60]}")
    return float(value)


def wanted(kind: type, value: Any, place: str) -> None:
    """Raise FieldError for a value of another type."""
    if type(value) is not kind:
        names: dict[type, str] = {dict: "an object", list: "a list"}
        name = names.get(kind, kind.__name__)
        raise FieldError(f"{place or 'it'} must be {name}, not {json.dumps(value)[:60]}")


@cache
def types_of(kind: Any) -> dict[str, Any]:
    """The types of a dataclass's fields, by name. (Working them out takes most of the time of
    reading a manifest.)"""
    return get_type_hints(kind)


def record(kind: Any, value: Any, place: str) -> Any:
    """A dataclass from a JSON object."""
    wanted(dict, value, place)
    hints, found = types_of(kind), {}
    known = {published(f): f for f in fields(kind)}
    for name, item in value.items():
        if name not in known:
            raise UnknownField(place, name, tuple(known))
        found[known[name].name] = decoded(hints[known[name].name], item, joined(place, name))
    for name, f in known.items():
        if f.name not in found and f.default is MISSING and f.default_factory is MISSING:
            raise MissingField(place, name)
    return kind(**found)


def says_nothing(value: Any) -> bool:
    """Whether an optional field need not be written: it is absent, not set, or without content."""
    return value is None or value is False or (isinstance(value, (tuple, Mapping)) and not value)


def encoded(value: Any) -> Any:
    """The JSON value of a dataclass, mapping, tuple or plain value; what says nothing is left
    out: flags that are not set, and optional fields without content."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            published(f): encoded(getattr(value, f.name))
            for f in fields(value)
            if (f.default is MISSING and f.default_factory is MISSING)
            or not says_nothing(getattr(value, f.name))
        }
    if isinstance(value, Mapping):
        return {name: encoded(item) for name, item in value.items()}
    return [encoded(item) for item in value] if isinstance(value, tuple) else value
