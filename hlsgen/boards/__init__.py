"""Devices and boards as data files, one JSON object each; every figure has a source, unverified
ones are marked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Annotated, Any

from annotated_types import Interval, MinLen

from hlsgen.errors import BoardError, did_you_mean
from hlsgen.schema import STRICT, checked, read

# Names reach file names, Makefiles and command lines: none is an option or leaves its folder.
NAME = re.compile(r"(?!.*\.\.)\w[\w./:-]*", re.ASCII)
IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
VERSION = re.compile(r"\d+(\.\d+)+", re.ASCII)
# The first version of the SDK that gets max_replicates and an implementation for `memory`. Known:
# the guides to 18.1 have numreadports and numwriteports alone, that to 22.4 max_replicates, and
# 19.2 and 19.4 still build what the old ones ask for. That 19.1 has the new ones is assumed.
MAX_REPLICATES = (19, 1)
Count = Annotated[int, Interval(gt=0, lt=10**12)]
CountOrNone = Annotated[int, Interval(ge=0, lt=10**12)]
Figure = Annotated[float, Interval(gt=0, lt=1e12)]
FigureOrZero = Annotated[float, Interval(ge=0, lt=1e12)]
Share = Annotated[float, Interval(gt=0, le=1)]


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

    __pydantic_config__ = STRICT

    name: str
    title: str
    family: str
    alms: Count
    blocks: Count
    block_bits: Count
    dsps: Count
    multiply_add_dsps: Figure
    add_dsps: FigureOrZero
    multiply_dsps: Figure
    add_alms: CountOrNone
    int8_macs_per_dsp: Count
    mlab_bits: Count
    add_latency: CountOrNone
    load_latency: Count
    fmax: Figure
    fmax_per_alm: FigureOrZero
    fmax_per_block: FigureOrZero
    fmax_per_dsp: FigureOrZero
    fmax_low: Figure
    fmax_high: Figure
    fmax_low_ratio: Figure
    fmax_high_ratio: Figure
    roofline_clock: Figure
    shown_dsps: Share
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    unverified: tuple[str, ...] = ()


@dataclass(frozen=True)
class IoChannels:
    """The serial channels of a board, which kernels see as I/O channels by these names, number n of
    `outputs` through the same port as number n of `inputs`: words of `bits` a channel, `gbits`
    Gbit/s each way, `latency_ns` from the kernel of one board to that of the next."""

    __pydantic_config__ = STRICT

    inputs: Annotated[tuple[str, ...], MinLen(1)]
    outputs: Annotated[tuple[str, ...], MinLen(1)]
    bits: Count
    gbits: Figure
    latency_ns: FigureOrZero

    def __str__(self) -> str:
        each = f"{self.bits} bits, {self.gbits:g} Gbit/s each, {self.latency_ns:g} ns"
        return f"{', '.join((*self.inputs, *self.outputs))}: {each}"


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
    too. `io_channels` lead to other boards.
    """

    __pydantic_config__ = STRICT

    name: str
    title: str
    device: Device
    aoc_board: str
    sdk: str
    sdk_versions: tuple[str, ...]
    opencl: bool
    reserved_alms: CountOrNone
    reserved_blocks: CountOrNone
    reserved_dsps: CountOrNone
    memory_banks: Count
    bandwidth: Figure
    bank_efficiency: Share
    interleaved_efficiency: Annotated[tuple[Share, ...], MinLen(1)]
    least_efficiency: Share
    pcie_bandwidth: Figure
    launch_us: FigureOrZero
    aliases: tuple[str, ...] = ()
    io_channels: IoChannels | None = None
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


def data_files(folder: Any) -> Iterator[tuple[Any, str]]:
    """Contents of the JSON files in a package folder, and what messages call them."""
    for file in sorted(folder.iterdir(), key=lambda file: str(file.name)):
        if file.name.endswith(".json"):
            yield json.loads(file.read_text()), f"{file.name} of hlsgen"


