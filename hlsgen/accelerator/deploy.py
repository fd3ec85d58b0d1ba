"""One archive for the machine with the board: the design, its host, references, a script."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

import hlsgen.host
from hlsgen.boards import board as find_board
from hlsgen.codegen.render import render
from hlsgen.errors import OutputError
from hlsgen.files import Scratch
from hlsgen.host.bench import PREDICTION, Prediction
from hlsgen.host.design import HostDesign
from hlsgen.host.files import whole
from hlsgen.host.hashes import SOURCES
from hlsgen.host.images import Tensors
from hlsgen.host.pictures import Preparation
from hlsgen.host.reference import save_reference
from hlsgen.host.system import SystemDesign
from hlsgen.validation import Reference
from hlsgen.version import __version__
from hlsgen.words import counted

SUFFIXES = (".tar.gz", ".tgz", ".zip")
REQUIREMENTS = ("numpy>=1.24", "pyopencl>=2024.1")
# What runs the rest of a network of which the design is a part.
REST = "onnxruntime>=1.17"
# What the processes of a system on several nodes talk through.
RANKS = "mpi4py>=3.1"
# As many 520N as the nodes of the known clusters have.
BOARDS_A_NODE = 2
# The files of the host.
HOST = ("*.py", "cpp/*.cpp", "cpp/*.hpp", "cpp/*.h", "cpp/Makefile")
# Contents by name in the archive, or files that hold them.
Members = Mapping[str, "bytes | Path"]


def suffix_of(archive: Path) -> str:
    """How an archive's name ends. Raises OutputError for no kind of archive."""
    for suffix in SUFFIXES:
        if archive.name.endswith(suffix) and archive.name != suffix:
            return suffix
    raise OutputError(
        "is no name of an archive",
        where=f"-o {archive}",
        remedy=f"use one that ends in {', '.join(SUFFIXES)}",
    )


def deploy(
    design: HostDesign,
    archive: Path,
    inputs: Tensors,
    prediction: Prediction,
    labels: Path | None = None,
    preparation: Preparation | None = None,
) -> None:
    """Write the archive: same input, same bytes. What it holds lies in a folder of the archive's
    name.

    `inputs` `(images, ...)` are the reference's. Raises OutputError, HostError.
    """
    suffix = suffix_of(archive)
    members: dict[str, bytes | Path] = design_members(design) | host_members()
    needed = [*REQUIREMENTS, *([REST] if design.manifest.cut else [])]
    if isinstance(design, SystemDesign):
        needed.append(RANKS)
        members |= system_members(design, inputs)
    members["requirements.txt"] = "".join(f"{line}\n" for line in needed).encode()
    members[f"design/{PREDICTION}"] = prediction.to_json().encode()
    with Scratch() as folder:
        stored = Path(folder) / "reference.npz"
        tensors = (layer.tensor for layer in design.manifest.layers)
        save_reference(stored, inputs, Reference(design, inputs), tensors)
        members["reference.npz"] = stored
        if labels is not None:
            members["labels.txt"] = labels
        if preparation is not None:
            text = json.dumps(asdict(preparation), indent=1) + "\n"
            members["preparation.json"] = text.encode()
        count = len(next(iter(inputs.values())))
        members["README.md"] = readme(design, members, count, prediction).encode()
        root = archive.name[: -len(suffix)]
        write = write_zip if suffix == ".zip" else write_tar
        try:
            with whole(archive) as place:
                write(place, {f"{root}/{name}": members[name] for name in sorted(members)})
        except OSError as error:
            raise OutputError(
                f"cannot be written ({error.strerror})", where=f"-o {archive}"
            ) from None


def design_members(design: HostDesign) -> dict[str, bytes | Path]:
    """The design's files, and the compiled one with the note of its sources where there is one."""
    places = design.system.boards if isinstance(design, SystemDesign) else ()
    folders = [Path(entry.directory) for entry in places] or [Path()]
    images = [
        path.relative_to(design.path)
        for f in folders
        for path in (design.path / f).glob("bin/*.aocx*")
    ]
    compiled = [str(name) for name in images if name.name.endswith((".aocx", ".aocx" + SOURCES))]
    return {f"design/{name}": design.path / name for name in (*design.manifest.files, *compiled)}


def system_members(design: SystemDesign, inputs: Tensors) -> dict[str, bytes | Path]:
    """What starts a process a board, and the images that it takes."""
    arrays = io.BytesIO()
    np.savez(arrays, allow_pickle=False, **inputs)
    text = render("deploy/system.slurm.j2", **in_texts(design), a_node=BOARDS_A_NODE)
    return {"system.slurm": f"{text}\n".encode(), "inputs.npz": arrays.getvalue()}


def in_texts(design: SystemDesign) -> dict[str, Any]:
    """What texts say of a system."""
    system = design.system
    return {
        "name": system.name,
        "boards": system.boards,
        "links": system.links,
        "copies": system.copies,
    }


def host_members() -> dict[str, bytes | Path]:
    """The host and the script."""
    folder = Path(hlsgen.host.__file__).parent
    files = [path for pattern in HOST for path in folder.glob(pattern)]
    script = resources.files("hlsgen.templates.deploy") / "run.py"
    return {
        **{f"host/{path.relative_to(folder)}": path for path in files},
        "run.py": script.read_bytes(),
    }


def readme(design: HostDesign, members: Members, images: int, prediction: Prediction) -> str:
    """What is in the archive and how it is used."""
    predicted = (
        f"{prediction.throughput:,.0f} images a second, {prediction.low:,.0f} to "
        f"{prediction.high:,.0f}"
    )
    own = {"version": __version__, "images": counted(images, "image"), "prediction": predicted}
    if isinstance(design, SystemDesign):
        return render("deploy/SYSTEM.md.j2", **in_texts(design), **own) + "\n"
    manifest = design.manifest
    target = find_board(manifest.board)
    text = render(
        "deploy/README.md.j2",
        name=manifest.name,
        kernel=manifest.name,
        board=target.title,
        aoc_board=target.aoc_board,
        style=manifest.style,
        labels="labels.txt" in members,
        preparation="preparation.json" in members,
        cut=manifest.cut is not None,
        compiled=f"design/bin/{manifest.name}.aocx" in members,
        **own,
    )
    return text + "\n"


def content(member: bytes | Path) -> bytes:
    """The bytes of a member."""
    return member.read_bytes() if isinstance(member, Path) else member


def write_tar(archive: Path, members: Members) -> None:
    """A gzipped tar archive without dates and owners."""
    with (
        open(archive, "wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, member in members.items():
            data = content(member)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def write_zip(archive: Path, members: Members) -> None:
    """A zip archive without dates."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, member in members.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, content(member), zipfile.ZIP_DEFLATED)
