"""The text of kernels that skip zero weights: all words of a position come in (`Nest.fills`), then
every lane of every output vector takes its non-zero weights, one an iteration for each bank of
inputs. With a window, what every tap sees goes into banks of its own."""

from __future__ import annotations

from collections.abc import Sequence

from hlsgen.kernel.load_text import (
    arrived_as,
    next_weights,
    read_pieces,
    store_apart,
    store_next,
    store_part,
)
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.naming import Instance, counters, due_tests, source_tests
from hlsgen.kernel.nest import Array, Loop, Nest, size
from hlsgen.kernel.result_text import concluded, declare_pixel
from hlsgen.kernel.sums_text import declare_sums
from hlsgen.kernel.values import Vector
from hlsgen.kernel.window_text import declare_window, next_position, shift_window
from hlsgen.kernel.writing import Lines, block, carry, indented, unrolled
from hlsgen.types import FLOAT32, PLACE_BITS, lanes_of


def stores(n: Nest) -> dict[str, Memory]:
    """Memories of weights ("values"), of the places of what they multiply, of the inputs."""
    return {memory.name: memory for memory in n.memories}


def entries(n: Nest) -> int:
    """Words of weights: one for every iteration that multiplies."""
    return size(loop for loop in n.sequential if not loop.arrives)


def taps(n: Nest) -> tuple[int, int]:
    """Rows and columns of the window's taps; (1, 1) where there is no window to slide."""
    if n.window is None:
        return 1, 1
    (_, down), (_, across) = (index.terms[0] for index in n.window.tap)
    return (n.window.rows - 1) // down + 1, (n.window.length - 1) // across + 1


def slides(n: Nest) -> bool:
    """Whether the window is more than the pixel that arrives."""
    return n.window is not None and (taps(n) != (1, 1) or bool(due_tests(n) or source_tests(n)))


def work(n: Nest, at: Instance) -> list[Loop]:
    """Counted loops in which nothing arrives, outermost first."""
    return [loop for loop in counters(n, at) if not loop.arrives]


def skip_declarations(n: Nest, at: Instance) -> Lines:
    """Weights and their places, which are loaded; inputs; window, sums, counters."""
    inputs = stores(n)["inputs"]
    lines = [
        *load_entries(n, at),
        "",
        f"{inputs.declaration(n.types.operand.ctype)} // bank by bank; every lane has a copy",
        "int c = 0; // words of the position that are here",
    ]
    if slides(n):
        lines += declare_window(n, n.sources[0].word.ctype)
    lines += [*declare_sums(n, at), *declare_pixel(n, at)]
    started = [f"{loop.name} = 0" for loop in reversed(work(n, at))]
    started += ["word = 0"] * (entries(n) > 1)
    return lines + [f"int {', '.join(started)};"] * bool(started)


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
        f"{places.declaration('ushort')} // and the places of what they multiply",
        *block(
            "",
            [
                "int word = 0, k = 0; // of the entries that come in: values, then their places",
                "bool place = false;",
                *block(f"for (int n = 0; n < {count}; ++n) ", inner),
            ],
        ),
    ]


def weights(n: Nest) -> Vector:
    """A vector of weights."""
    return n.vector(n.types.weight, n.lanes)


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
    place, value = places.at(word, f"k * {n.lanes} + i"), arrived_as(weights(n))
    number = "(ushort)as_int(incoming.lane[i])"
    if at.piece != FLOAT32:
        size = PLACE_BITS // at.piece.bits
        parts = [f"incoming.piece[i * {size} + {b}] << {b * at.piece.bits}" for b in range(size)]
        number = f"(ushort)({' | '.join(parts)})"
    taken = unrolled("i", 0, n.lanes, [f"{place} = {number};"])
    listed = [
        "if (!place) {",
        *indented([*store_part(values, word, "k", value), "place = true;"]),
        "} else {",
        *indented([*taken, "place = false;", *carry([Loop("k", values.parts)], ["++word;"])]),
        "}",
    ]
    if len(first) == 1:
        stored = indented(store_next(first[0], 0))
        return [f"if (n < {before}) {{", *stored, f"}} else {listed[0]}", *listed[1:]]
    return [*store_apart(first, before + 1), *block(f"if (n >= {before}) ", listed)]