@cache
def devices() -> dict[str, Device]:
    """All devices that ship with hlsgen, by name."""
    files = data_files(resources.files(__name__).joinpath("devices"))
    return {(found := read_device(data, where)).name: found for data, where in files}


@cache
def boards() -> dict[str, Board]:
    """All boards that ship with hlsgen, by name."""
    files = data_files(resources.files(__name__))
    return {(found := read_board(data, where)).name: found for data, where in files}


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
        where = f"board file {name}"
        return read_board(read(dict[str, Any], name, where, BoardError), where)
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


def read_board(data: Any, where: str) -> Board:
    """A board from the content of its file; its device may be the name of one that ships with
    hlsgen. Raises BoardError that names the field at fault."""
    if isinstance(data, dict) and isinstance(named := data.get("device"), str):
        if named not in devices():
            meant = did_you_mean(named, devices())
            raise BoardError(
                f"field 'device' names the unknown device {named!r}{meant}",
                where=where,
                remedy=f"choose one of {', '.join(devices())}, or describe it in place",
            )
        data = data | {"device": asdict(devices()[named])}
    found = checked(Board, data, where, BoardError)
    check_device(found.device, where)
    check_board(found, where)
    return found


def read_device(data: Any, where: str) -> Device:
    """A device from the content of its file. Raises BoardError that names the field at fault."""
    found = checked(Device, data, where, BoardError)
    check_device(found, where)
    return found


def check_device(device: Device, where: str) -> None:
    """Raise BoardError for names that may not be written into a command, and for figures that
    contradict each other."""
    check_names("name", (device.name,), NAME, where)
    check_names("family", (device.family,), NAME, where)
    if not device.fmax_low <= device.fmax <= device.fmax_high:
        raise BoardError("field 'fmax' must lie between 'fmax_low' and 'fmax_high'", where=where)
    if not device.fmax_low_ratio <= 1 <= device.fmax_high_ratio:
        raise BoardError(
            "fields 'fmax_low_ratio' and 'fmax_high_ratio' must hold 1 between them", where=where
        )


def check_board(board: Board, where: str) -> None:
    """Raise BoardError as `check_device` does."""
    check_names("name", (board.name,), NAME, where)
    check_names("aoc_board", (board.aoc_board,), NAME, where)
    check_names("aliases", board.aliases, NAME, where)
    check_names("sdk", (board.sdk,), VERSION, where)
    check_names("sdk_versions", board.sdk_versions, VERSION, where)
    if board.io_channels:
        check_io_channels(board.io_channels, where)
    for resource in ("alms", "blocks", "dsps"):
        if getattr(board, f"reserved_{resource}") >= getattr(board.device, resource):
            raise BoardError(
                f"field 'reserved_{resource}' leaves nothing of {resource}", where=where
            )
    if board.least_efficiency > min(board.interleaved_efficiency):
        raise BoardError(
            "field 'least_efficiency' must not be above those of 'interleaved_efficiency'",
            where=where,
        )


def check_io_channels(channels: IoChannels, where: str) -> None:
    """Raise BoardError for names that are no identifiers, and for words that no vectors fill."""
    check_names("io_channels", (*channels.inputs, *channels.outputs), IDENTIFIER, where)
    if len(channels.inputs) != len(channels.outputs):
        raise BoardError("field 'io_channels' has other inputs than outputs", where=where)
    if channels.bits % 32 or channels.bits & (channels.bits - 1):
        raise BoardError(
            "field 'io_channels.bits' must be 32 or twice, four times, ... as many", where=where
        )


def check_names(
    field_name: str, values: tuple[str, ...], form: re.Pattern[str], where: str
) -> None:
    """Raise BoardError for a name or version of other characters than it needs."""
    wanted = {
        NAME: "a name of letters, digits and _ . / : - which begins with a letter or digit and "
        "has no ..",
        IDENTIFIER: "a name of letters, digits and _",
        VERSION: "a version such as 19.4",
    }
    for value in values:
        if not form.fullmatch(value):
            raise BoardError(
                f"field {field_name!r} must be {wanted[form]}, not {value!r}", where=where
            )
