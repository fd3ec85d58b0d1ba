"""The text of kernels of folded designs with a streaming window: one plane of vectors after another
in raster order, line buffers for all but the window's newest row, the newest pixel at its bottom
right."""

from __future__ import annotations

from hlsgen.activation import of_step
from hlsgen.kernel.naming import RUNNING, due_tests
from hlsgen.kernel.nest import Nest, SlidingWindow, row_major, size
from hlsgen.kernel.result_text import scale_name
from hlsgen.kernel.step import Feeding, Sets, StepGuard, StepKernel
from hlsgen.kernel.window_text import kept_rows, tap, window_promises
from hlsgen.kernel.writing import Lines, block, indented, unrolled, unrolled_block
from hlsgen.types import DataType, converted, decoded


def scan_declarations(n: Nest) -> Lines:
    """Line buffer and window. The window is cleared once: what one plane leaves behind is never
    used by the next, but must be a number."""
    w, vector = n.window, n.sources[0].word.ctype
    assert w is not None
    cleared = unrolled("c", 0, w.length, [f"window[r][c] = {n.types.operand.zero};"])
    lines = [
        f"{vector} window[{w.rows}][{w.length}] REGISTERS;",
        *unrolled("r", 0, w.rows, cleared),
    ]
    if w.line is None:
        return lines
    return [f"{w.line.memory.declaration(vector)} // rows above the newest, side by side", *lines]


def scan_lines(k: StepKernel, unroll: str) -> Lines:
    """The loop over the positions of all planes."""
    n, ((loop,),) = k.nests[0], k.loops
    assert loop.count is not None and n.raster is not None
    body = [
        *shifted(n, k.ends[1].channel),
        *block(f"if ({due_tests(n)}) ", [*reduced(k, unroll), *sent(k, result(k))]),
        *onward(n),
    ]
    lines = [counters(n), *window_promises(n)]
    if k.sets:
        lines.insert(0, f"int turn = -{k.sets.words}; // of the plane; first its weights alone")
        plane = block("if (turn >= 0 && turn < s.plane) ", body)
        body = [*incoming(n, k.sets, unroll), *plane, *next_set(k.sets, unroll)]
    head = f"for (int {loop.name} = 0; {loop.name} < {loop.count.text}; ++{loop.name}) "
    return [*lines, *block(head, body)]


# ---- The walk


def guards(n: Nest) -> tuple[StepGuard, ...]:
    """Of rows and columns that give an output."""
    assert n.raster is not None
    found = tuple(guard for guard in n.raster.due if isinstance(guard, StepGuard))
    assert len(found) == 2
    return found


def counters(n: Nest) -> str:
    """Plane and position, and the position of the next output."""
    first = [f"next_{g.loop} = {g.first_value.text}" for g in guards(n) if g.first_value]
    return f"int plane = 0, y = 0, x = 0, {', '.join(first)}; // next: of the next output"


def onward(n: Nest) -> Lines:
    """The next position, row by row and plane by plane."""
    assert n.raster is not None
    rows, columns = (loop.count.text for loop in n.raster.loops if loop.count)
    (first_y, down), (first_x, across) = (
        (g.first_value.text, g.step.text) for g in guards(n) if g.first_value and g.step
    )
    return [
        f"const bool row_ends = x == {columns} - 1, plane_ends = row_ends && y == {rows} - 1;",
        f"next_x = row_ends ? {first_x} : x == next_x ? next_x + {across} : next_x;",
        "if (row_ends)",
        *indented([f"next_y = plane_ends ? {first_y} : y == next_y ? next_y + {down} : next_y;"]),
        "x = row_ends ? 0 : x + 1;",
        "y = plane_ends ? 0 : row_ends ? y + 1 : y;",
        "plane = plane_ends ? plane + 1 : plane;",
    ]


def shifted(n: Nest, channel: str) -> Lines:
    """The next vector enters the window below the rows that the line buffer kept; columns move
    left. Rows above the plane read as zero."""
    w, vector = n.window, n.sources[0].word.ctype
    assert w is not None
    above, last = w.rows - 1, w.length - 1
    zero = n.types.operand.filled(n.types.operand.zero, n.lanes)
    border = f"y + r < {above} ? {zero} : " if above else ""
    moved = [
        *unrolled("c", 0, last, ["window[r][c] = window[r][c + 1];"]),
        f"window[r][{last}] = {border}column[r];",
    ]
    return [
        f"{vector} column[{w.rows}] REGISTERS;",
        f"column[{above}] = read_channel_intel({channel});",
        *kept_rows(n, w),
        *unrolled_block("r", 0, w.rows, moved),
    ]


# ---- What an output is


