"""Arrays in .npz files: written under any name (`numpy.savez` cannot take every name, such as
"file"), and read."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .errors import HostError
from .files import whole


def save_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an uncompressed .npz file that `numpy.load` reads, one array a name; whole or not at
    all. Of an array of arrays, one an image, each has a name: NAME/0, NAME/1 and so on."""
    apart: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if array.dtype == object:
            apart |= {f"{name}/{number}": part for number, part in enumerate(array)}
        else:
            apart[name] = array
    with whole(path) as temporary, zipfile.ZipFile(temporary, "w", allowZip64=True) as archive:
        for name, array in apart.items():
            # The same arrays give the same bytes: an entry made so has no date.
            entry = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def load_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file. Raises HostError for a file that is none."""
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            raise ValueError("it holds one array without a name")
        with found as file:
            return dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise HostError(
            f"{path}: cannot be read ({error})", remedy="save arrays with numpy.savez"
        ) from None
