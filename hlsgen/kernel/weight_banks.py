"""Weights that stream from memory through a reader a bank, which serves many layers in turn.

A layer's weights lie in blocks of words in one bank of the memory. Whenever its channel has room
for another block the layer's end says so; a kernel beside the reader gives the layers their turns,
and the reader fetches block by block, each to the layer whose turn it is. So a bank sees one reader
that reads blocks in whole bursts, however many layers there are. The reader waits for no layer:
who gets a turn has room for all of it. Each layer therefore gets its words as from a reader of its
own, only later, and what cannot deadlock with a reader a layer cannot with a reader a bank.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import ceil

from hlsgen.kernel.hardware import STREAMED_FIFO, Body, Fifo, Kernel, Lsu

# Bits of a word of external memory, words of a block, blocks for which a layer's channel has room:
# 512 words take no more M20K blocks than 33.
WORD_BITS = 512
BLOCK = 64
BLOCK_BYTES = BLOCK * WORD_BITS // 8
ROOM = 8
# Turns that wait for the reader; bits of one (which layer, which block), and of a token that says
# that there is room.
TURNS = 4
TURN_BITS = 64
TOKEN_BITS = 8


@dataclass(frozen=True)
class Stream:
    """The weights of a layer that stream from memory: `vectors` of `vector_bits`, anew for each of
    `row_tiles`."""

    layer: str
    vector_bits: int
    vectors: int
    row_tiles: int

    @property
    def parts(self) -> int:
        """Vectors of a word."""
        return WORD_BITS // self.vector_bits

    @property
    def blocks(self) -> int:
        """Blocks that they fill, the last one in part."""
        return ceil(self.vectors / (self.parts * BLOCK))

    @property
    def turns(self) -> int:
        """Turns of a row tile in which a vector leaves a word, those that fill the last block
        too."""
        return self.blocks * BLOCK * self.parts

    @property
    def kernel(self) -> str:
        """The kernel that takes words apart."""
        return f"{self.layer}_filters"


@dataclass(frozen=True)
class Bank:
    """A bank of the memory with the layers whose weights lie in it one after another."""

    number: int
    streams: tuple[Stream, ...]

    @property
    def kernel(self) -> str:
        """The kernel that reads it; the one that gives turns has a longer name."""
        return f"weights_bank_{self.number}"

    @property
    def first(self) -> tuple[int, ...]:
        """The first block of every layer."""
        return (0, *accumulate(stream.blocks for stream in self.streams))[:-1]

    @property
    def blocks(self) -> int:
        """Blocks that are read for an image."""
        return sum(stream.blocks * stream.row_tiles for stream in self.streams)

    @property
    def bytes(self) -> int:
        """Bytes that are read for an image."""
        return self.blocks * BLOCK_BYTES


def bank_kernels(bank: Bank) -> tuple[Kernel, Kernel]:
    """The kernel that gives turns, and the reader."""
    count = len(bank.streams)
    state = 2 * 32 * count  # blocks that each layer still gets, and its next one
    turns = Kernel(
        f"{bank.kernel}_turns",
        Body(register_bits=state, multiplexer_bits=state),
        channel_bits=TOKEN_BITS * count + TURN_BITS,
        channel_ends=count + 1,
    )
    reader = Kernel(
        bank.kernel,
        Body(),
        lsus=(Lsu("filters", WORD_BITS),),
        channel_bits=TURN_BITS + WORD_BITS * count,
        channel_ends=count + 1,
    )
    return turns, reader


def bank_fifo(bank: Bank) -> Fifo:
    """The turns that wait."""
    return Fifo(f"{bank.kernel} turns", TURN_BITS, TURNS)


def stream_kernel(stream: Stream) -> Kernel:
    """The kernel that takes a layer's words apart into vectors."""
    return Kernel(
        stream.kernel,
        Body(register_bits=WORD_BITS, multiplexer_bits=WORD_BITS),
        autorun=True,
        channel_bits=WORD_BITS + stream.vector_bits + TOKEN_BITS,
        channel_ends=3,
    )


def stream_fifos(stream: Stream) -> tuple[Fifo, ...]:
    """The channels of a layer's vectors, of its words, and of what says that there is room."""
    return (
        Fifo(f"{stream.layer} streamed", stream.vector_bits, STREAMED_FIFO),
        Fifo(f"{stream.layer} words", WORD_BITS, ROOM * BLOCK),
        Fifo(f"{stream.layer} room", TOKEN_BITS, ROOM),
    )