def reduced(k: StepKernel, unroll: str) -> Lines:
    """The window's taps are multiplied by weights and added up; or those that count are compared,
    or added up."""
    n, w = k.nests[0], k.nests[0].window
    assert w is not None
    lines, steps = [], []
    for nest in k.nests:
        name, types, value = RUNNING[nest.combine.kind], nest.types, tap(nest)
        maximum = nest.combine.kind == "maximum"
        start = types.operand.lowest if maximum else types.accumulator.zero
        lines.append(f"{nest.accumulator.ctype} {name} = {start};")
        if nest.combine.kind == "multiply":
            index = row_major(nest.unrolled).text([loop.name for loop in nest.unrolled])
            value = f"{widened(nest, value, types.operand)} * " + widened(
                nest, f"weights[{index}]", types.weight
            )
        value = nest.combine.expression.format(value)
        folded = f"{types.accumulator.maximum}({name}, {value})"
        steps.append(f"{name} = {folded};" if maximum else f"{name} += {value};")
        lines += counted(k, w, unroll) if nest.epilogue.scales else []
    if k.masks:
        rows, columns = (mask.text for mask in k.masks.counts)
        steps = block(f"if ({rows} >> r & {columns} >> c & 1) ", steps)
    heads = [line for loop in n.unrolled for line in (unroll, over(loop.name, loop.bound))]
    return [*lines, *heads[:2], *indented([*heads[2:], *indented(steps)])]


def widened(n: Nest, value: str, kind: DataType) -> str:
    """Integers as they are multiplied."""
    return converted(value, n.lanes, kind, n.types.accumulator) if kind.integer else value


def over(counter: str, end: int) -> str:
    """The head of a loop."""
    return f"for (int {counter} = 0; {counter} < {end}; ++{counter})"


def counted(k: StepKernel, w: SlidingWindow, unroll: str) -> Lines:
    """How many rows and columns of a window count in its average."""
    assert k.masks is not None
    last = w.rows - 1
    tests = [
        f"{name} += ({mask.text} >> i & 1) && at_{axis} >= {low.text} && at_{axis} < {high.text};"
        for name, axis, mask, (low, high) in zip(
            ("rows", "columns"), "yx", k.masks.counts, k.masks.borders, strict=True
        )
    ]
    places = f"const int at_y = y - {last} + i, at_x = x - {last} + i;"
    inner = block(f"{over('i', w.rows)} ", [places, *tests])
    return ["int rows = 0, columns = 0;", unroll, *inner]


def result(k: StepKernel) -> str:
    """The value of an output: where nests differ, of that which the record chooses."""
    found = []
    for nest in k.nests:
        name, ends = RUNNING[nest.combine.kind], nest.epilogue
        if ends.scales:
            entry = f"{k.name}_{scale_name(nest)}[{k.counts['counted'].text}]"
            scaling = ends.conversion.expression if ends.conversion else "{0} * {1}"
            name = scaling.format(name, entry)
        found.append(name)
    if len(found) == 1:
        return found[0]
    one, other = found
    return f"s.mode == 0 ? {one} : {other}"


def sent(k: StepKernel, value: str) -> Lines:
    """To the epilogue, or past it."""
    feeding = k.feeding
    if feeding is None:
        return [f"write_channel_intel({k.ends[-1].channel}, {value});"]
    past = block("if (s.fused) ", fed(k.nests[0], feeding, value))
    if not feeding.beside:
        return past
    return [*past, "else", *indented([f"write_channel_intel({feeding.beside}, {value});"])]


def fed(n: Nest, feeding: Feeding, value: str) -> Lines:
    """With bias and activation into the array whose step it is: there is no epilogue between."""
    lines = [f"{n.result.ctype} value = {value} + weights[{size(n.unrolled)}];"]
    for kind in feeding.functions:
        test = f"if (s.feeder_activation == ACTIVATION_{kind.upper()})"
        lines += [test, *indented([f"value = {of_step(kind, 'value', 's.feeder_')};"])]
    for engine, channel in feeding.arrays:
        out = [f"write_channel_intel({channel}, value);"]
        several = len(feeding.arrays) > 1
        lines += [f"if (s.engine == ENGINE_{engine.upper()})", *indented(out)] if several else out
    return lines


# ---- Weights


def incoming(n: Nest, sets: Sets, unroll: str) -> Lines:
    """A word of the next plane's weights."""
    words, burst, kind = sets.words, sets.burst, n.types.weight
    value = "next.v[b]" if kind.integer else decoded("next.v[b]", n.lanes, kind)
    stored = ["if (w == word)", *indented([f"next_weights[w * {burst} + b] = {value};"])]
    inner = [unroll, over("w", words), *indented([unroll, over("b", burst), *indented(stored)])]
    read = f"const weight_word next = read_channel_intel({sets.channel});"
    here = f"if (word < {words} && (turn < 0 || plane + 1 < {sets.planes.text})) "
    return [f"const int word = turn < 0 ? turn + {words} : turn;", *block(here, [read, *inner])]


def next_set(sets: Sets, unroll: str) -> Lines:
    """At a plane's end the weights that came in meanwhile take the place of its own."""
    copied = [
        unroll,
        over("i", sets.words * sets.burst),
        *indented(["weights[i] = next_weights[i];"]),
    ]
    return [
        f"if (turn != -1 && turn != {sets.turns.text} - 1) {{",
        *indented(["++turn;"]),
        "} else {",
        *indented(["turn = 0;", *copied]),
        "}",
    ]
