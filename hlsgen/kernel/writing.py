"""Lines of OpenCL: blocks, unrolled loops, counters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hlsgen.kernel.nest import Loop

Lines = list[str]


def indented(lines: Iterable[str]) -> Lines:
    """One level deeper."""
    return [f"    {line}" if line else "" for line in lines]


def block(head: str, lines: Iterable[str], note: str = "") -> Lines:
    """Lines in braces after a head that ends with a space, or is empty."""
    return [f"{head}{{{note}", *indented(lines), "}"]


def unrolled(counter: str, first: int, end: int, statement: Lines) -> Lines:
    """A loop round one statement whose iterations happen at once."""
    head = f"for (int {counter} = {first}; {counter} < {end}; ++{counter})"
    return ["#pragma unroll", head, *indented(statement)]


def unrolled_block(counter: str, first: int, end: int, inner: Lines) -> Lines:
    """A loop round several statements whose iterations happen at once."""
    head = f"for (int {counter} = {first}; {counter} < {end}; ++{counter}) "
    return ["#pragma unroll", *block(head, inner)]


def counted(loops: Iterable[Loop]) -> list[Loop]:
    """Loops that need a counter."""
    return [loop for loop in loops if loop.bound > 1]


def carry(loops: Sequence[Loop], inside: Lines) -> Lines:
    """Counts on, the first loop innermost; `inside` runs when all have wrapped round. A counter is
    compared with its last value, not with its bound after it was counted on: its recurrence is as
    short as it can be."""
    if not loops:
        return inside
    name, count = loops[0].name, loops[0].count
    last = f"{count.text} - 1" if count else loops[0].bound - 1
    return [
        f"if ({name} == {last}) {{",
        *indented([f"{name} = 0;", *carry(loops[1:], inside)]),
        "} else {",
        *indented([f"++{name};"]),
        "}",
    ]
