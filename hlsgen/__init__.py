"""hlsgen: from an ONNX network to a verified Intel-FPGA OpenCL accelerator.

The Python API that scripts use: `load`, `schedule`, `generate`, `audit`; designs are run with
`hlsgen.host`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hlsgen.version import __version__

if TYPE_CHECKING:
    from hlsgen.codegen.generate import Design, generate
    from hlsgen.frontend.load import load
    from hlsgen.graph import Graph
    from hlsgen.plan import Plan

__all__ = ["Design", "Graph", "Plan", "__version__", "audit", "generate", "load", "schedule"]

# Imported on first use: `import hlsgen.host` must work on a machine without onnx.
_HOMES = {
    "Design": "codegen.generate",
    "Graph": "graph",
    "Plan": "plan",
    "generate": "codegen.generate",
    "load": "frontend.load",
}


def __getattr__(name: str) -> Any:
    if name in ("audit", "schedule"):  # packages that can be called
        return importlib.import_module(f"hlsgen.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"hlsgen.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'hlsgen' has no attribute {name!r}")
