"""Devices and boards as data files, one JSON object each; every figure has a source, unverified
ones are marked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from hlsgen.errors import BoardError, did_you_mean

# Names reach file names, Makefiles and command lines.
NAME = re.compile(r"[\w./:-]+", re.ASCII)
VERSION = re.compile(r"\d+(\.\d+)+", re.ASCII)
# The first version of the SDK that gets max_replicates and an implementation for `memory`. Known:
# the guides to 18.1 have numreadports and numwriteports alone, that to 22.4 max_replicates, and
# 19.2 and 19.4 still build what the old ones ask for. That 19.1 has the new ones is assumed.
MAX_REPLICATES = (19, 1)


@dataclass(frozen=True)
class Device:
    """An FPGA. Blocks are M20K or M10K memories of `block_bits`; MLABs hold `mlab_bits`.

    `multiply_add_dsps`, `add_dsps`, `multiply_dsps`: DSPs of one float32 operation; `add_alms`:
    logic of an addition where it takes no DSP. `add_latency` and `load_latency` (global memory) in
    cycles. The clock in MHz is `fmax` less `fmax_per_*` for each percent of ALMs, blocks and DSPs
    used, within `fmax_low` and `fmax_high`; of ten measured clocks eight lie between
    `fmax_low_ratio` and `fmax_high_ratio` of that line. `roofline_clock` in MHz is the fixed one of
    rooflines that compare designs. `shown_dsps`: the largest share of its DSPs that a published
    design uses.
    """

    name: str
    title: str
    family: str
    alms: int
    blocks: int
    block_bits: int
    dsps: int
    multiply_add_dsps: float
    add_dsps: float
    multiply_dsps: float
    add_alms: int
    int8_macs_per_dsp: int
    mlab_bits: int
    add_latency: int
    load_latency: int
    fmax: float
    fmax_per_alm: float
    fmax_per_block: float
    fmax_per_dsp: float
    fmax_low: float
    fmax_high: float
    fmax_low_ratio: float
    fmax_high_ratio: float
    roofline_clock: float
    shown_dsps: float
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    unverified: tuple[str, ...] = ()


@dataclass(frozen=True)
class Board:
    """A board with its support package. Bandwidths in GB/s, `launch_us` in microseconds a kernel
    launch.

    `reserved_*` is the static region that the board support package keeps. `bank_efficiency` is the
    share of the peak that one kernel a memory bank reaches; `interleaved_efficiency` what one, two,
    three or more readers and a writer reach together on interleaved banks; more readers reach less,
    down towards `least_efficiency`, the least that a published design was measured at. `sdk` is the
    version of the Intel FPGA SDK for OpenCL that flags are written for; `opencl` is false for
    boards that the SDK does not support. `aoc_board` and the names in `aliases` stand for the board
    too.
    """

    name: str
    title: str
    device: Device
    aoc_board: str
    sdk: str
    sdk_versions: tuple[str, ...]
    opencl: bool
    reserved_alms: int
    reserved_blocks: int
    reserved_dsps: int
    memory_banks: int
    bandwidth: float
    bank_efficiency: float
    interleaved_efficiency: tuple[float, ...]
    least_efficiency: float
    pcie_bandwidth: float
    launch_us: float
    aliases: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    unverified: tuple[str, ...] = ()

    @property
    def chooses_memories(self) -> bool:
        """Whether its SDK lets a declaration choose between MLABs and memory blocks; an older one
        builds all of blocks."""
        return not older(self.sdk, MAX_REPLICATES)

    @property
    def available_alms(self) -> int:
        """ALMs left beside the static region."""
        return self.device.alms - self.reserved_alms

    @property
    def available_dsps(self) -> int:
        """DSPs left beside the static region."""
        return self.device.dsps - self.reserved_dsps

    @property
    def available_blocks(self) -> int:
        """Memory blocks left beside the static region."""
        return self.device.blocks - self.reserved_blocks

    def sustained_bandwidth(self, readers: int) -> float:
        """GB/s that `readers` reading kernels and one writing kernel reach together on interleaved
        memory: as measured, and for more readers between the last figure and the least."""
        shares = self.interleaved_efficiency
        if readers <= len(shares):
            return self.bandwidth * shares[max(readers, 1) - 1]
        least = self.least_efficiency
        return self.bandwidth * (least + (shares[-1] - least) * len(shares) / readers)

    def at_worst(self) -> Board:
        """The board where memory gives the least, however few kernels read it."""
        least = self.least_efficiency
        bank = min(self.bank_efficiency, least)
        return replace(self, interleaved_efficiency=(least,), bank_efficiency=bank)

    def at_best(self) -> Board:
        """The board where more readers than were measured take nothing more."""
        return replace(self, least_efficiency=self.interleaved_efficiency[-1])


def older(sdk: str, version: tuple[int, int]) -> bool:
    """Whether a version such as "19.4" or "20.1.3" of the SDK comes before another one."""
    return tuple(map(int, sdk.split(".")[:2])) < version


def read_all(kind: Any, folder: Any) -> dict[str, Any]:
    """All records of the JSON files in a package folder, by name."""
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".json")), key=lambda f: f.name)
    found = [
        read_record(kind, json.loads(f.read_text()), f"{kind.__name__.lower()} file {f.name}")
        for f in files
    ]
    return {record.name: record for record in found}


@cache
def devices() -> dict[str, Device]:
    """All devices that ship with hlsgen, by name."""
    return read_all(Device, resources.files(__name__).joinpath("devices"))


@cache
def boards() -> dict[str, Board]:
    """All boards that ship with hlsgen, by name."""
    return read_all(Board, resources.files(__name__))


@cache
def board_names() -> dict[str, Board]:
    """The boards that ship with hlsgen, by every name they go by: their own, aoc's, and their
    aliases."""
    own = boards()
    return own | {
        name: b for b in own.values() for name in (b.aoc_board, *b.aliases) if name not in own
    }


def board(name: str) -> Board:
    """A board by any of its names, or from a JSON file of one's own. Raises BoardError."""
    if name in board_names():
        return board_names()[name]
    if name.endswith(".json"):
        try:
            data = json.loads(Path(name).read_text())
        except (OSError, ValueError) as error:
            raise BoardError(f"cannot be read ({error})", where=f"board file {name}") from None
        described: Board = read_record(Board, data, f"board file {name}")
        return described
    raise BoardError(
        f"unknown board {name!r}{did_you_mean(name, board_names())}",
        where="--board",
        remedy=f"choose one of {', '.join(boards())}, or give a .json file",
    )


