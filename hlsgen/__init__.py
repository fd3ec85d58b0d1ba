"""hlsgen: from an ONNX network to a verified Intel-FPGA OpenCL accelerator.

`compile` makes an `Accelerator` of a model, `load` reads one from its design directory; it
predicts, validates, estimates, reports, audits. Its parts, for scripts that search: `load_graph`,
`schedule`, `estimate`, `generate`, `audit`. On machines without the compiler designs are run with
`hlsgen.host`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hlsgen.version import __version__

if TYPE_CHECKING:
    from hlsgen.accelerator.accelerator import Accelerator, load
    from hlsgen.accelerator.build import compile
    from hlsgen.audit.design import audit
    from hlsgen.codegen.generate import Design, generate
    from hlsgen.errors import HlsgenError
    from hlsgen.frontend.load import load as load_graph
    from hlsgen.graph import Graph
    from hlsgen.host.errors import HostError
    from hlsgen.model.estimate import Estimate, estimate
    from hlsgen.plan import Plan
    from hlsgen.schedule.goal import Goal
    from hlsgen.schedule.scheduler import schedule

__all__ = [
    "Accelerator",
    "Design",
    "Estimate",
    "Goal",
    "Graph",
    "HlsgenError",
    "HostError",
    "Plan",
    "__version__",
    "audit",
    "compile",
    "estimate",
    "generate",
    "load",
    "load_graph",
    "schedule",
]

# Imported on first use: `import hlsgen.host` must work on a machine without onnx.
_HOMES = {
    "Accelerator": ("accelerator.accelerator", "Accelerator"),
    "Design": ("codegen.generate", "Design"),
    "Estimate": ("model.estimate", "Estimate"),
    "Goal": ("schedule.goal", "Goal"),
    "Graph": ("graph", "Graph"),
    "HlsgenError": ("errors", "HlsgenError"),
    "HostError": ("host.errors", "HostError"),
    "Plan": ("plan", "Plan"),
    "compile": ("accelerator.build", "compile"),
    "estimate": ("model.estimate", "estimate"),
    "generate": ("codegen.generate", "generate"),
    "load": ("accelerator.accelerator", "load"),
    "load_graph": ("frontend.load", "load"),
}


def __getattr__(name: str) -> Any:
    if name in ("audit", "schedule"):  # packages that can be called
        return importlib.import_module(f"hlsgen.{name}")
    if name in _HOMES:
        module, known = _HOMES[name]
        return getattr(importlib.import_module(f"hlsgen.{module}"), known)
    raise AttributeError(f"module 'hlsgen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
