"""What a design should compute, as a file: inputs `input/NAME`, and for image I the layers
`tensor/I/NAME` and the network's outputs `output/I/NAME`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .archive import load_arrays, save_arrays
from .errors import HostError
from .validation import Reference, Tensors


@dataclass(frozen=True)
class StoredReference:
    """Inputs `(images, ...)`, and what the layers and the network give for each image of them."""

    arrays: Tensors

    @property
    def inputs(self) -> Tensors:
        """The inputs by name, `(images, ...)`."""
        return self.part("input/")

    @property
    def outputs(self) -> Tensors:
        """The network's outputs by name, `(images, ...)`."""
        each = [self.part(f"output/{image}/") for image in range(self.images)]
        return {name: np.concatenate([one[name] for one in each]) for name in each[0]}

    @property
    def images(self) -> int:
        """How many images there are."""
        return len(next(iter(self.inputs.values())))

    def part(self, prefix: str) -> Tensors:
        """The arrays whose names begin so, by the rest of their names."""
        return {
            name[len(prefix) :]: array
            for name, array in self.arrays.items()
            if name.startswith(prefix)
        }

    def __call__(self, image: int) -> tuple[Tensors, Tensors]:
        """The layers of an image by tensor name, and the network's outputs by name."""
        return self.part(f"tensor/{image}/"), self.part(f"output/{image}/")


def read_reference(path: str | Path) -> StoredReference:
    """The reference in an .npz file. Raises HostError."""
    found = StoredReference(load_arrays(path))
    if not found.inputs:
        raise HostError(
            f"{path}: holds no reference", remedy="make one with `hlsgen reference DIR`"
        )
    return found


def save_reference(
    path: str | Path, inputs: Tensors, reference: Reference, tensors: Iterable[str]
) -> None:
    """Store inputs, and for each image of them the network's outputs and some `tensors`."""
    arrays, wanted = {f"input/{name}": array for name, array in inputs.items()}, set(tensors)
    for image in range(len(next(iter(inputs.values())))):
        layers, outputs = reference(image)
        arrays |= {
            f"tensor/{image}/{name}": array for name, array in layers.items() if name in wanted
        }
        arrays |= {f"output/{image}/{name}": array for name, array in outputs.items()}
    save_arrays(path, arrays)
