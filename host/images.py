"""Inputs of a design: files of users (arrays, pictures, folders of pictures), or random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .archive import load_arrays
from .design import HostDesign
from .errors import HostError
from .manifest import Value
from .pictures import PLAIN, Preparation, channels_first, is_picture, prepared, read_picture

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Images:
    """Arrays `(images, ...)` float32 by the inputs' names, and what each image is called."""

    inputs: Tensors
    names: tuple[str, ...]


def read_images(
    design: HostDesign, files: Sequence[str], preparation: Preparation = PLAIN
) -> Images:
    """Read an .npz file (named after the inputs), or for one input .npy files, pictures and folders
    of pictures. Bytes are prepared, as pictures are; floating-point numbers are rounded to float32.
    Arrays may hold one image alone, and channels last.

    Raises HostError for unreadable files, and for names, shapes and types that do not fit.
    """
    ports, parts = design.manifest.network_inputs, []
    paths = [path for name in files for path in listed(Path(name))]
    if len(paths) == 1 and paths[0].suffix == ".npz":
        parts = [read_npz(paths[0], ports, preparation)]
    elif len(ports) != 1:
        raise HostError(
            f"{files[0]}: the network has {len(ports)} inputs", remedy="give one .npz file"
        )
    else:
        parts = [{ports[0].name: read_one(path, ports[0], preparation)} for path in paths]
    counts = [design.check_inputs(part) for part in parts]
    inputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    names = [
        path.name if count == 1 else f"{path.name} {index}"
        for path, count in zip(paths, counts, strict=True)
        for index in range(count)
    ]
    return Images(inputs, tuple(names))


def listed(path: Path) -> list[Path]:
    """A file, or the pictures of a folder and of those in it. Raises HostError."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if is_picture(file))
    if not found:
        raise HostError(f"{path}: there are no pictures in this folder")
    return found


def read_npz(path: Path, ports: Sequence[Value], preparation: Preparation) -> Tensors:
    """The arrays of an .npz file. Raises HostError."""
    arrays = load_arrays(path)
    known = {port.name: port for port in ports}
    return {
        name: shaped(array, known[name], preparation) if name in known else array
        for name, array in arrays.items()
    }


def read_one(path: Path, port: Value, preparation: Preparation) -> np.ndarray:
    """The images of one file, `(images, ...)`. Raises HostError."""
    if is_picture(path):
        if len(port.shape) != 4:
            raise HostError(f"{path}: the network takes no pictures, but {list(port.shape)}")
        picture = read_picture(path, port.shape, preparation.side(port.shape))
        if port.dtype == "uint8":
            last = channels_first(port.shape) != port.shape
            return (np.moveaxis(picture, 0, -1) if last else picture)[None]
        return prepared(picture[None], port.shape, preparation)
    if path.suffix != ".npy":
        raise HostError(
            f"{path}: neither an array nor a picture",
            remedy="give an .npz or .npy file, PNG or JPEG pictures, or a folder of them",
        )
    try:
        return shaped(np.load(path, allow_pickle=False), port, preparation)
    except (OSError, ValueError, EOFError) as error:
        raise HostError(
            f"{path}: cannot be read ({error})", remedy="save images with numpy.save"
        ) from None


def shaped(array: np.ndarray, port: Value, preparation: Preparation) -> np.ndarray:
    """An array with the images in front and channels before rows where it holds them otherwise,
    bytes prepared; one that does not fit at all is left as it is, to be refused."""
    image = port.shape[1:]
    last = (*image[1:], *image[:1])
    if array.shape in (image, last):
        array = array[None]
    if len(image) == 3 and array.shape[1:] == last != image:
        array = np.moveaxis(array, -1, 1)
    if array.dtype == np.uint8 and port.dtype == "float32" and array.shape[1:] == image:
        return prepared(array, port.shape, preparation)
    return np.ascontiguousarray(array, np.float32 if array.dtype.kind == "f" else None)


def read_labels(path: Path) -> list[str]:
    """The names of classes, a line each. Raises HostError."""
    try:
        return [line.strip() for line in path.read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise HostError(f"{path}: cannot be read ({error})") from None


def random_images(design: HostDesign, count: int, seed: int = 0) -> Tensors:
    """`count` images for every input, `(count, ...)`: standard normal numbers, of integers those
    that a byte holds."""
    random = np.random.default_rng(seed)
    return {
        port.name: random_values(random, (count, *port.shape[1:]), port.dtype)
        for port in design.manifest.network_inputs
    }


def random_values(random: np.random.Generator, shape: tuple[int, ...], name: str) -> np.ndarray:
    """An array of numpy's type `name`."""
    dtype = np.dtype(name)
    if dtype.kind == "f":
        return random.standard_normal(shape, dtype=np.float32)
    if dtype.kind == "b":
        return random.integers(0, 2, shape).astype(dtype)
    return random.integers(0, min(256, int(np.iinfo(dtype).max) + 1), shape, dtype)
