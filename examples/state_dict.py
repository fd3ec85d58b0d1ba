"""Reads PyTorch state dicts without PyTorch, and without running what a pickle might ask for."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

STORAGES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ByteStorage": np.uint8,
}


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """All tensors of a .pth file, in the zip format or the older one, as arrays. Raises
    pickle.UnpicklingError.

    Only the classes that plain state dicts need are allowed.
    """
    if zipfile.is_zipfile(path):
        return _read_zip(path)
    return _read_legacy(path)


class _Reference:
    """A tensor before its storage is known."""

    def __init__(
        self, storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
    ):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def array(self, storages: dict[str, np.ndarray]) -> np.ndarray:
        """The tensor's values, copied out of its storage."""
        data = storages[self.storage[1]][self.offset :]
        steps = tuple(s * data.itemsize for s in self.stride)
        values: np.ndarray = np.lib.stride_tricks.as_strided(data, self.size, steps).copy()
        return values


class _Unpickler(pickle.Unpickler):
    """Allows OrderedDict, tensors and storages; persistent ids describe storages: (key, dtype)."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Reference
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a state dict")

    def persistent_load(self, pid: Any) -> Any:
        _, dtype, key, *_ = pid
        return (dtype, str(key))


def _arrays(found: Any, storages: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {
        name: value.array(storages)
        for name, value in found.items()
        if isinstance(value, _Reference)
    }


def _read_zip(path: str | Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        pickled = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        root = pickled[: -len("data.pkl")]
        found = _Unpickler(io.BytesIO(archive.read(pickled))).load()
        references = [value for value in found.values() if isinstance(value, _Reference)]
        storages = {
            key: np.frombuffer(archive.read(f"{root}data/{key}"), dtype)
            for dtype, key in {r.storage for r in references}
        }
    return _arrays(found, storages)


def _read_legacy(path: str | Path) -> dict[str, np.ndarray]:
    """Magic number, version, system, the pickled dict, the storages' keys, then length and data of
    each storage."""
    with open(path, "rb") as file:
        for _ in range(3):
            _Unpickler(file).load()
        found = _Unpickler(file).load()
        keys = _Unpickler(file).load()
        types = {v.storage[1]: v.storage[0] for v in found.values() if isinstance(v, _Reference)}
        storages = {}
        for key in keys:
            count = int(np.frombuffer(file.read(8), np.int64)[0])
            dtype = np.dtype(types[str(key)])
            storages[str(key)] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return _arrays(found, storages)
