"""Topologies as data files: which port of a board is cabled to which port of the next one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated

from annotated_types import Ge, MinLen

from hlsgen.boards import Board, data_files
from hlsgen.errors import BoardError, did_you_mean
from hlsgen.schema import STRICT, checked

Port = Annotated[int, Ge(0)]


@dataclass(frozen=True)
class Topology:
    """Boards in a row. `cables`: numbers of an output channel of a board and of the input channel
    of the next one that it leads to. A `closed` one leads from the last board to the first, too:
    networks flow one way and leave that unused. `most_boards`: so many can be joined (0: any
    number)."""

    __pydantic_config__ = STRICT

    name: str
    title: str
    cables: Annotated[tuple[tuple[Port, Port], ...], MinLen(1)]
    closed: bool
    most_boards: Annotated[int, Ge(0)]

    def channels(self, writer: Board, reader: Board) -> tuple[tuple[str, str], ...]:
        """The I/O channels of two neighbours that are joined, by name. Raises BoardError where one
        of them has none there."""
        found = []
        for output, port in self.cables:
            ends = (writer.io_channels, reader.io_channels)
            for board, channels, number in zip((writer, reader), ends, (output, port), strict=True):
                if channels is None or number >= len(channels.inputs):
                    raise BoardError(
                        f"has no I/O channel number {number}, which the topology {self.name} joins",
                        where=f"board {board.name}",
                        remedy="use boards whose file names their io_channels, such as p520_max",
                    )
            assert writer.io_channels and reader.io_channels
            if writer.io_channels.bits != reader.io_channels.bits:
                raise BoardError(
                    f"has I/O channels of {reader.io_channels.bits} bits, its neighbour of "
                    f"{writer.io_channels.bits}",
                    where=f"board {reader.name}",
                )
            found.append((writer.io_channels.outputs[output], reader.io_channels.inputs[port]))
        return tuple(found)


@cache
def topologies() -> dict[str, Topology]:
    """All topologies that ship with hlsgen, by name."""
    files = data_files(resources.files(f"{__package__}.topologies"))
    return {
        (found := checked(Topology, data, where, BoardError)).name: found for data, where in files
    }


def topology(name: str) -> Topology:
    """A topology by its name. Raises BoardError."""
    if name not in topologies():
        raise BoardError(
            f"unknown topology {name!r}{did_you_mean(name, topologies())}",
            where="--topology",
            remedy=f"choose one of {', '.join(topologies())}",
        )
    return topologies()[name]
