"""Reads a design directory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from .errors import HostError
from .finite import check_exact, check_finite
from .hashes import compiled_from, design_identity, file_hash
from .manifest import Run, Value, read_manifest
from .network import Network

REMEDY = "build the design again"
# Name, inode, bytes and date of each file.
Stamp = tuple[tuple[str, int, int, int], ...]


class HostDesign:
    """A design directory: manifest, kernel text, constant buffers."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.manifest = read_manifest(self.path)
        self.check_parts()
        weights, size = self.path / self.manifest.weights.file, self.manifest.weights.bytes
        if not weights.is_file() or weights.stat().st_size != size:
            raise HostError(f"{path}: weights is missing or not {size} bytes long", remedy=REMEDY)
        self.check_unaltered(self.manifest.weights.file)
        self.sections = {section.name: section for section in self.manifest.weights.sections}
        self.stamp = self.current_stamp()

    def check_parts(self) -> None:
        """Raise HostError where a kernel file or a model that the host runs is missing, or such a
        model is not that of the build."""
        models = self.manifest.cut.files if self.manifest.cut else ()
        for name in (*self.manifest.kernels, *models):
            if not (self.path / name).is_file():
                raise HostError(f"{self.path}: {name} is missing", remedy=REMEDY)
        self.check_unaltered(*models)

    def check_unaltered(self, *names: str) -> None:
        """Raise HostError for a file that is not that of the build."""
        for name in names:
            if self.differs(name):
                raise HostError(
                    f"{self.path}: {name} is not what build wrote (SHA-256)", remedy=REMEDY
                )

    def differs(self, name: str) -> bool:
        """Whether a file is not the one of the build. Of designs of earlier builds, which name no
        hashes, none is."""
        known = self.manifest.sha256.get(name)
        return known is not None and file_hash(self.path / name) != known

    @property
    def edited(self) -> tuple[str, ...]:
        """The kernel files that were edited since the build."""
        return tuple(name for name in self.manifest.kernels if self.differs(name))

    @property
    def identity(self) -> str:
        """A hash of all that decides what the design computes: the manifest, which names the
        weights' hash, and the kernels as they are now."""
        return design_identity(self.path)

    def check_bitstream(self, image: Path) -> None:
        """Raise HostError for a bitstream that was compiled from other sources than those that lie
        here now."""
        for name, known in compiled_from(image).items():
            if not (self.path / name).is_file() or file_hash(self.path / name) != known:
                raise HostError(
                    f"{image} was compiled from another {name}",
                    remedy="run `make hardware` in the design directory again",
                )

    @property
    def source(self) -> str:
        """The OpenCL text of all kernel files."""
        return "\n".join((self.path / name).read_text() for name in self.manifest.kernels)

    @property
    def work(self) -> float:
        """Multiply-accumulates of an image; infinite in designs of earlier builds, which do not
        tell."""
        work = self.manifest.multiply_accumulates
        return float("inf") if work is None else work

    def section(self, name: str) -> np.ndarray:
        """A section of the weights file, read from disk."""
        s = self.sections[name]
        return np.fromfile(
            self.path / self.manifest.weights.file, s.dtype, s.elements, offset=s.offset
        )

    def unchanged(self) -> bool:
        """Whether the files are still those that were read: nobody has built, compiled or edited
        the design since."""
        try:
            return self.stamp == self.current_stamp()
        except OSError:
            return False

    def current_stamp(self) -> Stamp:
        """Which files there are, with what tells another version of each."""
        own = ("design.json", *self.manifest.kernels, self.manifest.weights.file)
        files = (*(self.path / name for name in own), *sorted(self.path.glob("bin/*")))
        stats = ((str(path), path.stat()) for path in files)
        return tuple((name, s.st_ino, s.st_size, s.st_mtime_ns) for name, s in stats)

    def run(self, mode: str) -> Run:
        """The launches of a mode, "sequential" or "concurrent". Raises HostError where the design
        lacks it."""
        runs = self.manifest.runs
        if mode not in runs:
            raise HostError(
                f"the design has no {mode} mode (it runs one kernel after another)",
                remedy="validate it without --strict",
            )
        return runs[mode]

    @cached_property
    def network(self) -> Network | None:
        """The network of which the design is a part; None where it is all of it. Raises HostError
        where the host cannot run the rest."""
        cut = self.manifest.cut
        return None if cut is None else Network(self.path, self.manifest, cut)

    def given(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the design itself is given where these are the network's inputs."""
        network = self.network
        return network.design_inputs(network.before(inputs)) if network else inputs

    def check_inputs(self, inputs: dict[str, np.ndarray]) -> int:
        """Check names, dtypes, shapes `(images, ...)` and values of the network's inputs and return
        the number of images. Raises HostError."""
        count = check_arrays(inputs, self.manifest.network_inputs)
        if self.manifest.cut is None:
            check_exact(inputs)
        return count

    def check_design_inputs(self, inputs: dict[str, np.ndarray]) -> int:
        """The same for what the design itself is given."""
        count = check_arrays(inputs, self.manifest.inputs)
        check_exact(inputs)
        return count


def check_arrays(inputs: dict[str, np.ndarray], ports: Sequence[Value]) -> int:
    """Check names, dtypes, shapes `(images, ...)` of arrays, and that they are finite. Returns the
    number of images. Raises HostError."""
    expected = {port.name: port for port in ports}
    counts = set()
    if set(inputs) != set(expected):
        raise HostError(
            f"inputs {sorted(inputs)} given, {sorted(expected)} needed",
            remedy="name the arrays after the inputs",
        )
    for name, port in expected.items():
        array, shape = inputs[name], port.shape
        if array.dtype != np.dtype(port.dtype):
            raise HostError(
                f"input {name} is of type {array.dtype}, the network needs {port.dtype}",
                remedy=f"convert it with .astype('{port.dtype}')",
            )
        if array.ndim != len(shape) or list(array.shape[1:]) != list(shape[1:]) or not len(array):
            wanted = ", ".join(["N", *map(str, shape[1:])])
            raise HostError(
                f"input {name} has shape {list(array.shape)}, the network needs [{wanted}]",
                remedy="reshape it; N is the number of images",
            )
        counts.add(len(array))
    if len(counts) > 1:
        raise HostError(f"inputs hold different numbers of images: {sorted(counts)}")
    check_finite(inputs)
    return counts.pop()
