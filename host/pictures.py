"""Pictures as inputs of a network: read as bytes, scaled as in training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import HostError
from .fields import FieldError, decoded

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}


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


PLAIN = Preparation()
# Preparations that go by a name.
PREPARATIONS = {
    "unit": PLAIN,
    "symmetric": Preparation(mean=(0.5,), deviation=(0.5,)),
    "mnist": Preparation(mean=(0.1307,), deviation=(0.3081,)),
    "cifar10": Preparation(mean=(0.4914, 0.4822, 0.4465), deviation=(0.247, 0.2435, 0.2616)),
    "imagenet": Preparation(
        mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225), crop=0.875
    ),
}


def read_preparation(path: str | Path | None) -> Preparation:
    """The preparation of a name, or the one that a TOML or JSON file describes; the plain one
    without either. Raises HostError."""
    if not path:
        return PLAIN
    if str(path) in PREPARATIONS:
        return PREPARATIONS[str(path)]
    try:
        fields = parsed(Path(path))
        for name in ("mean", "deviation"):
            if name in fields and not isinstance(fields[name], list):
                fields[name] = [fields[name]]
        return in_range(decoded(Preparation, fields, ""))
    except (OSError, ValueError, TypeError, RecursionError, FieldError) as error:
        raise HostError(
            f"--prepare {path}: cannot be used ({error})",
            remedy=f"give one of {', '.join(PREPARATIONS)}, or a TOML file with scale, mean, "
            "deviation, resize, crop",
        ) from None


def in_range(found: Preparation) -> Preparation:
    """The preparation. Raises FieldError for figures with which pictures do not become numbers."""
    for right, what in (
        (found.scale > 0, "scale must be more than 0"),
        (len(found.mean) > 0, "mean must have a number"),
        (found.deviation and min(found.deviation) > 0, "deviation must be more than 0"),
        (found.resize >= 0, "resize must not be negative"),
        (0 <= found.crop <= 1, "crop must be a share, from 0 to 1"),
    ):
        if not right:
            raise FieldError(what)
    return found


def parsed(path: Path) -> dict[str, Any]:
    """The content of a TOML or JSON file. Raises OSError, ValueError."""
    return dict(json.loads(path.read_text())) if path.suffix == ".json" else read_toml(path)


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises OSError, ValueError."""
    try:
        import tomllib
    except ImportError:  # before Python 3.11
        try:
            import tomli as tomllib
        except ImportError:
            raise ValueError("before Python 3.11 TOML needs `pip install tomli`") from None
    return dict(tomllib.loads(path.read_text()))


def prepared(images: np.ndarray, shape: tuple[int, ...], preparation: Preparation) -> np.ndarray:
    """Bytes `(N, C, H, W)`, or as an input of `shape` has them, as inputs; smaller pictures are put
    in the middle of a frame of zeros, grey ones fill all channels. Raises HostError for means that
    are not as many as channels."""
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
    channels = x.shape[1] if x.ndim > 1 else 1
    for name, values in (("mean", preparation.mean), ("deviation", preparation.deviation)):
        if len(values) not in (1, channels):
            raise HostError(
                f"--prepare: {name} has {len(values)} numbers, the input {channels} channels",
                remedy="give one number, or one a channel",
            )
    spread: tuple[Any, ...] = (-1, *(1,) * (x.ndim - 2))
    mean, deviation = (
        np.asarray(values, np.float32).reshape(spread)
        for values in (preparation.mean, preparation.deviation)
    )
    normalised: np.ndarray = (x - mean) / deviation
    return normalised


def is_picture(path: Path) -> bool:
    """Whether a file is called like a picture."""
    return path.suffix.lower() in SUFFIXES


def channels_first(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape `(1, C, H, W)` of pictures for an input of `shape`, which may have its channels
    last: as TensorFlow's networks do."""
    if len(shape) == 4 and shape[3] in (1, 3) and shape[1] not in (1, 3):
        return shape[0], shape[3], *shape[1:3]
    return tuple(shape)


def read_picture(file: Path, shape: tuple[int, ...], resize: int = 0) -> np.ndarray:
    """A picture for an input of `shape`, as bytes `(C, H, W)`: its shorter side
    resized to `resize` pixels (0: so that it just covers the input) and the middle cut out. Raises
    HostError."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise HostError(f"{file}: pictures need Pillow", remedy="pip install pillow") from None
    channels, height, width = channels_first(shape)[1:]
    try:
        picture = Image.open(file).convert("RGB" if channels == 3 else "L")
    except (OSError, UnidentifiedImageError) as error:
        raise HostError(f"{file}: cannot be read as a picture ({error})") from None
    factor = resize / min(picture.size) or max(width / picture.width, height / picture.height)
    wide, high = (
        max(round(factor * side), least)
        for side, least in zip(picture.size, (width, height), strict=True)
    )
    resized = picture.resize((wide, high), Image.Resampling.BILINEAR)
    array = np.asarray(resized).reshape(high, wide, -1)
    top, left = (high - height) // 2, (wide - width) // 2
    cut: np.ndarray = array[top : top + height, left : left + width].transpose(2, 0, 1)
    return cut
