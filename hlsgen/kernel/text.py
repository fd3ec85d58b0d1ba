"""The OpenCL text of a kernel: what `templates/pipelined/kernel.cl.j2` prints of its description.

Nothing here asks which operator it prints. Lines carry their indentation from where they stand.
"""

from __future__ import annotations

from dataclasses import dataclass

from hlsgen.kernel.derive import multiply_adds, sequential_taps, trip_count
from hlsgen.kernel.entry_text import entries, load_entries, place_bits, place_type, stores
from hlsgen.kernel.load_text import load_lines
from hlsgen.kernel.memory import power_of_two
from hlsgen.kernel.naming import (
    Instance,
    counters,
    due_tests,
    element,
    expression,
    running,
    source_tests,
    word_type,
)
from hlsgen.kernel.nest import Index, Loop, Nest, row_major, size
from hlsgen.kernel.operand_text import declare_held, held_promises, operands, passed
from hlsgen.kernel.result_text import concluded, declare_pixel, emit, scale_lines, scales, sliced
from hlsgen.kernel.skip_text import skip_body, skip_declarations
from hlsgen.kernel.sums_text import declare_sums, sums_promise
from hlsgen.kernel.values import Vector
from hlsgen.kernel.window_text import (
    chosen_tap,
    declare_window,
    next_position,
    shift_window,
    tap,
    window_promises,
)
from hlsgen.kernel.writing import Lines, block, carry, counted, indented, unrolled
from hlsgen.types import converted, decoded, lanes_of


@dataclass(frozen=True)
class KernelText:
    """All that the template prints."""

    types: Lines
    comment: str
    signature: Lines
    declarations: Lines
    promises: Lines
    every_iteration: str
    body: Lines


def kernel_text(n: Nest, at: Instance) -> KernelText:
    """The text of a kernel."""
    return KernelText(
        types=[*slice_types(n, at), *scales(n, at), *(t.declaration(at.name) for t in n.tables)],
        comment=f"{at.title}{': ' if n.what else ''}{n.what}{multiplier_note(n)}",
        signature=signature(n, at),
        declarations=declarations(n, at),
        promises=[*window_promises(n), *held_promises(n), *sums_promise(n, at)],
        every_iteration=every_iteration(at.autorun, trip_count(n)),
        body=[] if n.template else body(n, at),
    )


# ---- Pieces


def every_iteration(autorun: bool, trips: int) -> str:
    """The head of the loop over all images."""
    if autorun:
        return f"EVERY_TURN({trips})"
    return f"for (long turn = 0; turn < (long)images * {trips}; ++turn)"


def signature(n: Nest, at: Instance) -> Lines:
    """Attributes, name, parameters."""
    result = n.result.ctype
    if at.autorun:
        return ["STREAMING_KERNEL", f"__kernel void {at.name}(STREAMING_PARAMETERS({result}))"]
    scratch = f", __global {n.accumulator.ctype} *restrict scratch" if at.scratch else ""
    return [
        "__attribute__((max_global_work_dim(0)))",
        f"__kernel void {at.name}(const int images TAP_PARAMETER({result}){scratch})",
    ]


def multiplier_note(n: Nest) -> str:
    """What the comment says of the multipliers."""
    if n.combine.kind != "multiply":
        return ""
    slices, together = n.slicing, n.sources[0].word.count
    note = "; weights stream from memory" if n.streamed else ""
    note += f"; {multiply_adds(n)} multipliers"
    note += f", {slices.bound} turns a vector" if slices else ""
    if together > 1:
        note += f", {together} input vectors by an output vector a turn"
    return note


def slice_types(n: Nest, at: Instance) -> Lines:
    """The union of a vector and its slices."""
    if not n.slicing:
        return []
    part = f"{n.types.result.vector(n.accumulator.lanes)} part[{n.slicing.bound}];"
    return [f"typedef union {{ {n.result.ctype} v; {part} }} {at.name}_parts;", ""]


