"""How weights without zeros come in: words of values, and of the places of what they multiply, by
turns. Kernels that skip zeros keep a place for every lane; those that choose among the lanes of an
input vector pack a vector's places into one integer."""

from __future__ import annotations

from collections.abc import Sequence

from hlsgen.kernel.load_text import (
    arrived_as,
    bank_declaration,
    next_weights,
    read_pieces,
    store_apart,
    store_next,
    store_part,
)
from hlsgen.kernel.memory import Memory, power_of_two
from hlsgen.kernel.naming import Instance
from hlsgen.kernel.nest import Array, Loop, Nest, size
from hlsgen.kernel.values import Vector
from hlsgen.kernel.writing import Lines, block, carry, indented, unrolled
from hlsgen.types import FLOAT32, PLACE_BITS


def stores(n: Nest) -> dict[str, Memory]:
    """Memories of weights ("values"), of the places of what they multiply, of the inputs."""
    return {memory.name: memory for memory in n.memories}


def entries(n: Nest) -> int:
    """Words of weights: one for every iteration that multiplies."""
    return size(loop for loop in n.sequential if not (n.fills and loop.arrives))


def weights(n: Nest) -> Vector:
    """A vector of weights."""
    return n.vector(n.types.weight, n.lanes)


def place_type(n: Nest) -> str:
    """What an element of the places is: of a lane, or all of a vector's together."""
    bits = stores(n)["places"].bits
    return {8: "uchar", 16: "ushort", 32: "uint", 64: "ulong"}[bits]


def place_bits(width: int) -> int:
    """Bits of the place of a lane among so many: a power of two, so that places pack."""
    return power_of_two(max((width - 1).bit_length(), 1))


def packed_place(n: Nest, number: str, lane: str) -> str:
    """The place of a lane where it stands among those of its vector."""
    return f"({place_type(n)})({number}) << {lane} * {place_bits(n.sources[0].word.lanes)}"


def load_entries(n: Nest, at: Instance) -> Lines:
    """Biases come first; then a word of values and one of places by turns, for every bank."""
    values, places = stores(n)["values"], stores(n)["places"]
    first = [array for array in (n.bias, *n.constants) if array]
    before = sum(array.memory.depth for array in first)
    count = before + 2 * values.elements
    inner = [*next_entries(n, at, first, before), *store_entry(n, at, first, before)]
    return [
        *(
            f"{array.memory.declaration(array.vector.ctype)} // on chip for good, as are"
            for array in first
        ),
        f"{values.declaration(weights(n).ctype)} // values of weights",
        f"{places.declaration(place_type(n))} // and the places of what they multiply",
        *(bank_declaration(values, weights(n).ctype) if n.combine.chooses else []),
        *(bank_declaration(places, place_type(n)) if n.combine.chooses else []),
        *block(
            "",
            [
                "int word = 0, k = 0; // of the entries that come in: values, then their places",
                "bool place = false;",
                *block(f"for (int n = 0; n < {count}; ++n) ", inner),
            ],
        ),
    ]


def next_entries(n: Nest, at: Instance, first: Sequence[Array], before: int) -> Lines:
    """Reads the next vector, which has as many pieces as its values have."""
    if at.piece == FLOAT32:
        return next_weights([array.vector for array in first], at.weights)
    sizes = [array.vector.bits // at.piece.bits for array in first]
    assert len(set(sizes)) == 1, "vectors that come before the weights are as wide"
    values, places = weights(n).bits // at.piece.bits, n.lanes * PLACE_BITS // at.piece.bits
    later = f"place ? {places} : {values}" if places != values else str(values)
    return read_pieces(n.lanes, at.weights, at.piece, f"n < {before} ? {sizes[0]} : {later}")


def store_entry(n: Nest, at: Instance, first: Sequence[Array], before: int) -> Lines:
    """Stores `incoming`, element number n of the arrays that come first and of the lists."""
    values, places = stores(n)["values"], stores(n)["places"]
    word = "word" if entries(n) > 1 else "0"
    number = "(ushort)as_int(incoming.lane[i])"
    if at.piece != FLOAT32:
        size = PLACE_BITS // at.piece.bits
        parts = [f"incoming.piece[i * {size} + {b}] << {b * at.piece.bits}" for b in range(size)]
        number = f"(ushort)({' | '.join(parts)})"
    if n.combine.chooses:
        packed = unrolled("i", 0, n.lanes, [f"packed |= {packed_place(n, number, 'i')};"])
        kept = store_part(places, word, "k", "packed")
        taken = [f"{place_type(n)} packed = 0;", *packed, *kept]
    else:
        taken = unrolled("i", 0, n.lanes, [f"{places.at(word, f'k * {n.lanes} + i')} = {number};"])
    listed = [
        "if (!place) {",
        *indented([*store_part(values, word, "k", arrived_as(weights(n))), "place = true;"]),
        "} else {",
        *indented([*taken, "place = false;", *carry([Loop("k", values.parts)], ["++word;"])]),
        "}",
    ]
    if len(first) == 1:
        stored = indented(store_next(first[0], 0))
        return [f"if (n < {before}) {{", *stored, f"}} else {listed[0]}", *listed[1:]]
    return [*store_apart(first, before + 1), *block(f"if (n >= {before}) ", listed)]
