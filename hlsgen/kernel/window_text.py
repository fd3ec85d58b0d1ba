"""The text of a sliding window: registers, line buffer, history, and the position that moves on."""

from __future__ import annotations

from hlsgen.kernel.nest import Array, Nest, Raster, SlidingWindow
from hlsgen.kernel.writing import Lines, indented, unrolled, unrolled_block


def declare_window(n: Nest, word: str) -> Lines:
    """Line buffer, registers, history and counters; `word`: what arrives."""
    w, raster = n.window, n.raster
    assert w is not None and raster is not None
    above, vector = w.rows - 1, n.sources[0].word.ctype
    lines: Lines = []
    if w.line:
        lines.append(f"{w.line.memory.declaration(vector)} // the last {above} rows, side by side")
    elif above:
        note = f"// the last {above} rows, a shift register each"
        lines.append(f"{word} line[{above}][{w.row}] REGISTERS; {note}")
    lines.append(
        f"{word} window[{w.rows}][{w.length}] REGISTERS; // what one output sees, row by row"
    )
    if w.history:
        declared = w.history.memory.declaration(vector)
        lines.append(f"{declared} // columns to the left, side by side, for every vector")
    lines.append("int y = 0, x = 0; // scan position")
    return lines + [f"int next_{g.loop} = {g.first};" for g in raster.due if g.stride > 1]


def window_promises(n: Nest) -> Lines:
    """Iterations for which a word rests: a line buffer's is due again only a row later, the
    history's in the next pixel."""
    if not n.window:
        return []
    found = []
    if n.window.line:
        found.append(f"#pragma ivdep array(line) safelen({n.window.row})")
    if n.window.history:
        rests = n.window.history.memory.depth
        found.append(f"#pragma ivdep array(history) safelen({rests})")
    return found


def tap(n: Nest) -> str:
    """The register of the tap of the counters ky and kx."""
    assert n.window is not None
    declared = [loop.name for loop in n.loops if loop.unrolled]
    row, column = (index.text(declared) for index in n.window.tap)
    return f"window[{row}][{column}]"


def chosen_tap(n: Nest, word: str, target: str) -> Lines:
    """The word of the tap that is due, where taps take turns: chosen by comparing, since a register
    has no address."""
    assert n.window is not None
    bounds = [loop.bound for loop in (n.counters["ky"], n.counters["kx"])]
    rows, columns = (index.terms[0][1] for index in n.window.tap)
    row = f"v * {rows}" if rows > 1 else "v"
    column = f"h * {columns}" if columns > 1 else "h"
    pairs = zip(("ky", "kx"), "vh", bounds, strict=True)
    tests = " && ".join(f"{name} == {own}" for name, own, bound in pairs if bound > 1)
    choice = [f"if ({tests})", *indented([f"{target} = window[{row}][{column}];"])]
    inner = unrolled("h", 0, bounds[1], choice)
    return [f"{word} {target} = window[0][0];", *unrolled("v", 0, bounds[0], inner)]


def copied(count: int, to: str, of: str) -> Lines:
    """Copies a vector, or the `count` vectors of a word, one by one."""
    line = f"{to} = {of};"
    return unrolled("b", 0, count, [line]) if count > 1 else [line]


def shift_window(n: Nest, word: str, read: str, inside: str, border: str) -> Lines:
    """The next word enters the window below the rows that the line buffer kept; columns move left.
    It is `read` where it is `inside`, else it is `border`."""
    w = n.window
    assert w is not None
    newest = f"column[{w.rows - 1}]"
    lines = [f"{word} column[{w.rows}];"]
    if inside:
        lines += [f"{newest} = {border};", f"if ({inside})", *indented([f"{newest} = {read};"])]
    else:
        lines.append(f"{newest} = {read};")
    lines += kept_rows(n, w)
    moved: Lines = []
    left, last = "window[r][i + 1]", w.length - 1
    if last and w.history:
        moved += unrolled("i", 0, last, columns(n, w.history, last, "window[r][i]", ""))
    elif last:
        moved += unrolled("i", 0, last, [f"window[r][i] = {left};"])
    moved.append(f"window[r][{last}] = column[r];")
    if w.history:
        moved += unrolled("i", 0, last, columns(n, w.history, last, "", left))
    return lines + unrolled_block("r", 0, w.rows, moved)


def declared_words(n: Nest) -> list[str]:
    """The counters that name a word of the window's memories."""
    return ["x", *(loop.name for loop in n.sequential if loop.bound > 1)]


def columns(n: Nest, history: Array, last: int, to: str, of: str) -> Lines:
    """Copies column i of row r out of the history (`to` a register) or into it (`of` one)."""
    count = n.sources[0].word.count
    part, lane = f"r * {last} + i", ""
    if count > 1:
        part, lane = f"({part}) * {count} + b", ".v[b]"
    kept = history.memory.at(history.index.text(declared_words(n)), part)
    return copied(count, f"{to}{lane}" if to else kept, kept if to else f"{of}{lane}")


def kept_rows(n: Nest, w: SlidingWindow) -> Lines:
    """The column above the word that arrived, out of the line buffer, which keeps the next one."""
    above, count = w.rows - 1, n.sources[0].word.count
    if not above:
        return []
    if not w.line:
        shifted = unrolled("i", 0, w.row - 1, ["line[r][i] = line[r][i + 1];"])
        return [
            *unrolled("r", 0, above, ["column[r] = line[r][0];"]),
            *unrolled_block("r", 0, above, [*shifted, f"line[r][{w.row - 1}] = column[r + 1];"]),
        ]
    part, lane = ("r", "") if count == 1 else (f"r * {count} + b", ".v[b]")
    kept = w.line.memory.at(w.line.index.text(declared_words(n)), part)
    return [
        *unrolled("r", 0, above, copied(count, f"column[r]{lane}", kept)),
        *unrolled("r", 0, above, copied(count, kept, f"column[r + 1]{lane}")),
    ]


def next_position(raster: Raster) -> Lines:
    """The next position, row by row."""
    (rows, columns), (down, across) = raster.loops, raster.due
    row, column = rows.bound - 1, columns.bound - 1
    lines = skipped("x", across.stride)
    wrapped = ["x = 0;"]
    if across.stride > 1:
        wrapped.append(f"next_x = {across.first};")
    if down.stride > 1:
        wrapped += [
            *skipped("y", down.stride),
            f"if (y == {row}) {{",
            *indented(["y = 0;", f"next_y = {down.first};"]),
            "} else {",
            *indented(["++y;"]),
            "}",
        ]
    else:
        wrapped.append(f"y = y == {row} ? 0 : y + 1;")
    return [
        *lines,
        f"if (x == {column}) {{",
        *indented(wrapped),
        "} else {",
        *indented(["++x;"]),
        "}",
    ]


def skipped(name: str, stride: int) -> Lines:
    """The next value that gives an output."""
    if stride == 1:
        return []
    return [f"if ({name} == next_{name})", *indented([f"next_{name} += {stride};"])]
