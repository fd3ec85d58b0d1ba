"""The text of kernels that work on one word at a time: where its operands come from."""

from __future__ import annotations

from hlsgen.kernel.load_text import store_part
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Array, Nest, Source
from hlsgen.kernel.phases import Buffer
from hlsgen.kernel.writing import Lines, indented, unrolled

# What operands are called where they have a name.
NAMES = ("operand", "other")


def declare_held(n: Nest) -> Lines:
    """Where vectors that are used again are kept."""
    held = [source.held for source in n.sources if source.held]
    return [f"{a.memory.declaration(a.vector.ctype)} // vectors that are used again" for a in held]


def held_promises(n: Nest) -> Lines:
    """A held vector rests while the others of its pixel take turns."""
    held = [source.held.memory for source in n.sources if source.held]
    return [f"#pragma ivdep array({m.name}) safelen({m.depth})" for m in held if m.depth > 1]


def operands(n: Nest, reads: list[str], index: list[str], tests: list[str]) -> tuple[Lines, Lines]:
    """Lines that name the operands where it takes any, and what an expression calls them.

    For each source `reads` is the word that arrives, `index` where it is held, `tests` whether it
    arrives. One word of each source arrives an iteration: it is named where it is used twice.
    """
    held = [number for number, source in enumerate(n.sources) if source.held]
    if not held and all(n.combine.expression.count(f"{{{i}}}") == 1 for i in range(len(reads))):
        return [], reads
    lines: Lines = []
    for number in held:
        lines += held_operand(n.sources[number], NAMES[number], reads[number],
                              index[number], tests[number])  # fmt: skip
    for number, source in enumerate(n.sources):
        if number not in held:
            lines.append(f"const {source.word.ctype} {NAMES[number]} = {reads[number]};")
    return lines, list(NAMES[: len(reads)])


def held_operand(source: Source, name: str, read: str, index: str, tests: str) -> Lines:
    """The word that arrives, or where none does the one that is held."""
    assert source.held is not None
    taken = [f"{name} = {read};"]
    return [
        *chosen(source.held, name, index),
        *([f"if ({tests})", *indented(taken)] if tests else taken),
        *stored(source.held.memory, index, name),
    ]


def chosen(array: Array | Buffer, name: str, index: str) -> Lines:
    """A vector of an array: where those are registers, which have no address, it is chosen by
    comparing."""
    memory, kind = array.memory, array.vector.ctype
    if memory.depth > 1:
        return [f"{kind} {name} = {memory.at(index)};"]
    lines = [f"{kind} {name} = {memory.at('0', 0)};"]
    if memory.parts == 1:
        return lines
    choice = [f"if (b == {index})", *indented([f"{name} = {memory.at('0', 'b')};"])]
    return lines + unrolled("b", 1, memory.parts, choice)


def stored(memory: Memory, index: str, value: str) -> Lines:
    """Stores a vector where `chosen` finds it."""
    if memory.depth > 1 or memory.parts == 1:
        return [f"{memory.at(index if memory.depth > 1 else '0', 0)} = {value};"]
    return store_part(memory, "0", index, value)


def passed(n: Nest, reads: list[str], name: str) -> Lines:
    """The word of the source whose turn it is; turns follow each other along one loop."""
    lines = [f"{n.result.ctype} {name};"]
    last = len(n.sources) - 1
    for number, source in enumerate(n.sources):
        (turn,) = source.when
        test = f"if ({turn.loop} < {turn.first + turn.count})" if number < last else ""
        head = f"else {test}".strip() if number else test
        lines += [head, *indented([f"{name} = {reads[number]};"])]
    return lines
