"""Labelled pictures of a user: an image folder with a subfolder a class, idx files, or an .npz file; prepared as the network wants them."""

from __future__ import annotations

import gzip
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hlsgen.errors import ModelError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}


@dataclass(frozen=True)
class Preparation:
    """How pictures become inputs: pixels divided by `scale`, less `mean`, divided by `deviation` (one number, or one a channel); for
    image folders the shorter side resized to `resize` and the middle cut out to the network's size."""

    scale: float = 255.0
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    resize: int = 0


@dataclass(frozen=True)
class Pictures:
    """Inputs `(N, ...)` float32 as the network takes them, and labels (N,) or None."""

    inputs: np.ndarray
    labels: np.ndarray | None


def read_pictures(path: str | Path, shape: tuple[int, ...], preparation: Preparation = Preparation()) -> Pictures:
    """Read pictures for an input of `shape`, whose first axis is the images. Raises ModelError for what does not fit.

    An .npz file holds `input` (ready as it is, float32) or `images` (uint8, prepared here), and perhaps `labels`. A directory holds
    either *images-idx3-ubyte(.gz) and *labels-idx1-ubyte(.gz), or a subfolder of pictures a class, classes in the order of their names.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(path.glob("*images-idx3-ubyte*"))
        found = idx_files(files[0], path) if files else image_folder(path, shape, preparation)
    elif path.suffix == ".npz":
        found = npz_file(path)
    else:
        raise ModelError(
            "is neither a directory nor an .npz file", where=f"--data {path}", remedy="see docs/sparsification.md"
        )
    images, labels = found
    if images.dtype == np.uint8:
        images = prepared(images, shape, preparation)
    if images.shape[1:] != tuple(shape[1:]):
        raise ModelError(
            f"pictures are {list(images.shape[1:])}, the network takes {list(shape[1:])}",
            where=f"--data {path}",
            remedy="prepare them to that shape",
        )
    if labels is not None and len(labels) != len(images):
        raise ModelError(f"{len(labels)} labels for {len(images)} pictures", where=f"--data {path}")
    return Pictures(np.ascontiguousarray(images, np.float32), labels)


def npz_file(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Arrays of an .npz file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"cannot be read ({error})", where=f"--data {path}") from None
    images = next((arrays[name] for name in ("input", "images") if name in arrays), None)
    if images is None or not len(images):
        raise ModelError("holds no array called input or images", where=f"--data {path}")
    labels = arrays.get("labels")
    if labels is not None and (labels.ndim != 1 or labels.dtype.kind not in "iu"):
        raise ModelError("its labels are not one whole number a picture", where=f"--data {path}")
    return images, labels


def idx_files(images: Path, folder: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """MNIST's format; the labels of the same set, by name."""
    labels = folder / images.name.replace("images-idx3", "labels-idx1")
    return read_idx(images)[:, None], read_idx(labels) if labels.is_file() else None


def read_idx(path: Path) -> np.ndarray:
    """An array of bytes of an idx file, gzipped or not."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        zero, kind, rank = struct.unpack(">HBB", data[:4])
        shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
        array = np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)
    except (struct.error, ValueError):
        raise ModelError("is not an idx file, or it is truncated", where=f"--data {path}") from None
    if zero or kind != 8:
        raise ModelError("is not an idx file of bytes", where=f"--data {path}")
    return array


def image_folder(folder: Path, shape: tuple[int, ...], preparation: Preparation) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of all subfolders, `(N, C, H, W)` uint8."""
    try:
        from PIL import Image
    except ImportError:
        raise ModelError(
            "pictures need Pillow", where=f"--data {folder}", remedy="pip install 'hlsgen[sparsify]'"
        ) from None
    classes = sorted(p for p in folder.iterdir() if p.is_dir())
    images, labels = [], []
    channels, height, width = shape[1:]
    for label, subfolder in enumerate(classes):
        for file in sorted(p for p in subfolder.iterdir() if p.suffix.lower() in SUFFIXES):
            picture = Image.open(file).convert("RGB" if channels == 3 else "L")
            factor = (preparation.resize or max(height, width)) / min(picture.size)
            width_height = [
                max(round(factor * side), least) for side, least in zip(picture.size, (width, height), strict=True)
            ]
            size = (width_height[0], width_height[1])
            array = np.asarray(picture.resize(size, Image.Resampling.BILINEAR)).reshape(size[1], size[0], -1)
            top, left = (array.shape[0] - height) // 2, (array.shape[1] - width) // 2
            images.append(array[top : top + height, left : left + width].transpose(2, 0, 1))
            labels.append(label)
    if not images:
        raise ModelError("holds neither idx files nor subfolders with pictures", where=f"--data {folder}")
    return np.stack(images), np.array(labels)


def prepared(images: np.ndarray, shape: tuple[int, ...], preparation: Preparation) -> np.ndarray:
    """Bytes as inputs; smaller pictures are put in the middle of a frame of zeros."""
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim == 4 and len(shape) == 4:
        missing = [max(wanted - found, 0) for wanted, found in zip(shape[2:], images.shape[2:], strict=True)]
        images = np.pad(images, ((0, 0), (0, 0), *((n // 2, n - n // 2) for n in missing)))
    x = images.astype(np.float32) / np.float32(preparation.scale)
    spread: tuple[Any, ...] = (-1, *(1,) * (x.ndim - 2))
    mean, deviation = (
        np.asarray(values, np.float32).reshape(spread) for values in (preparation.mean, preparation.deviation)
    )
    return (x - mean) / deviation
