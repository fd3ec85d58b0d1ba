"""The kernel that puts input vectors of a pixel together, a word that another one multiplies in an
iteration."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Collector:
    """Puts `together` of a pixel's `vectors` together for the kernel `reader`, from the channel
    `source` into `target`, which it declares `depth` words deep, with `copies` ("" or an array).

    `word`, `vector`: the types of both; `zero`: a vector of zeros.
    """

    reader: str
    word: str
    vector: str
    zero: str
    together: int
    vectors: int
    pixels: int
    source: str
    target: str
    depth: int
    copies: str
    head: str
    autorun: bool

    @property
    def fills_up(self) -> bool:
        """Whether a pixel's last word is filled up with zeros."""
        return self.vectors % self.together > 0

    @property
    def words(self) -> int:
        """Of an image."""
        return self.pixels * ceil(self.vectors / self.together)