# ---- Declarations


def declarations(n: Nest, at: Instance) -> Lines:
    """On-chip memories, the window's registers, sums, counters."""
    if n.fills:
        return skip_declarations(n, at)
    lines: Lines = []
    stored = [array for array in (n.bias, *n.constants, n.weights) if array]
    if n.combine.chooses:
        lines += [*load_entries(n, at), ""]
    elif stored:
        lines += [*load_lines(stored, at.weights, at.piece), ""]
    if n.slicing:
        lines.append(f"{at.name}_parts result;")
    if n.combine.lane and n.window is None:
        lines.append(f"{union(n)} in;")
    lines += border_word(n, at)
    if n.window:
        lines += declare_window(n, word_type(n, at))
    lines += [*declare_sums(n, at), *declare_held(n)]
    lines += [buffer.declaration for buffer in n.buffers]
    lines += declare_pixel(n, at)
    if n.template:
        return lines
    started = [f"{loop.name} = 0" for loop in reversed(counters(n, at))]
    started += ["word = 0"] * counts_words(n)
    return lines + [f"int {', '.join(started)};"] * bool(started)


def counts_words(n: Nest) -> bool:
    """Whether a counter names the word of weights: cheaper than an index of products."""
    return weight_words(n) > 1


def weight_words(n: Nest) -> int:
    """Words of weights that are on chip for good."""
    if n.combine.chooses:
        return entries(n)
    return n.weights.memory.depth if n.weights else 0


def border_word(n: Nest, at: Instance) -> Lines:
    """A word of several vectors that borders read as."""
    source = n.sources[0]
    if source.word.count == 1 or not n.window or not source_tests(n):
        return []
    return [
        f"{at.word} border; // a word of zeros",
        *unrolled("b", 0, source.word.count, [f"border.v[b] = {source.beyond};"]),
    ]


# ---- The body of the loop


def body(n: Nest, at: Instance) -> Lines:
    """An iteration: a word arrives, values are combined, a result leaves, counters move on."""
    if n.fills:
        return skip_body(n, at)
    due = due_tests(n)
    lines = [f"const bool due = {due}; // this position gives an output pixel"] * bool(due)
    lines += arrival(n, at)
    computed = compute(n, at)
    if n.window:
        computed = block("if (due) " if due else "", computed)
    return lines + computed + advance(n, at, bool(due))


def arrival(n: Nest, at: Instance) -> Lines:
    """A word of the source moves into the window, or into the register that it is taken from."""
    resting = [loop for loop in counted(n.sequential) if not loop.arrives]
    first = " && ".join(f"{loop.name} == 0" for loop in reversed(resting))
    read = f"read_channel_intel({at.sources[0]})"
    if n.window:
        inside = source_tests(n)
        border = "border" if n.sources[0].word.count > 1 else n.sources[0].beyond
        lines = shift_window(n, word_type(n, at), read, inside, border)
        note = " // the window moves on by one input vector"
        return block(f"if ({first}) " if first else "", lines, note)
    if not n.combine.lane:
        return []
    taken = [f"in.v = {read};"]
    return [f"if ({first})", *indented(taken)] if first else taken


def compute(n: Nest, at: Instance) -> Lines:
    """From operands to a result that leaves."""
    lines = [*scale_lines(n, at), *combined(n, at)]
    value = running(n)
    if n.combine.kind == "pass":
        lines += emit(at, value)
    elif n.slicing:
        lines += sliced(n, at, value)
    else:
        lines += concluded(n, at, value)
    if counts_words(n):
        lines.append(f"word = word == {weight_words(n) - 1} ? 0 : word + 1;")
    return lines


