"""How the vectors of several tensors share the words of a link between boards.

All I/O channels of a link move together: a word is as wide as all of them. The tensors take turns
in a fixed order, in rounds, so that each is as far through its image as the others at any time, and
so the kernels at both ends know what a word holds without being told. One stream over all channels
has their whole bandwidth whatever the tensors are, and they may be more than the channels.

A vector that is narrower than a word shares it with its neighbours, one that is wider takes
several. The least that fills whole words is a group; an image's last group may be filled up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, gcd

import numpy as np


@dataclass(frozen=True)
class Packed:
    """A tensor on a link with words of `word` bits: so many `vectors` an image, of `bits`, of
    which a pixel has `per_pixel`."""

    tensor: str
    vectors: int
    bits: int
    per_pixel: int
    word: int

    @property
    def together(self) -> int:
        """Vectors in a word."""
        return max(self.word // self.bits, 1)

    @property
    def apart(self) -> int:
        """Words of a vector."""
        return max(self.bits // self.word, 1)

    @property
    def pixel_bits(self) -> int:
        """Bits of a pixel, lanes without channels included."""
        return self.per_pixel * self.bits

    @property
    def turns(self) -> int:
        """Iterations of a group: one a vector, or one a word, whichever are more."""
        return max(self.together, self.apart)

    @property
    def groups(self) -> int:
        """Of an image."""
        return ceil(self.vectors / self.together)

    @property
    def filled_up(self) -> bool:
        """Whether an image's last group has fewer vectors than others."""
        return self.vectors % self.together > 0


@dataclass(frozen=True)
class Packing:
    """The tensors of a link, in the order in which they take turns."""

    tensors: tuple[Packed, ...]

    @cached_property
    def rounds(self) -> int:
        """Rounds of an image: in each, every tensor has the same number of groups."""
        return gcd(*(tensor.groups for tensor in self.tensors))

    def groups(self, tensor: Packed) -> int:
        """Groups of a tensor in a round."""
        return tensor.groups // self.rounds

    def round_turns(self, tensor: Packed) -> int:
        """Iterations of a tensor in a round."""
        return self.groups(tensor) * tensor.turns

    @property
    def turns(self) -> int:
        """Iterations of an image, of the kernels at both ends."""
        return self.rounds * sum(map(self.round_turns, self.tensors))

    @property
    def words(self) -> int:
        """Words of an image."""
        return sum(tensor.groups * tensor.apart for tensor in self.tensors)

    @cached_property
    def schedule(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of every iteration of an image: the position of its tensor, the number of the vector in
        the image, -1 where a group is filled up or the vector is under way, and whether it is the
        last of a word's."""
        tensors, vectors, ends = [], [], []
        for position, tensor in enumerate(self.tensors):
            count = self.round_turns(tensor)
            turn = np.arange(self.rounds * count).reshape(self.rounds, count)
            place = turn % tensor.turns
            if tensor.apart > 1:
                vector = np.where(place == 0, turn // tensor.apart, -1)
            else:
                vector = np.where(turn < tensor.vectors, turn, -1)
            tensors.append(np.full(turn.shape, position))
            vectors.append(vector)
            ends.append((tensor.apart > 1) | (place == tensor.together - 1))
        found = [np.concatenate(parts, axis=1).ravel() for parts in (tensors, vectors, ends)]
        return found[0], found[1], found[2]

    def sent(self) -> tuple[list[np.ndarray], np.ndarray]:
        """When, in iterations of an image, the sending end takes each tensor's vectors, and when it
        writes words."""
        tensors, vectors, ends = self.schedule
        taken = [
            np.flatnonzero((tensors == position) & (vectors >= 0))
            for position in range(len(self.tensors))
        ]
        return taken, np.flatnonzero(ends)

    def received(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """When the receiving end reads words, and when it writes each tensor's vectors: a word
        comes with its first vector, a vector of several words leaves with the last of them."""
        tensors, vectors, ends = self.schedule
        starts = np.concatenate([[True], ends[:-1]])
        left = []
        for position, tensor in enumerate(self.tensors):
            first = np.flatnonzero((tensors == position) & (vectors >= 0))
            left.append(first + tensor.apart - 1)
        return np.flatnonzero(starts), left

    def pixels_needed(self) -> list[np.ndarray]:
        """Of each tensor, how many pixels are taken by the end of each round of an image."""
        rounds = np.arange(1, self.rounds + 1)
        return [
            -(-np.minimum(rounds * self.groups(t) * t.together, t.vectors) // t.per_pixel)
            for t in self.tensors
        ]
