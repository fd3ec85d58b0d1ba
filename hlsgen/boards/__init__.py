"""Boards as data files."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path

from hlsgen.errors import BoardError


@dataclass(frozen=True)
class Board:
    """What the scheduler knows of a board. Blocks are M20K or M10K memories; bandwidth in GB/s; clock in MHz.

    `reserved_*` is the static region that the board support package keeps. `multiply_add_dsps` is the number of
    DSPs of one float32 multiply-accumulate. `sdk` is the version of the Intel FPGA SDK for OpenCL.
    """

    name: str
    title: str
    family: str
    aoc_board: str
    sdk: str
    alms: int
    blocks: int
    block_bits: int
    dsps: int
    reserved_alms: int
    reserved_blocks: int
    reserved_dsps: int
    multiply_add_dsps: float
    bandwidth: float
    clock: float
    source: str

    @property
    def available_dsps(self) -> int:
        """DSPs left beside the static region."""
        return self.dsps - self.reserved_dsps

    @property
    def available_blocks(self) -> int:
        """Memory blocks left beside the static region."""
        return self.blocks - self.reserved_blocks


@cache
def boards() -> dict[str, Board]:
    """All boards that ship with hlsgen, by name."""
    files = sorted(resources.files(__name__).iterdir(), key=lambda f: f.name)
    found = [read_board(json.loads(f.read_text()), f.name) for f in files if f.name.endswith(".json")]
    return {board.name: board for board in found}


def board(name: str) -> Board:
    """A board by name, or from a JSON file of one's own. Raises BoardError."""
    if name in boards():
        return boards()[name]
    if name.endswith(".json"):
        try:
            data = json.loads(Path(name).read_text())
        except (OSError, ValueError) as error:
            raise BoardError(f"cannot be read ({error})", where=f"board file {name}") from None
        return read_board(data, name)
    raise BoardError(
        f"unknown board {name!r}", where="--board", remedy=f"choose one of {', '.join(boards())}, or give a .json file"
    )


def read_board(data: object, where: str) -> Board:
    """Build a Board from a JSON object. Raises BoardError that names the field at fault."""
    where = f"board file {where}"
    if not isinstance(data, dict):
        raise BoardError("is not a JSON object", where=where)
    names = {f.name: str(f.type) for f in fields(Board)}
    for name in (*names, *data):
        if name not in data:
            raise BoardError(f"field {name!r} is missing", where=where)
        if name not in names:
            raise BoardError(f"field {name!r} is unknown", where=where, remedy=f"known fields: {', '.join(names)}")
        text, value = names[name] == "str", data[name]
        if text != isinstance(value, str) or isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise BoardError(f"field {name!r} must be {'text' if text else 'a number'}, not {value!r}", where=where)
        if not isinstance(value, str) and (value < 0 or (value == 0 and not name.startswith("reserved"))):
            raise BoardError(f"field {name!r} must be positive, not {value!r}", where=where)
    for kind in ("alms", "blocks", "dsps"):
        if data[f"reserved_{kind}"] >= data[kind]:
            raise BoardError(f"field 'reserved_{kind}' leaves nothing of {kind}", where=where)
    return Board(**data)