def board_key(name: str) -> str:
    """What a plan calls a board: the own name of one that ships with hlsgen, the path of a file.
    Raises BoardError."""
    found = board(name)
    return found.name if name in board_names() else name


def read_record(kind: Any, data: object, where: str) -> Any:
    """Build a Device or a Board from a JSON object. Raises BoardError that names the field at
    fault."""
    if not isinstance(data, dict):
        raise BoardError("is not a JSON object", where=where)
    names = {f.name: str(f.type) for f in fields(kind)}
    values = {}
    for name in (*names, *data):
        if name not in data:
            if name in ("aliases", "sources", "unverified"):
                continue
            raise BoardError(f"field {name!r} is missing", where=where)
        if name not in names:
            raise BoardError(
                f"field {name!r} is unknown",
                where=where,
                remedy=f"known fields: {', '.join(names)}",
            )
        values[name] = read_field(name, names[name], data[name], where)
    check_consistent(kind, values, where)
    return kind(**values)


def read_field(name: str, kind: str, value: Any, where: str) -> Any:
    """One field's value, checked. Raises BoardError."""
    if kind == "Device":
        return read_device(value, where)
    if kind.startswith("Mapping"):
        if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
            raise BoardError(f"field {name!r} must map names to texts", where=where)
        return value
    if kind.startswith("tuple"):
        item = float if "float" in kind else str
        if not isinstance(value, (list, tuple)) or not all(
            isinstance(v, (int, float) if item is float else str) for v in value
        ):
            raise BoardError(
                f"field {name!r} must be a list of {'numbers' if item is float else 'texts'}",
                where=where,
            )
        if item is float and not (value and all(0 < v <= 1 for v in value)):
            raise BoardError(
                f"field {name!r} must hold shares between 0 and 1, not {value}", where=where
            )
        return tuple(item(v) for v in value)
    wanted: Any = {"str": str, "bool": bool, "int": (int,), "float": (int, float)}[kind]
    if not isinstance(value, wanted) or (kind != "bool" and isinstance(value, bool)):
        text = {"str": "text", "bool": "true or false", "int": "a whole number"}.get(
            kind, "a number"
        )
        raise BoardError(f"field {name!r} must be {text}, not {value!r}", where=where)
    may_be_zero = name.startswith(("reserved", "fmax_per", "add_", "launch"))
    if kind in ("int", "float") and not (0 < value < 1e12 or (value == 0 and may_be_zero)):
        raise BoardError(f"field {name!r} must be positive, not {value!r}", where=where)
    return value


