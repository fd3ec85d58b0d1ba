"""How on-chip arrays are filled from the weight stream."""

from __future__ import annotations

from collections.abc import Sequence

from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Array
from hlsgen.kernel.values import Vector
from hlsgen.kernel.writing import Lines, block, indented, unrolled
from hlsgen.types import FLOAT32, DataType, integers


def next_weights(
    vectors: Sequence[Vector], channel: str, piece: DataType = FLOAT32, before: int = 0
) -> Lines:
    """Reads the next vector into `incoming`, value by value: weights are loaded once, and a narrow
    channel is cheap. A channel of narrower pieces gives several to a value.

    `vectors`: those of the arrays that are filled, of which the last is another after so many
    elements `before`.
    """
    lanes, sizes = vectors[0].lanes, [vector.bits // piece.bits for vector in vectors]
    if len(set(sizes)) > 1:
        # Biases and the like come first, weights last.
        return read_pieces(lanes, channel, piece, f"n < {before} ? {sizes[0]} : {sizes[-1]}")
    return read_pieces(lanes, channel, piece, str(sizes[0]))


def read_pieces(lanes: int, channel: str, piece: DataType, count: str) -> Lines:
    """Reads so many pieces, or as many as an expression says, into `incoming`."""
    member, union = "lane", f"lanes{lanes}"
    if piece != FLOAT32:
        member, union = "piece", f"pieces{lanes}"
    choice: Lines = []
    if not count.isdecimal():
        choice = [f"const int pieces = {count};"]
        count = "pieces"
    return [
        f"{union} incoming;",
        *choice,
        "#pragma unroll 1",
        f"for (int i = 0; i < {count}; ++i)",
        *indented([f"incoming.{member}[i] = read_channel_intel({channel});"]),
    ]


def arrived(array: Array) -> str:
    """The vector that came in, as the array keeps it."""
    return arrived_as(array.vector)


def arrived_as(vector: Vector) -> str:
    """The vector that came in, as one of that type."""
    kind = vector.type
    if kind.integer:
        return f"incoming.{integers(kind)}"
    return "incoming.v" if kind == FLOAT32 else "incoming.stored"


def load_lines(arrays: Sequence[Array], channel: str, piece: DataType) -> Lines:
    """Declares arrays and fills them, one after another, in one loop: a channel has one reader.
    Where several vectors share a bank they are put together first, so that the bank is written
    whole."""
    lines: Lines = []
    for array in arrays:
        memory, kind = array.memory, array.vector.ctype
        lines.append(f"{memory.declaration(kind)} // on chip for good")
        lines += bank_declaration(memory, kind)
    places = [place_counters(array.memory) for array in arrays if array.memory.parts > 1]
    count = sum(array.memory.elements for array in arrays)
    before = sum(array.memory.elements for array in arrays[:-1])
    incoming = next_weights([array.vector for array in arrays], channel, piece, before)
    stored = [*incoming, *store_in_turn(arrays)]
    inner = [*places, *block(f"for (int n = 0; n < {count}; ++n) ", stored)]
    return [*lines, *block("", inner)]


def bank_declaration(memory: Memory, kind: str) -> Lines:
    """Where elements that share a bank are put together, as `store_part` takes them; none where
    each has a bank of its own."""
    if memory.bank == 1 or memory.registers:
        return []
    note = "what of a word shares a bank, as it comes in"
    return [f"{kind} {memory.name}_bank[{memory.bank}]; // {note}"]


def place_counters(memory: Memory) -> str:
    """The counters of the place where the next vector goes."""
    word = f"{memory.name}_word = 0, " if memory.depth > 1 else ""
    return f"int {word}{memory.name}_part = 0; // where the next one goes"


def store_in_turn(arrays: Sequence[Array]) -> Lines:
    """Stores `incoming`, element number n of all arrays."""
    if len(arrays) == 1:
        return store_next(arrays[0], 0)
    if sum(array.memory.parts == 1 for array in arrays) > 1:
        return store_apart(arrays, sum(array.memory.elements for array in arrays))
    lines, first = [], 0
    for number, array in enumerate(arrays):
        head = "if" if number == 0 else "} else if"
        end = first + array.memory.elements
        last = number == len(arrays) - 1
        lines.append("} else {" if last else f"{head} (n < {end}) {{")
        lines += indented(store_next(array, first))
        first = end
    return [*lines, "}"]


def store_apart(arrays: Sequence[Array], count: int) -> Lines:
    """The same, of `count` elements in all, in a statement an array: of two stores that look alike,
    in branches of one choice, LLVM makes one whose array is chosen, and that is no longer a memory
    of its own."""
    lines: Lines = []
    first = 0
    for array in arrays:
        end = first + array.memory.elements
        tests = [f"n >= {first}"] * (first > 0) + [f"n < {end}"] * (end < count)
        lines += block(f"if ({' && '.join(tests)}) ", store_next(array, first))
        first = end
    return lines


def store_next(array: Array, first: int) -> Lines:
    """Stores `incoming` as the next element; `first`: the number of the array's first one."""
    memory, value = array.memory, arrived(array)
    if memory.parts == 1:
        place = f"n - {first}" if first else "n"
        return [f"{memory.name}[{place if memory.depth > 1 else 0}] = {value};"]
    word, part = f"{memory.name}_word", f"{memory.name}_part"
    lines = store_part(memory, word if memory.depth > 1 else "0", part, value)
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
