"""The text of partial sums of folded engines, which take turns in a shift register, so that II is
1: as many turns pass before one is added to again."""

from __future__ import annotations

from hlsgen.kernel.derive import sums
from hlsgen.kernel.nest import Nest
from hlsgen.kernel.writing import Lines, unrolled


def declared(n: Nest) -> Lines:
    """The register, where there is one."""
    length = sums(n).register_length
    note = (
        "// partial sums, a shift register" if length > 1 else "// of integers, which rest nowhere"
    )
    return [f"{n.accumulator.ctype} sums[{length}] REGISTERS; {note}"] * bool(length)


def added(n: Nest, value: str, turn: str) -> Lines:
    """Adds `value` of turn `turn` of a sum."""
    length, kind, zero = sums(n).register_length, n.accumulator.ctype, n.types.accumulator.zero
    if length == 1:
        return [f"sums[0] = {turn} == 0 ? {value} : sums[0] + {value};"]
    return [
        f"const {kind} newest = {turn} < {length} ? {value} : sums[0] + {value};",
        *unrolled("p", 0, length - 1, [f"sums[p] = {turn} == 0 ? {zero} : sums[p + 1];"]),
        f"sums[{length - 1}] = newest;",
    ]


def total(n: Nest) -> Lines:
    """What all of them are together."""
    length, kind = sums(n).register_length, n.accumulator.ctype
    last = unrolled("p", 1, length, ["total += sums[p];"]) if length > 1 else []
    return [f"{kind} total = sums[0];", *last]
