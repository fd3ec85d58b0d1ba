"""Labelled pictures of a user, prepared as a network wants them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hlsgen.data.formats import read_arrays
from hlsgen.data.known import locate
from hlsgen.errors import ModelError
from hlsgen.host.pictures import PLAIN, Preparation, prepared


@dataclass(frozen=True)
class Pictures:
    """Inputs `(N, ...)` float32 as the network takes them, and labels (N,) or None."""

    inputs: np.ndarray
    labels: np.ndarray | None


@dataclass(frozen=True)
class Stored:
    """Pictures as they are stored: `images` (N, ...), bytes still to be prepared or float32 that
    are ready, for inputs of `shape`."""

    images: np.ndarray
    labels: np.ndarray | None
    shape: tuple[int, ...]
    preparation: Preparation

    def inputs(self, chosen: Any = slice(None)) -> np.ndarray:
        """Some of them, float32, as the network takes them."""
        images = self.images[chosen]
        if images.dtype == np.uint8:
            images = prepared(images, self.shape, self.preparation)
        return np.ascontiguousarray(images, np.float32)

    def black(self) -> np.ndarray:
        """A black picture `(1, ...)` as the network would take it."""
        first = self.images[:1]
        return Stored(np.zeros_like(first), None, self.shape, self.preparation).inputs()


def read_stored(
    path: str | Path, shape: tuple[int, ...], preparation: Preparation = PLAIN, part: str = ""
) -> Stored | None:
    """Read pictures for an input of `shape`, whose first axis is the images; None where they have
    no such part.

    `path` is one that `read_arrays` reads, or the name of a known data set. Raises ModelError for
    what does not fit.
    """
    where = f"--data {path}"
    found = read_arrays(locate(str(path)), shape, preparation.side(shape), part)
    if found is None:
        return None
    images, labels = found
    stored = Stored(images, labels, shape, preparation)
    got = stored.inputs(slice(0, 1)).shape[1:]
    if got != tuple(shape[1:]):
        raise ModelError(
            f"pictures are {list(got)}, the network takes {list(shape[1:])}",
            where=where,
            remedy="prepare them to that shape",
        )
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        raise ModelError("pictures hold NaN or infinities", where=where)
    if labels is not None and len(labels) != len(images):
        raise ModelError(f"{len(labels)} labels for {len(images)} pictures", where=where)
    return stored


def read_pictures(
    path: str | Path, shape: tuple[int, ...], preparation: Preparation = PLAIN
) -> Pictures:
    """All pictures, prepared; of those in parts the test pictures. See `read_stored`."""
    stored = read_stored(path, shape, preparation, "test") or read_stored(path, shape, preparation)
    assert stored is not None
    return Pictures(stored.inputs(), stored.labels)


def read_test_pictures(
    data: str, test: str, shape: tuple[int, ...], preparation: Preparation = PLAIN
) -> Stored | None:
    """The pictures that trained networks are tested on: those of `test`, else the test part of
    `data`; None where that has none. See `read_stored`."""
    if not test:
        return read_stored(data, shape, preparation, "test")
    part = read_stored(test, shape, preparation, "test")
    return part or read_stored(test, shape, preparation)
