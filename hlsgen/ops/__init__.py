"""The operators: every module here that defines `OPERATOR` adds one; nothing else needs to know of it."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from hlsgen.ops.base import Operator


@cache
def operators() -> dict[str, Operator]:
    """All operators by their internal name."""
    found: dict[str, Operator] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        operator = getattr(importlib.import_module(f"{__name__}.{module}"), "OPERATOR", None)
        if operator is not None:
            found[operator.name] = operator
    return found


def operator(name: str) -> Operator:
    """The operator called `name`. Raises KeyError."""
    return operators()[name]


@cache
def onnx_importers() -> dict[str, Operator]:
    """The operator that imports each ONNX operator type."""
    return {onnx_type: op for op in operators().values() for onnx_type in op.onnx_types}
