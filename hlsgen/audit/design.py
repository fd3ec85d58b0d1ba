"""The audit of a whole design directory, and what its model promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from hlsgen.audit.compiler import llvm_ir
from hlsgen.audit.distance import Distance, Prover, distance_findings
from hlsgen.audit.findings import ERROR, WARNING, Finding, KernelAudit, audit_kernel
from hlsgen.audit.geometry import Geometry, geometry_findings
from hlsgen.audit.ir import parse
from hlsgen.audit.isolated import isolated
from hlsgen.audit.kernel import Kernel
from hlsgen.audit.rules import rules
from hlsgen.audit.source import read_source
from hlsgen.audit.verdict import line, verdict
from hlsgen.errors import AuditError
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from hlsgen.host.manifest import Launch, Manifest, read_manifest
from hlsgen.style import SEARCHED


@dataclass(frozen=True)
class Promise:
    """What the model says of a kernel: copies, DSPs and units of global memory of all of them
    together, cycles between two turns, cycles that a turn takes (0: it does not say), memories."""

    copies: int
    dsps: int
    units: int
    interval: int = 1
    depth: int = 0
    memories: dict[str, Geometry] = field(default_factory=dict)


@dataclass(frozen=True)
class Audit:
    """The verdict on a design: kernels in the order of the text, what the model promised of each,
    all findings."""

    design: str
    style: str
    kernels: tuple[KernelAudit, ...]
    promises: dict[str, Promise]
    distances: tuple[Distance, ...]
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        return f"Audit({self.verdict})"

    @property
    def verdict(self) -> str:
        """One line: CLEAN, or BROKEN and by what."""
        return line(verdict(self.findings, self.interval))

    @property
    def ok(self) -> bool:
        """Whether nothing was found that breaks what the design counts on."""
        return not any(f.severity == ERROR for f in self.findings)

    @property
    def dsps(self) -> float:
        """DSPs of all kernels and their copies."""
        return sum(k.arithmetic.dsps * self.copies(k.name) for k in self.kernels)

    @property
    def interval(self) -> tuple[int, int] | None:
        """The largest initiation interval of an innermost loop of kernels of which the model counts
        on 1, as a band; None where the style counts on none."""
        if self.style not in SEARCHED:
            return None
        single = [k for k in self.kernels if allowed(k.name, self.promises) == 1]
        bands = [k.interval for k in single] or [(1, 1)]
        return max(low for low, _ in bands), max(high for _, high in bands)

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
            "kernels": [
                k.to_dict()
                | {"promise": asdict(self.promises[k.name]) if k.name in self.promises else None}
                for k in self.kernels
            ],
            "distances": [asdict(d) for d in self.distances],
            "findings": [asdict(f) for f in self.findings],
        }


def audit(folder: str | Path) -> Audit:
    """Audit a design directory from the text of its kernels.

    Raises AuditError when it is not a design directory, or when the extra `audit` is not installed.
    """
    folder = Path(folder)
    manifest = design_manifest(folder)
    text = "\n".join((folder / name).read_text() for name in manifest.kernels)
    kernels = read_kernels(text)
    promises, strict = promised(folder), manifest.style in SEARCHED
    soft = soft_adders(manifest.board)
    audited = tuple(
        audit_kernel(k, allowed(k.name, promises) if strict else None, soft) for k in kernels
    )
    found = [f for k in audited for f in k.findings] + model_findings(audited, promises, strict)
    found += pragma_findings(kernels) + channel_findings(audited)
    if strict:
        known = [k for k in audited if k.name in promises]
        found += [f for k in known for f in geometry_findings(k, promises[k.name].memories, text)]
    try:
        distances = isolated(Prover(kernels, *passed_by_host(folder, manifest)).distances)
    except AuditError as error:
        distances = []
        found.append(Finding("unproved", "", 0, WARNING, f"no distance is proved: {error.reason}"))
    limits = {
        (k.name, m.array): m.interval[1] for k in audited for loop in k.loops for m in loop.memories
    }
    found += distance_findings(distances, limits)
    return Audit(str(folder), manifest.style, audited, promises, tuple(distances), tuple(found))


def soft_adders(name: str) -> bool:
    """Whether a board's DSPs do not add floats."""
    from hlsgen.boards import board

    return board(name).device.add_dsps == 0


def read_kernels(text: str) -> list[Kernel]:
    """All kernels of an OpenCL text. Raises AuditError where it does not compile."""
    module, source = parse(llvm_ir(text)), read_source(text)
    return [Kernel(function, module, source) for function in module.functions.values()]


def allowed(kernel: str, promises: dict[str, Promise]) -> int:
    """The initiation interval that the model counts on."""
    return promises[kernel].interval if kernel in promises else 1


def audit_text(text: str) -> tuple[KernelAudit, ...]:
    """Audit all kernels of an OpenCL text that count on an interval of 1. Raises AuditError where
    it does not compile."""
    return tuple(audit_kernel(kernel, 1) for kernel in read_kernels(text))


def passed_by_host(folder: Path, manifest: Manifest) -> tuple[list[Launch], dict[str, np.ndarray]]:
    """The launches of a run as on the board, and the buffers that hold constants."""
    path = folder / manifest.weights.file
    sections = {section.name: section for section in manifest.weights.sections}
    buffers = {
        name: np.fromfile(path, s.dtype, s.elements, offset=s.offset)
        for name, buffer in manifest.buffers.items()
        if buffer.section is not None and (s := sections[buffer.section])
    }
    run = manifest.runs.get("concurrent") or manifest.runs["sequential"]
    return [*run.once, *run.ahead, *run.launches], buffers