def combined(n: Nest, at: Instance) -> Lines:
    """The running value of this iteration."""
    kind, value = n.accumulator.ctype, running(n)
    if n.combine.kind in ("each", "pass"):
        return one_word(n, at)
    if n.streamed:
        lane = expression(n, Index(((n.combine.lane, 1),)))
        return [f"const {kind} {value} = in.lane[{lane}] * {weight(n, at)};"]
    types = n.types
    start = types.operand.lowest if n.combine.kind == "maximum" else types.accumulator.zero
    if n.epilogue.conversion and not types.accumulator.integer:
        start = "-0.0f"  # to which a value is added for free
    lines = [f"{kind} {value} = {types.accumulator.filled(start, n.accumulator.lanes)};"]
    operand = "in.v"
    if n.window:
        operand = tap(n)
        if size(sequential_taps(n)) > 1:
            operand = "seen"
            lines += chosen_tap(n, word_type(n, at), operand)
    return lines + unrolled_taps(n, at, operand)


def one_word(n: Nest, at: Instance) -> Lines:
    """The value of one word of each source, or of the one whose turn it is."""
    reads = [f"read_channel_intel({name})" for name in at.sources]
    if n.combine.kind == "pass":
        return passed(n, reads, running(n))
    held = [source.held for source in n.sources]
    places = [expression(n, array.index) if array else "" for array in held]
    tests = [source_tests(n, number) for number in range(len(reads))]
    lines, called = operands(n, reads, places, tests)
    constants = {array.memory.name: element(n, array) for array in n.constants}
    value = n.combine.expression.format(*called, **constants)
    return [*lines, f"const {n.accumulator.ctype} {running(n)} = {value};"]


def unrolled_taps(n: Nest, at: Instance, operand: str) -> Lines:
    """The copies of the arithmetic: taps, then vectors of a word, then lanes of a vector."""
    inner = vector_step(n, at, operand)
    loops = [loop for loop in n.unrolled if loop.name not in (n.combine.lane, n.combine.vector)]
    if not loops:
        return inner if n.window is None else block("", inner)
    return nested([line for loop in loops for line in head(loop, at)], inner)


def head(loop: Loop, at: Instance) -> Lines:
    """The head of an unrolled loop."""
    return [at.pragma, f"for (int {loop.name} = 0; {loop.name} < {loop.bound}; ++{loop.name})"]


def nested(heads: Lines, inner: Lines) -> Lines:
    """Loops one in the other, two lines each, round a block."""
    if len(heads) == 2:
        return [heads[0], *block(f"{heads[1]} ", inner)]
    return [*heads[:2], *indented(nested(heads[2:], inner))]


def vector_step(n: Nest, at: Instance, operand: str) -> Lines:
    """A tap's share: all vectors of its word."""
    c = n.combine
    if c.kind != "multiply":
        return combine_value(n, at, operand)
    if c.vector:
        loop = n.counters[c.vector]
        return nested(head(loop, at), lane_step(n, at, f"{operand}.v[{loop.name}]"))
    return lane_step(n, at, operand)


def combine_value(n: Nest, at: Instance, operand: str) -> Lines:
    """Without weights: the value is folded into the running one."""
    found, maximum = running(n), n.types.accumulator.maximum
    added = n.combine.expression.format("value")
    step = {"maximum": f"{found} = {maximum}({found}, value);", "sum": f"{found} += {added};"}[
        n.combine.kind
    ]
    return [f"const {word_type(n, at)} value = {operand};", step]


def union(n: Nest) -> str:
    """The union of an input vector and its lanes."""
    word = n.sources[0].word
    return lanes_of(word.type, word.lanes)


def lane_step(n: Nest, at: Instance, operand: str) -> Lines:
    """A vector's share: its lanes by a weight vector each, or lane by lane."""
    lane, value = n.combine.lane, running(n)
    if n.combine.chooses:
        return chosen_lanes(n, at, operand)
    if lane:
        own = f"{value} += in.lane[{lane}] * {weight(n, at)};"
        loop = [*head(n.counters[lane], at), *indented([own])]
        if n.window is None:
            return loop
        return [f"{union(n)} in;", f"in.v = {operand};", *loop]
    if n.slicing:
        part = factor(n, f"in.part[{n.slicing.name}]")
        return [
            f"{at.name}_parts in;",
            f"in.v = {operand};",
            f"{value} += {part} * {weight(n, at)};",
        ]
    return [f"{value} += {factor(n, operand)} * {weight(n, at)};"]


