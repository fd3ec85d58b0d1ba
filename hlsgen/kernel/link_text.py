"""The OpenCL text of the kernels at the ends of links between boards: what
`templates/pipelined/links.j2` prints of a `Packing`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hlsgen.kernel.naming import LINK_IN
from hlsgen.kernel.packing import Packed, Packing

# A word is a struct of so many bits.
UINT = 32


@dataclass(frozen=True)
class Turns:
    """A tensor's iterations in the text: its vectors' `type`, the name of its `part` of the union,
    its `channels`, vectors of a group. Expressions: `mine`, whether an iteration is one of its ("":
    all that are left are); `place` in the group; `there`, whether a vector comes or goes ("":
    always); `word` of the group; `full`, whether a word comes or goes."""

    tensor: str
    type: str
    part: str
    channels: tuple[str, ...]
    together: int
    mine: str
    place: str
    there: str
    word: str
    full: str


@dataclass(frozen=True)
class LinkText:
    """A kernel at an end of a link: I/O `channels` of words of so many uint, `depth` words deep,
    side by side; `words` of the longest group; iterations of a round and of an image, `bytes` of an
    image on a channel. `word` and
    `full` are those of whichever tensor's turn it is; `counts_rounds`: whether one asks for the
    round."""

    kernel: str
    channels: tuple[str, ...]
    uints: int
    depth: int
    words: int
    tensors: tuple[Turns, ...]
    round: int
    image: int
    counts_rounds: bool
    word: str
    full: str
    bytes: int

    @property
    def receives(self) -> bool:
        """Whether words come in."""
        return self.kernel == LINK_IN


def link_text(
    kernel: str,
    channels: Sequence[str],
    bits: int,
    depth: int,
    packed: Packing,
    types: Sequence[str],
    ends: Sequence[Sequence[str]],
) -> LinkText:
    """The text of a kernel whose tensors, with vectors of these `types`, go to or come from the
    channels `ends`."""
    first, turns = 0, list[Turns]()
    for tensor, kind, names in zip(packed.tensors, types, ends, strict=True):
        part = f"v{len(turns) + 1}"
        turns.append(tensor_turns(packed, tensor, first, kernel, kind, part, tuple(names)))
        first += packed.round_turns(tensor)
    return LinkText(
        kernel,
        tuple(channels),
        bits // UINT,
        depth,
        max(tensor.apart for tensor in packed.tensors),
        tuple(turns),
        first,
        packed.turns,
        packed.rounds > 1 and any(tensor.filled_up for tensor in packed.tensors),
        chosen([(t.mine, t.word) for t in turns]),
        chosen([(t.mine, t.full) for t in turns]),
        packed.words * bits // 8,
    )


def tensor_turns(
    packed: Packing,
    tensor: Packed,
    first: int,
    kernel: str,
    kind: str,
    part: str,
    channels: tuple[str, ...],
) -> Turns:
    """A tensor whose iterations of a round begin after so many others."""
    count, receives = packed.round_turns(tensor), kernel == LINK_IN
    slot = f"slot - {first}" if first else "slot"
    place = f"({slot}) % {tensor.turns}" if count > tensor.turns else slot
    place = place.replace("(slot)", "slot") if tensor.turns > 1 else "0"
    there = ""
    if tensor.filled_up:
        vector = f"round * {count} + {slot}" if packed.rounds > 1 else slot
        there = f"{vector} < {tensor.vectors}"
    begins, ends = f"{place} == 0", f"{place} == {tensor.turns - 1}"
    if (
        tensor.apart > 1
    ):  # a vector of several words goes on with the last, and comes before the first
        there = ends if receives else begins
    return Turns(
        tensor.tensor,
        kind,
        part,
        channels,
        tensor.together,
        f"slot < {first + count}" if tensor is not packed.tensors[-1] else "",
        place,
        there,
        place if tensor.apart > 1 else "0",
        "true" if tensor.together == 1 else begins if receives else ends,
    )


def chosen(cases: Sequence[tuple[str, str]]) -> str:
    """The value of the first case whose test holds, the last one's being none."""
    if len({value for _, value in cases}) == 1:
        return cases[0][1]
    *tests, (_, last) = cases
    return "".join(f"{test} ? {value} : " for test, value in tests) + last
