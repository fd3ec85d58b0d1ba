"""Writes a system: a design directory a board, the network's model beside them, and `system.json`,
all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from hlsgen.codegen.generate import check_target, generate, model_bytes
from hlsgen.codegen.place import placed
from hlsgen.graph import Graph, Port
from hlsgen.host.hashes import SYSTEM as SYSTEM_FILE
from hlsgen.host.hashes import file_hash
from hlsgen.host.manifest import Manifest, Value, read_manifest
from hlsgen.host.system import SCHEMA, BoardEntry, LinkEntry, System
from hlsgen.model.calibration import Calibration
from hlsgen.system.search import SystemPlan
from hlsgen.version import __version__

MODEL = "model.onnx"


def generate_system(
    graph: Graph,
    plan: SystemPlan,
    out: str | Path,
    finish: Callable[[int, Path], None] | None = None,
    calibration: Calibration | None = None,
) -> str:
    """Write the system of a planned network to the directory `out`. `finish` adds what it wants to
    the directory of each board, by its number; `calibration` is that by which it was planned. An
    earlier system there is replaced when the new one is complete. Returns the name of the folder in
    it that holds what aoc made of earlier kernels, "" if there is none. Raises OutputError."""
    check_target(Path(out))

    def write(folder: Path) -> None:
        manifests = write_boards(plan, folder, finish, calibration)
        found = system_manifest(graph, plan, manifests, write_models(graph, folder))
        (folder / SYSTEM_FILE).write_text(found.to_json())

    return placed(Path(out), write)


def directory(number: int) -> str:
    """The design directory of a board, by its number from 0 on."""
    return f"board_{number + 1}"


def write_boards(
    plan: SystemPlan,
    folder: Path,
    finish: Callable[[int, Path], None] | None,
    calibration: Calibration | None,
) -> list[Manifest]:
    """Write the design of every board. Returns their manifests."""
    found = []
    for number, (part, own) in enumerate(zip(plan.graphs, plan.plans, strict=True)):
        place = folder / directory(number)
        generate(
            part, own, place, partial(finish, number) if finish else None, calibration, part=True
        )
        found.append(read_manifest(place))
    return found


def write_models(graph: Graph, folder: Path) -> dict[str, str]:
    """Write the network's model, and those of what the host computes. Returns their hashes."""
    models = {MODEL: graph.model}
    if graph.host_parts is not None:
        cut = graph.host_parts.cut
        models |= {cut.head: graph.host_parts.head} if cut.head else {}
        models |= {cut.tail: graph.host_parts.tail} if cut.tail else {}
    for name, model in models.items():
        (folder / name).write_bytes(model_bytes(model))
    return {name: file_hash(folder / name) for name in models}


def system_manifest(
    graph: Graph, plan: SystemPlan, boards: list[Manifest], hashes: dict[str, str]
) -> System:
    """The content of system.json."""
    places = [directory(number) for number in range(len(boards))]
    own = [f"{p}/{name}" for p, b in zip(places, boards, strict=True) for name in b.files]
    starts = (0, *plan.ends[:-1])
    entries = zip(places, boards, starts, plan.ends, strict=True)
    return System(
        schema=SCHEMA,
        generator=f"hlsgen {__version__}",
        name=graph.name,
        topology=plan.topology.name,
        copies=plan.copies,
        files=tuple(sorted([*own, *hashes, SYSTEM_FILE])),
        boards=tuple(BoardEntry(p, b.board, first, end) for p, b, first, end in entries),
        links=tuple(link_entry(plan, boards, number) for number in range(len(boards) - 1)),
        inputs=tuple(map(value, graph.inputs)),
        outputs=tuple(map(value, graph.outputs)),
        cut=graph.host_parts.cut if graph.host_parts else None,
        sha256=hashes,
    )


def value(port: Port) -> Value:
    """An input or output of the system."""
    return Value(port.name, tuple(port.image_shape), tuple(port.view.value_shape), port.dtype)


def link_entry(plan: SystemPlan, boards: list[Manifest], writer: int) -> LinkEntry:
    """The link from a board to the next."""
    leaving, arriving = plan.plans[writer].leaving, plan.plans[writer + 1].arriving
    assert leaving and arriving
    end = next(link for link in boards[writer].links if link.channels == leaving.channels)
    return LinkEntry(
        writer,
        tuple(zip(leaving.channels, arriving.channels, strict=True)),
        leaving.bits,
        end.bytes,
        leaving.tensors,
        arriving.depth,
    )
