"""The text of kernels that skip zero weights: all words of a position come in (`Nest.fills`), then
every lane of every output vector takes its non-zero weights, one an iteration for each bank of
inputs. With a window, what every tap sees goes into banks of its own."""

from __future__ import annotations

from hlsgen.kernel.entry_text import entries, load_entries, stores
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.naming import Instance, counters, due_tests, source_tests
from hlsgen.kernel.nest import Loop, Nest
from hlsgen.kernel.result_text import concluded, declare_pixel
from hlsgen.kernel.sums_text import declare_sums
from hlsgen.kernel.window_text import declare_window, next_position, shift_window
from hlsgen.kernel.writing import Lines, block, carry, indented, unrolled
from hlsgen.types import lanes_of


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
