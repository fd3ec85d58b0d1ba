"""Sizes of LLVM's types as kernels use them: scalars, vectors, arrays and structures, naturally
aligned."""

from __future__ import annotations

import re
from functools import lru_cache

from hlsgen.errors import AuditError

SCALARS = {"float": 4, "double": 8, "half": 2, "ptr": 8}
SEQUENCE = re.compile(r"[\[<](\d+) x (.*)[\]>]$")


@lru_cache(256)
def lanes(kind: str) -> int:
    """The elements of a vector; 1 of a scalar."""
    return int(kind[1 : kind.index(" ")]) if kind.startswith("<") and kind[1].isdigit() else 1


def split(text: str) -> list[str]:
    """The parts of a list that commas separate, outside brackets."""
    if not any(c in text for c in "([{<"):
        return text.split(", ") if text else []
    parts, depth, start = [], 0, 0
    for position, c in enumerate(text):
        if c in "([{<":
            depth += 1
        elif c in ")]}>":
            depth -= 1
        elif c == "," and not depth:
            parts.append(text[start:position].strip())
            start = position + 1
    return [*parts, text[start:].strip()]


def members(kind: str) -> list[str]:
    """The types of a structure's members."""
    return split((kind[2:-2] if kind.startswith("<{") else kind[1:-1]).strip())


class Types:
    """Sizes and layouts, with the named structures of one module."""

    def __init__(self, structures: dict[str, str]):
        self.structures = structures
        self._layouts: dict[str, tuple[int, int]] = {}

    def size(self, kind: str) -> int:
        """Bytes from one element of this type to the next in an array."""
        return self.layout(kind)[0]

    def layout(self, kind: str) -> tuple[int, int]:
        """Size and alignment in bytes."""
        if kind not in self._layouts:
            self._layouts[kind] = self._layout(kind)
        return self._layouts[kind]

    def _layout(self, kind: str) -> tuple[int, int]:
        if kind in SCALARS:
            return SCALARS[kind], SCALARS[kind]
        if kind in self.structures:
            return self.layout(self.structures[kind])
        if found := re.fullmatch(r"i(\d+)", kind):
            bytes_ = max(1, int(found[1]) // 8)
            return bytes_, bytes_
        if kind.startswith(("<{", "{")):
            return self._structure(kind)[1:]
        found = SEQUENCE.fullmatch(kind)
        if found is None:
            raise AuditError(f"the size of LLVM's type {kind} is not known", where="audit")
        size, alignment = self.layout(found[2])
        if kind.startswith("<"):  # as many bytes as a power of two
            size = 1 << (int(found[1]) * size - 1).bit_length()
            return size, size
        return int(found[1]) * size, alignment

    def _structure(self, kind: str) -> tuple[list[int], int, int]:
        packed = kind.startswith("<")
        offset, widest, offsets = 0, 1, []
        for member in members(kind):
            size, alignment = self.layout(member)
            alignment = 1 if packed else alignment
            offset = -(-offset // alignment) * alignment
            offsets.append(offset)
            offset, widest = offset + size, max(widest, alignment)
        return offsets, -(-offset // widest) * widest, widest

    def step(self, kind: str, index: int | None) -> tuple[str, int, int | None]:
        """One step into a type: the member's type, the bytes from one to the next (or to this one,
        in a structure), and how many there are (None in a structure). `index` is needed for
        structures alone."""
        while kind in self.structures:
            kind = self.structures[kind]
        found = SEQUENCE.fullmatch(kind) if not kind.startswith("<{") else None
        if found:
            return found[2], self.size(found[2]), int(found[1])
        assert index is not None
        offsets, _, _ = self._structure(kind)
        return members(kind)[index], offsets[index], None
