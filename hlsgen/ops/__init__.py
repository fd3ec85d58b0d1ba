"""The operators: every module here adds one; nothing else needs to know of it."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from hlsgen.ops.base import Operator
from hlsgen.ops.importer import Importer


@cache
def definitions() -> tuple[Importer | Operator, ...]:
    """What every module here defines as `OPERATOR`, or as `IMPORTER` where it only translates into
    other operators."""
    found = []
    for name in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        module = importlib.import_module(f"{__name__}.{name}")
        found += [
            getattr(module, kind) for kind in ("OPERATOR", "IMPORTER") if hasattr(module, kind)
        ]
    return tuple(found)


def importers() -> tuple[Importer, ...]:
    """All that translate ONNX operators."""
    return tuple(found for found in definitions() if isinstance(found, Importer))


@cache
def operators() -> dict[str, Operator]:
    """All operators by their internal name."""
    return {found.name: found for found in definitions() if isinstance(found, Operator)}


def operator(name: str) -> Operator:
    """The operator called `name`. Raises KeyError."""
    return operators()[name]


@cache
def onnx_importers() -> dict[str, Importer]:
    """What imports each ONNX operator type."""
    return {onnx_type: found for found in importers() for onnx_type in found.onnx_types}
