"""How on-chip arrays are filled from the weight stream."""

from __future__ import annotations

from collections.abc import Sequence

from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Vector
from hlsgen.kernel.writing import Lines, block, indented, unrolled


def next_weights(vector: Vector, channel: str) -> Lines:
    """Reads the next vector into `incoming`, value by value: weights are loaded once, and a narrow
    channel is cheap."""
    return [
        f"lanes{vector.lanes} incoming;",
        "#pragma unroll 1",
        f"for (int i = 0; i < {vector.lanes}; ++i)",
        *indented([f"incoming.lane[i] = read_channel_intel({channel});"]),
    ]


def load_lines(memories: Sequence[Memory], vector: Vector, channel: str) -> Lines:
    """Declares arrays and fills them, one after another, in one loop: a channel has one reader.
    Where several vectors share a bank they are put together first, so that the bank is written
    whole."""
    lines: Lines = []
    for memory in memories:
        lines.append(f"{memory.declaration(vector.ctype)} // on chip for good")
        if memory.bank > 1 and not memory.registers:
            lines.append(
                f"{vector.ctype} {memory.name}_bank[{memory.bank}];"
                " // what of a word shares a bank, as it comes in"
            )
    places = [place_counters(memory) for memory in memories if memory.parts > 1]
    count = sum(memory.elements for memory in memories)
    stored = [*next_weights(vector, channel), *store_in_turn(memories)]
    inner = [*places, *block(f"for (int n = 0; n < {count}; ++n) ", stored)]
    return [*lines, *block("", inner)]


def place_counters(memory: Memory) -> str:
    """The counters of the place where the next vector goes."""
    word = f"{memory.name}_word = 0, " if memory.depth > 1 else ""
    return f"int {word}{memory.name}_part = 0; // where the next one goes"


def store_in_turn(memories: Sequence[Memory]) -> Lines:
    """Stores `incoming`, element number n of all arrays."""
    if len(memories) == 1:
        return store_next(memories[0], 0)
    if sum(memory.parts == 1 for memory in memories) > 1:
        return store_apart(memories)
    lines, first = [], 0
    for number, memory in enumerate(memories):
        head = "if" if number == 0 else "} else if"
        end = first + memory.elements
        last = number == len(memories) - 1
        lines.append("} else {" if last else f"{head} (n < {end}) {{")
        lines += indented(store_next(memory, first))
        first = end
    return [*lines, "}"]


def store_apart(memories: Sequence[Memory]) -> Lines:
    """The same in a statement an array: of two stores that look alike, in branches of one choice,
    LLVM makes one whose array is chosen, and that is no longer a memory of its own."""
    lines: Lines = []
    first, count = 0, sum(memory.elements for memory in memories)
    for memory in memories:
        end = first + memory.elements
        tests = [f"n >= {first}"] * (first > 0) + [f"n < {end}"] * (end < count)
        lines += block(f"if ({' && '.join(tests)}) ", store_next(memory, first))
        first = end
    return lines


def store_next(memory: Memory, first: int) -> Lines:
    """Stores `incoming` as the next element; `first`: the number of the array's first one."""
    if memory.parts == 1:
        place = f"n - {first}" if first else "n"
        return [f"{memory.name}[{place if memory.depth > 1 else 0}] = incoming.v;"]
    word, part = f"{memory.name}_word", f"{memory.name}_part"
    lines = store_part(memory, word if memory.depth > 1 else "0", part, "incoming.v")
    if memory.depth == 1:
        return [*lines, f"++{part};"]
    return [
        *lines,
        f"if ({part} == {memory.parts - 1}) {{",
        *indented([f"{part} = 0;", f"++{word};"]),
        "} else {",
        *indented([f"++{part};"]),
        "}",
    ]


def store_part(memory: Memory, word: str, part: str, value: str) -> Lines:
    """Stores `value` as element `part` of a word: in registers by comparing, else bank by bank."""
    if memory.registers:
        stored = f"{memory.at(word, 'b')} = {value};"
        return unrolled("b", 0, memory.parts, [f"if (b == {part})", *indented([stored])])
    if memory.bank == 1:
        return [f"{memory.at(word, part)} = {value};"]
    last = memory.bank - 1
    here = f"({part} & {last})"
    kept = f"{memory.name}_bank[b]"
    written = f"{memory.at(word, f'({part} & ~{last}) + b')} = {kept};"
    return [
        *unrolled("b", 0, memory.bank, [f"if (b == {here})", *indented([f"{kept} = {value};"])]),
        *block(
            f"if ({here} == {last} || {part} == {memory.parts - 1}) ",
            unrolled("b", 0, memory.bank, [written]),
        ),
    ]