def design_manifest(folder: Path) -> Manifest:
    """A design's manifest. Raises AuditError."""
    remedy = "make one with `hlsgen build`"
    if not (folder / "design.json").is_file():
        raise AuditError("is not a design directory", where=str(folder), remedy=remedy)
    try:
        manifest = read_manifest(folder)
    except HostError as error:
        raise AuditError(error.reason, remedy=error.remedy) from None
    for name in manifest.kernels:
        if not (folder / name).is_file():
            raise AuditError(f"{name} is missing", where=str(folder), remedy=remedy)
    return manifest


def promised(folder: Path) -> dict[str, Promise]:
    """What the model says of each kernel of a design, as `report` shows it. Raises HlsgenError."""
    from hlsgen.boards import board
    from hlsgen.design_graph import graph_of
    from hlsgen.model.pipelined_timing import initiation_interval
    from hlsgen.model.structure import structure
    from hlsgen.ops import operator
    from hlsgen.plan import Plan
    from hlsgen.report.kernels import kernel_rows
    from hlsgen.rewrites.dense_as_convolution import reshaped

    plan = Plan.load(folder / "plan.json")
    graph, target = reshaped(graph_of(HostDesign(folder)), plan), board(plan.board)
    layers = {layer.name: layer for layer in graph.layers}
    intervals = {
        kernel.layer: initiation_interval(layers[kernel.layer], graph, kernel, plan, target)
        for kernel in plan.kernels
        if kernel.layer in layers
    }
    depths = {
        kernel.layer: operator(layers[kernel.layer].op).pipeline_depth(
            layers[kernel.layer], graph, kernel
        )
        for kernel in plan.kernels
        if kernel.layer in layers
    }
    design = structure(graph, plan)
    memories = {
        kernel.name: {
            m.name: Geometry(
                m.depth * m.extent * m.bits // 8, m.extent // m.bank, m.bank_bits // 8, m.copies
            )
            for m in kernel.body.memories
            if not m.registers
        }
        for kernel in design.kernels
    }
    return {
        row["name"]: Promise(
            row["copies"],
            row["DSP"],
            row["lsus"],
            intervals.get(row["name"], 1),
            depths.get(row["name"], 0),
            memories[row["name"]],
        )
        for row in kernel_rows(design, target)
    }


def pragma_findings(kernels: Sequence[Kernel]) -> list[Finding]:
    """Promises that no loop was found for: what they say was not judged."""
    heeded = {p.line for k in kernels for loop in k.loops for p in k.source.promises(loop.line)}
    stray = [p for k in kernels[:1] for p in k.source.ivdeps if p.line not in heeded]
    return [
        Finding("pragma", "", p.line, WARNING, "no loop begins right after this ivdep")
        for p in stray
    ]


def channel_findings(kernels: Sequence[KernelAudit]) -> list[Finding]:
    """Channels that several kernels write, or several read: aoc refuses them."""
    users: dict[tuple[str, bool], list[KernelAudit]] = {}
    for k in kernels:
        for end in k.ends:
            users.setdefault((end.channel, end.write), []).append(k)
    return [
        Finding(
            "channel",
            several[1].name,
            several[1].line,
            ERROR,
            f"channel {name} is {'written' if write else 'read'} by "
            f"{' and '.join(k.name for k in several)}",
        )
        for (name, write), several in users.items()
        if len(several) > 1
    ]


def model_findings(
    kernels: Sequence[KernelAudit], promises: dict[str, Promise], strict: bool
) -> list[Finding]:
    """Kernels that take other numbers of DSPs than the model says, or (`strict`) of units of global
    memory, or that one of both lacks."""
    found = []
    for k in kernels:
        promise = promises.get(k.name)
        if promise is None:
            found.append(Finding("model", k.name, k.line, WARNING, "the model has no such kernel"))
            continue
        dsps, units = k.arithmetic.dsps * promise.copies, len(k.units) * promise.copies
        if ceil(dsps) != promise.dsps:
            detail = f"{dsps:g} DSPs in the text, {promise.dsps} in the model"
            found.append(Finding("dsps", k.name, k.line, WARNING, detail))
        if strict and units != promise.units:
            detail = f"{units} units of global memory in the text, {promise.units} in the model"
            found.append(Finding("units", k.name, k.line, WARNING, detail))
        if k.depth and promise.depth and strict and not plausible(promise.depth, k.depth):
            detail = (
                f"a turn takes {k.depth[0]:g} to {k.depth[1]:g} cycles, {promise.depth} in the "
                "model"
            )
            found.append(Finding("depth", k.name, k.line, WARNING, detail))
    lacking = sorted(promises.keys() - {k.name for k in kernels})
    return found + [
        Finding("model", name, 0, WARNING, "the text has no such kernel") for name in lacking
    ]


def plausible(counted: int, depth: tuple[float, float]) -> bool:
    """Whether the cycles that the model counts for a turn lie in the audit's band, or near it."""
    near: float = rules()["depth_tolerance"]
    return depth[0] - near <= counted <= depth[1] + near
