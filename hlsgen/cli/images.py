"""Input images for `validate` and `run`: from files, or random."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError


def random_images(design: HostDesign, count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """`count` images for every input, `(count, ...)`: standard normal numbers, of integers those
    that a byte holds."""
    random = np.random.default_rng(seed)
    return {
        port.name: random_values(random, (count, *port.shape[1:]), port.dtype)
        for port in design.manifest.inputs
    }


def random_values(random: np.random.Generator, shape: tuple[int, ...], name: str) -> np.ndarray:
    """An array of numpy's type `name`."""
    dtype = np.dtype(name)
    if dtype.kind == "f":
        return random.standard_normal(shape, dtype=np.float32)
    if dtype.kind == "b":
        return random.integers(0, 2, shape).astype(dtype)
    return random.integers(0, min(256, int(np.iinfo(dtype).max) + 1), shape, dtype)


def read_images(design: HostDesign, name: str) -> dict[str, np.ndarray]:
    """Arrays `(images, ...)` from an .npz file (named after the inputs) or, for one input, an .npy
    file.

    Raises HostError for unreadable files, and for names, shapes and dtypes that do not fit.
    """
    path = Path(name)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
        elif path.suffix == ".npy":
            ports = design.manifest.inputs
            if len(ports) != 1:
                raise HostError(
                    f"{name}: the network has {len(ports)} inputs", remedy="give an .npz file"
                )
            arrays = {ports[0].name: np.load(path, allow_pickle=False)}
        else:
            raise HostError(
                f"{name}: not an .npz or .npy file",
                remedy="save images with numpy.savez or numpy.save",
            )
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise HostError(
            f"{name}: cannot be read ({error})", remedy="save images with numpy.savez or numpy.save"
        ) from None
    design.check_inputs(arrays)
    return arrays