def chosen_lanes(n: Nest, at: Instance, operand: str) -> Lines:
    """A vector's share by the weights that are not zero: every lane of the result chooses what its
    own weight multiplies."""
    values, places = stores(n)["values"], stores(n)["places"]
    word, part = "word" if counts_words(n) else "0", expression(n, row_major(n.unrolled))
    width, loop = n.sources[0].word.lanes, n.counters[n.combine.lane]
    place = f"at >> l * {place_bits(width)} & {power_of_two(width) - 1}"
    kinds = [lanes_of(kind, n.lanes) for kind in (n.types.weight, n.types.accumulator)]
    choice = ["if (j == place)", *indented(["found = in.lane[j];"])]
    each = [
        f"const int place = {place};",
        f"{n.types.operand.ctype} found = in.lane[0];",
        *unrolled("j", 1, width, choice),
        "term.lane[l] = value.lane[l] * found;",
    ]
    inner = [
        *([f"{kinds[0]} value, term;"] if kinds[0] == kinds[1] else
          [f"{kinds[0]} value;", f"{kinds[1]} term;"]),
        f"value.v = {values.at(word, part)};",
        f"const {place_type(n)} at = {places.at(word, part)};",
        at.pragma,
        *block(f"for (int l = 0; l < {n.lanes}; ++l) ", each),
        f"{running(n)} += term.v;",
    ]  # fmt: skip
    lines = nested(head(loop, at), inner)
    return lines if n.window is None else [f"{union(n)} in;", f"in.v = {operand};", *lines]


def factor(n: Nest, operand: str) -> str:
    """Lanes of the operand as they are multiplied: integers are widened before."""
    types = n.types
    if not types.operand.integer:
        return operand
    return converted(operand, n.accumulator.lanes, types.operand, types.accumulator)


def weight(n: Nest, at: Instance) -> str:
    """The weight vector that an unrolled iteration multiplies by: the one place that reads it."""
    if n.streamed:
        arrived = f"read_channel_intel({at.streamed})"
        return multiplied(n, arrived, n.streamed)
    assert n.weights is not None
    word = "word" if counts_words(n) else "0"
    value = n.weights.memory.at(word, expression(n, row_major(n.unrolled)))
    return multiplied(n, value, n.weights.vector)


def multiplied(n: Nest, value: str, vector: Vector) -> str:
    """A weight vector as it is multiplied: decoded, or widened."""
    if vector.type.integer:
        return converted(value, vector.lanes, vector.type, n.types.accumulator)
    return decoded(value, vector.lanes, vector.type)


# ---- Counters


def advance(n: Nest, at: Instance, skips: bool) -> Lines:
    """Counts on, innermost loop first; where no output is due (`skips`), the loops in which no word
    arrives are passed over."""
    loops = counters(n, at)
    inner = [loop for loop in reversed(loops) if not loop.arrives]
    outer = [loop for loop in reversed(loops) if loop.arrives]
    position = next_position(n.raster) if n.raster and n.window else []
    if n.raster and not position and loops and loops == counted(n.sequential):
        (loop,) = loops  # the vectors of a pixel alone
        return [f"{loop.name} = {loop.name} == {loop.bound - 1} ? 0 : {loop.name} + 1;"]
    if not (inner and skips):
        return carry([*inner, *outer], position)
    return [
        "bool onward = !due; // to the next input vector",
        *block("if (due) ", carry(inner, ["onward = true;"])),
        *block("if (onward) ", carry(outer, position)),
    ]
