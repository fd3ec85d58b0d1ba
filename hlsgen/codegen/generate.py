"""`generate`: writes a design directory, all of it or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from hlsgen.boards import Board, older
from hlsgen.boards import board as find_board
from hlsgen.codegen.design import Generated
from hlsgen.codegen.folded import generate_folded
from hlsgen.codegen.hybrid import generate_hybrid
from hlsgen.codegen.layered import generate_layered
from hlsgen.codegen.pipelined import generate_pipelined
from hlsgen.codegen.place import own_files, placed
from hlsgen.codegen.render import render
from hlsgen.errors import OutputError
from hlsgen.graph import Graph
from hlsgen.host.hashes import file_hash
from hlsgen.host.manifest import SCHEMA, Manifest, check, read_manifest
from hlsgen.host.manifest import Weights as WeightsEntry
from hlsgen.model.calibration import Calibration, default_calibration
from hlsgen.model.weight_banks import apart, weight_banks
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.rewrites.weight_storage import with_storage
from hlsgen.style import STYLES
from hlsgen.types import FLOAT32
from hlsgen.version import __version__

# Emulators reassociate and contract as aoc does (`aoc_flags`), and no more than that:
# -cl-fast-relaxed-math would also take exp, log and pow with 13 bits (off by 1.4e-4), and turn 1 /
# 0 into NaN.
RELAXED_EMULATION = ("-cl-unsafe-math-optimizations",)
# The first version of aoc whose reports take -ffp-reassoc in place of -fp-relaxed.
REASSOCIATION = (21, 2)
# Before this version there is only the legacy emulator; later the fast one is the default.
FAST_EMULATOR = (19, 1)
GENERATORS = {
    "pipelined": generate_pipelined,
    "folded": generate_folded,
    "hybrid": generate_hybrid,
    "layered": generate_layered,
    "base": generate_layered,
}


@dataclass(frozen=True)
class Design:
    """A design directory on disk: its path and its manifest (the content of design.json).

    `set_aside` names the folder in it that holds what aoc made of earlier kernels, "" if nothing
    had to go there.
    """

    path: Path
    manifest: Manifest
    set_aside: str = ""

    @property
    def source(self) -> str:
        """The OpenCL text."""
        return (self.path / self.manifest.kernels[0]).read_text()


def generate(
    graph: Graph,
    plan: Plan,
    out: str | Path,
    finish: Callable[[Path], None] | None = None,
    calibration: Calibration | None = None,
    part: bool = False,
) -> Design:
    """Write the design of a planned network to the directory `out`.

    `finish` adds what it wants to the new directory before that is put in place. The manifest holds
    a hash of the `calibration` by which the plan was found (hlsgen's own without one). A `part` of
    a system is the design of one of its boards: the network's model lies above it. An earlier
    design there is replaced only when the new one is complete; files that are not of the design
    stay, but what aoc compiled from other kernels is put aside (`Design.set_aside`). Raises
    OutputError when the directory cannot be written or holds something else.
    """
    out, graph = Path(out), with_storage(graph, plan.weights)
    check_target(out)
    target = find_board(plan.board)
    generated = GENERATORS[plan.style](graph, plan, target)
    beside = {"board": target, "calibration": calibration or default_calibration()}
    hashes = {name: hashlib.sha256(repr(v).encode()).hexdigest() for name, v in beside.items()}
    manifest = replace(design_manifest(graph, plan, generated, part), sha256=hashes)

    def write(folder: Path) -> None:
        nonlocal manifest
        manifest = write_files(folder, graph, plan, target, generated, manifest)
        if finish is not None:
            finish(folder)

    set_aside = placed(out, write)
    return Design(out, manifest, set_aside)


def check_target(out: Path) -> None:
    """Raise OutputError unless `out` is new, an empty directory, or an earlier design."""
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputError("is a file", where=f"--out {out}", remedy="name a directory")
    if any(out.iterdir()) and own_files(out) is None:
        raise OutputError(
            "is not empty and holds no design of hlsgen's",
            where=f"--out {out}",
            remedy="name a new directory, nothing there was changed",
        )


def design_manifest(graph: Graph, plan: Plan, generated: Generated, part: bool = False) -> Manifest:
    """The content of design.json: all that the host needs to know. Documented in
    docs/design-directory.md."""
    text = f"kernels/{graph.name}.cl"
    cut = graph.host_parts.cut if graph.host_parts else None
    parts = cut.files if cut else ()
    own = ("Makefile", "design.json", "plan.json", "weights", text, *parts)
    found = Manifest(
        schema=SCHEMA,
        generator=f"hlsgen {__version__}",
        name=graph.name,
        board=plan.board,
        style=plan.style,
        dtype=FLOAT32.name,
        files=tuple(sorted(own if part else (*own, "model.onnx"))),
        kernels=(text,),
        options=RELAXED_EMULATION if relaxes(graph, plan) else (),
        weights=WeightsEntry(
            "weights", generated.weights.size, tuple(generated.weights.sections), plan.weights
        ),
        buffers=generated.buffers,
        inputs=tuple(generated.inputs),
        outputs=tuple(generated.outputs),
        layers=tuple(generated.layers),
        images=plan.images,
        multiply_accumulates=sum(
            operator(layer.op).work(layer, graph).macs for layer in graph.layers
        ),
        batched=STYLES[plan.style].any_batch,
        runs=generated.runs,
        step_fields=generated.step_fields,
        cut=cut,
        part=part,
        links=generated.links,
    )
    check(found)
    return found


def relaxes(graph: Graph, plan: Plan) -> bool:
    """Whether compilers may reassociate and contract. Not where integers come of float32: they
    equal onnxruntime's only if every rounding is where it is."""
    return plan.enabled("relaxed_fp") and not graph.integers


def aoc_flags(board: Board, graph: Graph, plan: Plan) -> list[str]:
    """Command-line flags of aoc for the board's SDK version. Memory whose banks have readers of
    their own is not interleaved.

    Reassociation and contraction are -fp-relaxed and -fpc before 21.2, -ffp-reassoc and
    -ffp-contract=fast from there on (docs/aoc-rules.md).
    """
    apart_flags = ["-no-interleaving=default"] if apart(weight_banks(graph, plan), board) else []
    return apart_flags + arithmetic_flags(board, graph, plan)


def arithmetic_flags(board: Board, graph: Graph, plan: Plan) -> list[str]:
    """Those that let the compiler reassociate and contract."""
    if not relaxes(graph, plan):
        return []
    if older(board.sdk, REASSOCIATION):
        return ["-fp-relaxed", "-fpc"]
    return ["-ffp-reassoc", "-ffp-contract=fast"]


def write_files(
    folder: Path, graph: Graph, plan: Plan, board: Board, generated: Generated, manifest: Manifest
) -> Manifest:
    """Write every file of the design into an empty folder. Returns the manifest with their
    hashes."""
    (folder / "kernels").mkdir()
    (folder / "kernels" / f"{graph.name}.cl").write_text(generated.source + "\n")
    with open(folder / "weights", "wb") as file:
        file.writelines(generated.weights.chunks)
    generated.weights.chunks.clear()  # large networks: the model's own text comes next
    plan.save(folder / "plan.json")
    if not manifest.part:
        (folder / "model.onnx").write_bytes(model_bytes(graph.model))
    if graph.host_parts is not None:
        parts, cut = graph.host_parts, graph.host_parts.cut
        for name, part in ((cut.head, parts.head), (cut.tail, parts.tail)):
            if name is not None:
                (folder / name).write_bytes(model_bytes(part))
    makefile = render(
        "Makefile.j2",
        name=graph.name,
        board=board,
        flags=aoc_flags(board, graph, plan),
        emulator_flag="-board=$(call quoted,$(BOARD)) " if older(board.sdk, FAST_EMULATOR) else "",
    )
    (folder / "Makefile").write_text(makefile + "\n")
    hashes = {name: file_hash(folder / name) for name in manifest.files if name != "design.json"}
    hashed = replace(manifest, sha256={**manifest.sha256, **hashes})
    (folder / "design.json").write_text(hashed.to_json())
    return read_manifest(folder)


def model_bytes(model: onnx.ModelProto | None) -> bytes:
    """The ONNX model as one deterministic string of bytes. Raises OutputError beyond protobuf's 2
    GB."""
    if model is None:
        return b""
    try:
        content: bytes = model.SerializeToString(deterministic=True)
        return content
    except ValueError:
        raise OutputError(
            "is larger than the 2 GB of one ONNX file",
            where="model",
            remedy="use a smaller network",
        ) from None