def skip_body(n: Nest, at: Instance) -> Lines:
    """A word arrives, or lists of weights are worked through."""
    due, count = due_tests(n), stores(n)["inputs"].depth
    lines = [f"const bool due = {due}; // this position gives an output pixel"] * bool(due)
    arrived = [*arrival(n, at), "++c;"]
    if due:
        skipped = ["c = 0;", *following(n)]
        arrived += block(f"if (!due && c == {count}) ", skipped)
    multiplied = [*multiply(n, at), *concluded(n, at, "product"), *next_entry(n)]
    return [
        *lines,
        f"if (c < {count}) {{",
        *indented(arrived),
        "} else {",
        *indented([*multiplied, *carry(list(reversed(work(n, at))), [])]),
        "}",
    ]


def following(n: Nest) -> Lines:
    """The next position."""
    return next_position(n.raster) if n.raster and slides(n) else []


def arrival(n: Nest, at: Instance) -> Lines:
    """The word that arrives, tap by tap, into the banks of the inputs."""
    source, inputs = n.sources[0], stores(n)["inputs"]
    lanes, place = source.word.lanes, "c" if inputs.depth > 1 else "0"
    read = f"read_channel_intel({at.sources[0]})"
    over = [at.pragma, f"for (int i = 0; i < {lanes}; ++i)"]
    union = lanes_of(source.word.type, lanes)
    if not slides(n):
        stored = f"{inputs.at(place, 'i')} = vector.lane[i];"
        return [f"{union} vector;", f"vector.v = {read};", *over, *indented([stored])]
    assert n.window is not None
    (rows, columns), (row, column) = taps(n), n.window.tap
    stored = f"{inputs.at(place, f'(ky * {columns} + kx) * {lanes} + i')} = seen.lane[i];"
    seen = f"window[{row.text(['ky'])}][{column.text(['kx'])}]"
    inner = [f"{union} seen;", f"seen.v = {seen};", *over, *indented([stored])]
    return [
        *shift_window(n, source.word.ctype, read, source_tests(n), source.beyond),
        at.pragma,
        f"for (int ky = 0; ky < {rows}; ++ky)",
        f"    {at.pragma}",
        *indented(block(f"for (int kx = 0; kx < {columns}; ++kx) ", inner)),
    ]


def multiply(n: Nest, at: Instance) -> Lines:
    """Every lane multiplies an entry for each bank by the input at its place."""
    values, places, inputs = (stores(n)[name] for name in ("values", "places", "inputs"))
    banks, lanes = values.parts, n.lanes
    word = "word" if entries(n) > 1 else "0"
    place = places.at(word, f"k * {lanes} + i")
    width = inputs.parts // banks
    each = [f"const ushort at = {place};", *(chosen_lane(n, width) if inputs.decoded else [])]
    found = "found" if inputs.decoded else addressed(inputs, width)
    each.append(f"term.lane[i] = value.lane[i] * {found};")
    unions = [lanes_of(kind, lanes) for kind in (n.types.weight, n.types.accumulator)]
    declared = [f"{unions[0]} value;", f"{unions[1]} term;"]
    inner = [
        *([f"{unions[0]} value, term;"] if unions[0] == unions[1] else declared),
        f"value.v = {values.at(word, 'k')};",
        at.pragma,
        *block(f"for (int i = 0; i < {lanes}; ++i) ", each),
        "product += term.v;",
    ]
    return [
        f"{n.accumulator.ctype} product = {n.types.accumulator.zero};",
        at.pragma,
        *block(f"for (int k = 0; k < {banks}; ++k) ", inner),
    ]


def addressed(inputs: Memory, width: int) -> str:
    """The input at a place of a bank of `width` lanes."""
    if width == 1:
        return inputs.at("at", "k")
    return inputs.at(f"at / {width}", f"k * {width} + at % {width}")


def chosen_lane(n: Nest, width: int) -> Lines:
    """The same among registers, which have no address: one lane of the bank's only vector."""
    inputs, first = stores(n)["inputs"], "k" if width == 1 else f"k * {width}"
    lines = [f"{n.types.operand.ctype} found = {inputs.at('0', first)};"]
    if width == 1:
        return lines
    choice = ["if (b == at)", *indented([f"found = {inputs.at('0', f'{first} + b')};"])]
    return lines + unrolled("b", 1, width, choice)


def next_entry(n: Nest) -> Lines:
    """The next word of weights, after the last one the next position."""
    last, ends = entries(n) - 1, ["c = 0; // the next position", *following(n)]
    if not last:
        return ends
    whole = block(f"if (word == {last}) ", ends) if len(ends) > 1 else [
        f"if (word == {last})", *indented(ends)]  # fmt: skip
    return [*whole, f"word = word == {last} ? 0 : word + 1;"]
