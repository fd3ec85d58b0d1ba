"""Labelled pictures of a user, prepared as a network wants them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hlsgen.data.formats import channels_first, read_arrays
from hlsgen.data.known import locate
from hlsgen.errors import ModelError


@dataclass(frozen=True)
class Preparation:
    """How pictures become inputs: pixels divided by `scale`, less `mean`, divided by `deviation`
    (one number, or one a channel). Of picture files the shorter side is resized to `resize`, or so
    that the network's input is the share `crop` of it, and the middle is cut out."""

    scale: float = 255.0
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    resize: int = 0
    crop: float = 0.0

    def side(self, shape: tuple[int, ...]) -> int:
        """Pixels of the shorter side for an input of `shape`; 0 where it just covers that."""
        sides = channels_first(shape)[2:]
        return self.resize or (round(min(sides) / self.crop) if self.crop else 0)


# Preparations that go by a name.
PREPARATIONS = {
    "unit": Preparation(),
    "symmetric": Preparation(mean=(0.5,), deviation=(0.5,)),
    "mnist": Preparation(mean=(0.1307,), deviation=(0.3081,)),
    "cifar10": Preparation(mean=(0.4914, 0.4822, 0.4465), deviation=(0.247, 0.2435, 0.2616)),
    "imagenet": Preparation(
        mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225), crop=0.875
    ),
}


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


def read_stored(
    path: str | Path,
    shape: tuple[int, ...],
    preparation: Preparation = Preparation(),
    part: str = "",
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
    path: str | Path, shape: tuple[int, ...], preparation: Preparation = Preparation()
) -> Pictures:
    """All pictures, prepared; of those in parts the test pictures. See `read_stored`."""
    stored = read_stored(path, shape, preparation, "test") or read_stored(path, shape, preparation)
    assert stored is not None
    return Pictures(stored.inputs(), stored.labels)


def read_preparation(path: str | Path | None) -> Preparation:
    """The preparation of a name, or the one that a TOML file describes; the plain one without
    either. Raises ModelError."""
    if not path:
        return Preparation()
    if str(path) in PREPARATIONS:
        return PREPARATIONS[str(path)]
    try:
        import tomllib
    except ImportError:  # before Python 3.11
        import tomli as tomllib
    try:
        fields: dict[str, Any] = tomllib.loads(Path(path).read_text())
        for name in ("mean", "deviation"):
            if name in fields:
                fields[name] = (
                    tuple(fields[name]) if isinstance(fields[name], list) else (fields[name],)
                )
        return Preparation(**fields)
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(
            f"cannot be used ({error})",
            where=f"--prepare {path}",
            remedy=f"give one of {', '.join(PREPARATIONS)}, or a TOML file with scale, mean, "
            "deviation, resize, crop",
        ) from None


def prepared(images: np.ndarray, shape: tuple[int, ...], preparation: Preparation) -> np.ndarray:
    """Bytes `(N, C, H, W)`, or as an input of `shape` has them, as inputs; smaller pictures are put
    in the middle of a frame of zeros, grey ones fill all channels."""
    first = channels_first(shape)
    if first != tuple(shape):
        if images.shape[1:] == tuple(shape[1:]):
            images = np.moveaxis(images, -1, 1)
        return np.moveaxis(prepared(images, first, preparation), 1, -1)
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim == 4 and len(shape) == 4:
        if images.shape[1] == 1:
            images = np.broadcast_to(images, (len(images), shape[1], *images.shape[2:]))
        missing = [
            max(wanted - found, 0)
            for wanted, found in zip(shape[2:], images.shape[2:], strict=True)
        ]
        images = np.pad(images, ((0, 0), (0, 0), *((n // 2, n - n // 2) for n in missing)))
    x = images.astype(np.float32) / np.float32(preparation.scale)
    spread: tuple[Any, ...] = (-1, *(1,) * (x.ndim - 2))
    mean, deviation = (
        np.asarray(values, np.float32).reshape(spread)
        for values in (preparation.mean, preparation.deviation)
    )
    normalised: np.ndarray = (x - mean) / deviation
    return normalised
