"""The audit of a whole design directory, and what its model promised."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

from hlsgen.audit.compiler import AuditError, llvm_ir
from hlsgen.audit.findings import ERROR, WARNING, Finding, KernelAudit, audit_kernel
from hlsgen.audit.ir import parse
from hlsgen.audit.kernel import Kernel
from hlsgen.audit.source import read_source

# Styles whose model counts on an initiation interval of 1 in every innermost loop.
COUNTS_ON_ONE = frozenset(("pipelined", "folded", "hybrid"))


@dataclass(frozen=True)
class Promise:
    """What the model says of a kernel, all its copies together."""

    copies: int
    dsps: int


@dataclass(frozen=True)
class Audit:
    """The verdict on a design: kernels in the order of the text, what the model promised of each, all findings."""

    design: str
    style: str
    kernels: tuple[KernelAudit, ...]
    promises: dict[str, Promise]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found that breaks what the design counts on."""
        return not any(f.severity == ERROR for f in self.findings)

    @property
    def dsps(self) -> float:
        """DSPs of all kernels and their copies."""
        return sum(k.arithmetic.dsps * self.copies(k.name) for k in self.kernels)

    def copies(self, kernel: str) -> int:
        """How many copies of a kernel the design has."""
        return self.promises[kernel].copies if kernel in self.promises else 1

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return {
            "design": self.design,
            "style": self.style,
            "ok": self.ok,
            "dsps": {"text": self.dsps, "model": sum(p.dsps for p in self.promises.values())},
            "kernels": [k.to_dict() | {"promise": asdict(self.promises[k.name]) if k.name in self.promises else None} for k in self.kernels],
            "findings": [asdict(f) for f in self.findings],
        }  # fmt: skip


def audit(folder: str | Path) -> Audit:
    """Audit a design directory from the text of its kernels.

    Raises AuditError when it is not a design directory, or when the extra `audit` is not installed.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    text = "\n".join((folder / name).read_text() for name in manifest["kernels"])
    kernels = audit_text(text, manifest["style"] in COUNTS_ON_ONE)
    promises = promised(folder)
    found = [f for k in kernels for f in k.findings] + dsp_findings(kernels, promises)
    return Audit(str(folder), manifest["style"], kernels, promises, tuple(found))


def audit_text(text: str, counts_on_one: bool = True) -> tuple[KernelAudit, ...]:
    """Audit all kernels of an OpenCL text. Raises AuditError where it does not compile."""
    module, source = parse(llvm_ir(text)), read_source(text)
    return tuple(audit_kernel(Kernel(f, module, source), counts_on_one) for f in module.functions.values())


def read_manifest(folder: Path) -> dict[str, Any]:
    """A design's manifest. Raises AuditError."""
    remedy = "make one with `hlsgen build`"
    try:
        manifest = json.loads((folder / "design.json").read_text())
        absent = [name for name in manifest["kernels"] if not (folder / name).is_file()]
        manifest["style"]
    except FileNotFoundError:
        raise AuditError("is not a design directory", where=str(folder), remedy=remedy) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise AuditError("its design.json cannot be read", where=str(folder), remedy=remedy) from None
    if absent:
        raise AuditError(f"{absent[0]} is missing", where=str(folder), remedy=remedy)
    return manifest


def promised(folder: Path) -> dict[str, Promise]:
    """What the model says of each kernel of a design, as `report` shows it. Raises HlsgenError."""
    from hlsgen.boards import board
    from hlsgen.frontend.load import load
    from hlsgen.plan import Plan
    from hlsgen.report.data import built_shapes, kernel_rows
    from hlsgen.schedule.convolve import reshaped
    from hlsgen.schedule.structure import structure

    plan, graph = Plan.load(folder / "plan.json"), load(folder / "model.onnx", built_shapes(folder))
    rows = kernel_rows(structure(reshaped(graph, plan), plan), board(plan.board))
    return {row["name"]: Promise(row["copies"], row["DSP"]) for row in rows}


def dsp_findings(kernels: Sequence[KernelAudit], promises: dict[str, Promise]) -> list[Finding]:
    """Kernels that take other numbers of DSPs than the model says."""
    found = []
    for k in kernels:
        promise = promises.get(k.name)
        if promise and ceil(k.arithmetic.dsps * promise.copies) != promise.dsps:
            detail = f"{k.arithmetic.dsps * promise.copies:g} DSPs in the text, {promise.dsps} in the model"
            found.append(Finding("dsps", k.name, k.line, WARNING, detail))
    return found
