"""The one way in for files of others' hands: text becomes frozen dataclasses whose every field has
the type and the range that it declares, or one error names the file, the field and the remedy.

pydantic checks and writes the JSON Schemas (`hlsgen schema`). A class states its types, ranges with
`annotated_types`, and how strict it is in `__pydantic_config__`: `STRICT` of hlsgen's own files,
`NOTED` of its records, `LENIENT` of files that other programs write. `host/` stands alone and has
its own (`host/fields.py`).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hlsgen.errors import HlsgenError, did_you_mean

if TYPE_CHECKING:
    from pydantic import ConfigDict, TypeAdapter
    from pydantic_core import ErrorDetails

T = TypeVar("T")

# Unknown fields, numbers in quotes, NaN and infinities are refused.
STRICT: ConfigDict = {"extra": "forbid", "strict": True, "allow_inf_nan": False}
LENIENT: ConfigDict = {"extra": "ignore"}
# What hlsgen itself notes of its work: another version may note more.
NOTED: ConfigDict = {"extra": "ignore", "strict": True}


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """What checks values of a type. (pydantic is imported where a file is read, not before.)"""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def json_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type."""
    return adapter(kind).json_schema()


def contents(path: str | Path, where: str, error: type[HlsgenError], remedy: str = "") -> bytes:
    """The bytes of a file. Raises `error`, which begins with `where`."""
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        raise error(f"cannot be read ({problem.strerror})", where=where, remedy=remedy) from None


def read(
    kind: type[T], path: str | Path, where: str, error: type[HlsgenError], remedy: str = ""
) -> T:
    """A value of a type from a JSON file. Raises `error`."""
    return parsed(kind, contents(path, where, error, remedy), where, error, remedy)


def parsed(
    kind: type[T], text: str | bytes, where: str, error: type[HlsgenError], remedy: str = ""
) -> T:
    """A value of a type from JSON. Raises `error`."""
    from pydantic import ValidationError

    try:
        found: T = adapter(kind).validate_json(text)  # type: ignore[arg-type]
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_context=False)[0]
        raise error(reason(kind, first), where=where, remedy=remedy) from None
    return found


def checked(kind: type[T], data: Any, where: str, error: type[HlsgenError], remedy: str = "") -> T:
    """A value of a type from what `json.loads` or `tomllib.loads` gave. Raises `error`."""
    return parsed(kind, json.dumps(data, default=str), where, error, remedy)


def reason(kind: Any, found: ErrorDetails) -> str:
    """What is wrong with a field, in words."""
    outer, last = found["loc"][:-1], found["loc"][-1] if found["loc"] else ""
    inside = f"{place(outer)}: " if outer else ""
    if found["type"] == "missing":
        what = f"the field {last!r}" if isinstance(last, str) else f"item {last + 1}"
        return f"{inside}lacks {what}"
    if found["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        known = names(kind, outer)
        listed = f"; known fields: {', '.join(known)}" if known else ""
        return f"{inside}has an unknown field {last!r}{did_you_mean(str(last), known)}{listed}"
    if found["type"] == "json_invalid":
        return f"is not JSON ({found['msg'].removeprefix('Invalid JSON: ')})"
    message = found["msg"].removeprefix("Input ").replace("should", "must", 1)
    value = json.dumps(found["input"], default=str)
    return f"{place(found['loc']) or 'it'} {message}, not {value[:60]}"


def place(parts: tuple[int | str, ...]) -> str:
    """The place of a field, as `engines.sizes[0]`."""
    text = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts)
    return text.removeprefix(".")


def names(kind: Any, outer: tuple[int | str, ...]) -> tuple[str, ...]:
    """The fields of the object at a place, () where it has none that are fixed."""
    schema = json_schema(kind)
    found = schema
    for part in outer:
        found = step(schema, found, part)
    return tuple(resolved(schema, found).get("properties", ()))


def step(schema: dict[str, Any], inner: dict[str, Any], part: int | str) -> dict[str, Any]:
    """The schema of an item or field."""
    here = resolved(schema, inner)
    if isinstance(part, int):
        return here.get("items") or {}
    return here.get("properties", {}).get(part) or here.get("additionalProperties") or {}


def resolved(schema: dict[str, Any], inner: dict[str, Any]) -> dict[str, Any]:
    """A schema behind its reference, or the alternative to null."""
    for option in inner.get("anyOf", (inner,)):
        if "$ref" in option:
            found: dict[str, Any] = schema["$defs"][option["$ref"].rsplit("/", 1)[-1]]
            return found
    return inner
