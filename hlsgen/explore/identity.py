"""Hashes of all that a predicted point depends on, so that no result is taken for another
question's."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path

import hlsgen
from hlsgen import templates
from hlsgen.boards import board
from hlsgen.errors import HlsgenError
from hlsgen.explore.points import Point
from hlsgen.frontend.model import read_model
from hlsgen.model.calibration import load_calibration


def model_digest(model: str | Path) -> str:
    """A hash of a model's file and of the constants that it keeps in other files. Raises
    ModelError."""
    loaded = read_model(model)
    try:
        digest = hashlib.sha256(Path(model).read_bytes())
    except OSError as error:
        raise HlsgenError(f"cannot be read ({error.strerror})", where=f"model {model}") from None
    constants = [
        *loaded.graph.initializer,
        *(a.t for node in loaded.graph.node for a in node.attribute),
    ]
    for tensor in constants:
        digest.update(tensor.raw_data)
    return digest.hexdigest()[:16]


@cache
def code_digest() -> str:
    """A hash of hlsgen itself, its data and templates, and of the solver's version."""
    digest = hashlib.sha256(metadata.version("ortools").encode())
    for package in (hlsgen, templates):
        root = Path(str(package.__file__)).parent
        for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".json", ".j2")):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def identity(point: Point, model: str) -> str:
    """A hash of a point and of all behind its names: the model (its digest), board, device and
    calibration, and hlsgen itself.

    Raises BoardError and PlanError.
    """
    parts = {
        "hlsgen": code_digest(),
        "model": model,
        "point": asdict(point),
        "board": asdict(board(point.board)),
        "calibration": asdict(load_calibration(point.calibration or None)),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