def read_device(value: Any, where: str) -> Device:
    """A device by name, or described in place. Raises BoardError."""
    if isinstance(value, str):
        if value not in devices():
            raise BoardError(
                "field 'device' names the unknown device "
                f"{value!r}{did_you_mean(value, devices())}",
                where=where,
                remedy=f"choose one of {', '.join(devices())}, or describe it in place",
            )
        return devices()[value]
    described: Device = read_record(Device, value, f"{where}, device")
    return described


def check_consistent(kind: Any, values: dict[str, Any], where: str) -> None:
    """Raise BoardError for names that may not be written into a command, and for figures that
    contradict each other."""
    check_names(values, where)
    if kind is Device:
        if not values["fmax_low"] <= values["fmax"] <= values["fmax_high"]:
            raise BoardError(
                "field 'fmax' must lie between 'fmax_low' and 'fmax_high'", where=where
            )
        if not values["fmax_low_ratio"] <= 1 <= values["fmax_high_ratio"]:
            raise BoardError(
                "fields 'fmax_low_ratio' and 'fmax_high_ratio' must hold 1 between them",
                where=where,
            )
        check_shares(values, ("shown_dsps",), where)
        return
    for resource in ("alms", "blocks", "dsps"):
        if values[f"reserved_{resource}"] >= getattr(values["device"], resource):
            raise BoardError(
                f"field 'reserved_{resource}' leaves nothing of {resource}", where=where
            )
    check_shares(values, ("bank_efficiency",), where)
    if values["least_efficiency"] > min(values["interleaved_efficiency"]):
        raise BoardError(
            "field 'least_efficiency' must not be above those of 'interleaved_efficiency'",
            where=where,
        )


def check_shares(values: dict[str, Any], names: tuple[str, ...], where: str) -> None:
    """Raise BoardError for shares of more than all."""
    for name in names:
        if values[name] > 1:
            raise BoardError(f"field {name!r} must be a share between 0 and 1", where=where)


def check_names(values: dict[str, Any], where: str) -> None:
    """Raise BoardError for names and versions of other characters than they need."""
    for field_name in ("name", "family", "aoc_board", "aliases"):
        given = values.get(field_name, ())
        for name in (given,) if isinstance(given, str) else given:
            if not NAME.fullmatch(name):
                raise BoardError(
                    f"field {field_name!r} must be a name of letters, digits and _ . / : -, not "
                    f"{name!r}",
                    where=where,
                )
    for field_name in ("sdk", "sdk_versions"):
        given = values.get(field_name, ())
        for version in (given,) if isinstance(given, str) else given:
            if not VERSION.fullmatch(version):
                raise BoardError(
                    f"field {field_name!r} must be a version such as 19.4, not {version!r}",
                    where=where,
                )
