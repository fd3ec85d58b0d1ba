"""LLVM's IR as data: a parser of the textual form, for what kernels consist of."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hlsgen.audit.types import Types, lanes, split
from hlsgen.errors import AuditError

FLAGS = (
    r"(?:(?:nuw|nsw|exact|disjoint|nneg|samesign|fast|nnan|ninf|nsz|arcp|contract|afn|reassoc|"
    r"inbounds|nusw|volatile) )*"
)
ASSIGNED = re.compile(r'(?:(%[\w.$-]+|%"[^"]*") = )?(?:tail |musttail |notail )?(\w+) ?(.*)')
STRIP_FLAGS = re.compile(FLAGS)
LABEL = re.compile(r'("[^"]*"|[\w.$-]+):')
PREAMBLE = re.compile(r"^(?:target |%[^=]* = type |@[^=]* = |declare [^\n]*@llvm)[^\n]*$", re.M)
CALLEE = re.compile(r"@([\w.$]+)\((.*)\)")
ATTRIBUTE = re.compile(
    r"(?:noundef|nonnull|noalias|signext|zeroext|readonly|align "
    r"\d+|byval\([^)]*\)|captures\([^)]*\)|\w+\(\d+\)) "
)
CASTS = frozenset(
    [
        "trunc",
        "zext",
        "sext",
        "bitcast",
        "addrspacecast",
        "fptrunc",
        "fpext",
        "fptoui",
        "fptosi",
        "uitofp",
        "sitofp",
        "ptrtoint",
        "inttoptr",
    ]
)
COMPARES = frozenset(("icmp", "fcmp"))


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. `name` is its value ("%x", or "" where it has none), `type` the type of that
    value (of what it stores, for a store), `operands` values as written. `extra`: the blocks a
    phi's operands come from, the targets of a branch, the callee, the source type of an address,
    the type an alloca makes, a comparison's predicate and type, the type of what a shuffle takes
    from."""

    index: int
    name: str
    op: str
    type: str
    operands: tuple[str, ...]
    block: str
    line: int
    extra: tuple[str, ...] = ()
    code: str = ""


@dataclass(frozen=True)
class Variable:
    """A local variable of the text: its name and the line that declares it."""

    name: str
    line: int


@dataclass(frozen=True)
class Function:
    """A kernel: its instructions in order, its blocks' successors, the variables behind its
    allocas, and at which line a loop begins, by the block that jumps back."""

    name: str
    parameters: dict[str, str]
    instructions: tuple[Instruction, ...]
    successors: dict[str, tuple[str, ...]]
    variables: dict[str, Variable]
    loop_lines: dict[str, int]

    @property
    def defined(self) -> dict[str, Instruction]:
        """Instructions by the value that they define."""
        return {i.name: i for i in self.instructions if i.name}


@dataclass(frozen=True)
class Module:
    """All kernels of a text, with the sizes of types, the types of its tables of constants, and the
    lines that declare what kernels name."""

    functions: dict[str, Function]
    types: Types
    globals: dict[str, str] = field(default_factory=dict)
    preamble: str = ""


def typed(text: str) -> tuple[str, str]:
    """A type and the value that follows it: "[2 x float] %x" gives ("[2 x float]", "%x")."""
    depth = 0
    for position, c in enumerate(text):
        if c in "([{<":
            depth += 1
        elif c in ")]}>":
            depth -= 1
        elif c == " " and not depth:
            return text[:position], ATTRIBUTE.sub("", text[position + 1 :])
    return text, ""


class Debug:
    """The metadata that says which line an instruction, a loop and a variable have."""

    def __init__(self, text: str):
        self.nodes = dict(re.findall(r"^(!\d+) = (?:distinct )?(!.*)$", text, re.M))
        self.lines: dict[str, int] = {}

    def line(self, node: str) -> int:
        """The line of a location in the text itself, whatever was inlined there; 0 where there is
        none."""
        if node not in self.lines:
            text = self.nodes.get(node, "")
            inlined = re.search(r"inlinedAt: (!\d+)", text)
            line = re.match(r"!DILocation\(line: (\d+)", text)
            self.lines[node] = self.line(inlined[1]) if inlined else int(line[1]) if line else 0
        return self.lines[node]

    def loop(self, node: str) -> int:
        """The line where a loop begins, from the metadata of its last branch."""
        return next(
            (
                line
                for n in re.findall(r"!\d+", self.nodes.get(node, ""))[1:]
                if (line := self.line(n))
            ),
            0,
        )

    def variable(self, node: str) -> Variable | None:
        """A local variable."""
        found = re.match(r'!DILocalVariable\(name: "(\w+)".*?line: (\d+)', self.nodes.get(node, ""))
        return Variable(found[1], int(found[2])) if found else None


def parse(text: str) -> Module:
    """The kernels of a module."""
    types = Types(dict(re.findall(r"^(%[\w.\"]+) = type (.*)$", text, re.M)))
    debug = Debug(text)
    functions = {}
    for header, body in re.findall(
        r"^define ([^\n]*spir_kernel [^\n]*)\n(.*?)^}", text, re.M | re.S
    ):
        name = re.search(r"@([\w.]+)\((.*)\)", header)
        assert name is not None
        listed = split(name[2].split(") local_unnamed")[0])
        parameters = {p.split()[-1]: typed(p)[0] for p in listed if "%" in p}
        # PoCL's headers rename what is called as a function of OpenCL.
        plain = name[1].removeprefix("_cl_")
        functions[plain] = parse_function(plain, parameters, body, debug)
    tables = dict(
        re.findall(r"^(@[\w.]+) = [\w ]*?constant (\[.*?\]+) (?:\[|zero|c\")", text, re.M)
    )
    return Module(
        functions,
        types,
        tables,
        "\n".join(re.sub(r" #\d+.*$|, !dbg !\d+", "", line) for line in PREAMBLE.findall(text)),
    )


def parse_function(name: str, parameters: dict[str, str], body: str, debug: Debug) -> Function:
    """A kernel from the lines between its braces."""
    instructions: list[Instruction] = []
    successors: dict[str, tuple[str, ...]] = {}
    variables: dict[str, Variable] = {}
    loop_lines: dict[str, int] = {}
    block = "entry"
    for line in re.sub(r"\[\n\s*(i\d+ -?\d+, label [^\n]*\n\s*)*\]", joined, body).splitlines():
        if line.startswith("    #dbg_declare"):
            found = re.match(r"\s*#dbg_declare\(ptr (%[\w.]+), (!\d+)", line)
            variable = debug.variable(found[2]) if found else None
            if found and variable:
                variables.setdefault(found[1], variable)
        elif (label := LABEL.match(line)) is not None:
            block = label[1].strip('"')
        elif line.startswith("  ") and not line.startswith("    #"):
            code, _, notes = line.strip().partition(", !")
            where = re.search(r"dbg (!\d+)", notes)
            made = instruction(len(instructions), code, block, debug.line(where[1]) if where else 0)
            instructions.append(made)
            if made.op in ("br", "switch", "ret", "unreachable"):
                successors[block] = made.extra
                if loop := re.search(r"llvm.loop (!\d+)", notes):
                    loop_lines[block] = debug.loop(loop[1])
    return Function(name, parameters, tuple(instructions), successors, variables, loop_lines)


def joined(match: re.Match[str]) -> str:
    """A switch on one line."""
    return " ".join(match[0].split())


def instruction(index: int, code: str, block: str, line: int) -> Instruction:
    """An instruction from its text, without metadata."""
    found = ASSIGNED.match(code)
    if found is None:
        raise AuditError(f"LLVM's instruction is not understood: {code}", where="audit")
    name, op, rest = found[1] or "", found[2], found[3]
    kind, operands, extra = operation(op, STRIP_FLAGS.sub("", rest, count=1))
    return Instruction(index, name, op, kind, operands, block, line, extra, code)


Parsed = tuple[str, tuple[str, ...], tuple[str, ...]]


def operation(op: str, rest: str) -> Parsed:
    """Type, operands and extra of an operation."""
    if op == "phi":
        kind, pairs = typed(rest)
        incoming = [split(pair[1:-1].strip()) for pair in split(pairs)]
        return kind, tuple(v for v, _ in incoming), tuple(b.strip('% "') for _, b in incoming)
    if op in ("br", "switch"):
        targets = tuple(t.strip('"') for t in re.findall(r'label %("[^"]*"|[\w.$-]+)', rest))
        first = split(rest)[0]
        return "", () if first.startswith("label") else (typed(first)[1],), targets
    if op == "call":
        callee, kind = CALLEE.search(rest), typed(rest)[0]
        if callee is None:
            return kind, (), ("",)
        return kind, tuple(typed(a)[1] for a in split(callee[2])), (callee[1],)
    return memory_operation(op, rest) or computation(op, rest)


def memory_operation(op: str, rest: str) -> Parsed | None:
    """Type, operands and extra of an operation on memory or addresses; None of others."""
    if op == "alloca":
        return "ptr", (), (split(rest)[0],)
    if op == "load":
        kind, pointer = split(rest)[:2]
        return kind, (typed(pointer)[1],), ()
    if op == "store":
        value, pointer = split(rest)[:2]
        kind, stored = typed(value)
        return kind, (stored, typed(pointer)[1]), ()
    if op == "getelementptr":
        source, *values = split(rest)
        return "ptr", tuple(typed(v)[1] for v in values), (source,)
    return None


def computation(op: str, rest: str) -> Parsed:
    """Type, operands and extra of an operation on values."""
    if op in CASTS:
        kind, value = typed(rest)
        value, _, target = value.rpartition(" to ")
        return target, (value,), (kind,)
    if op in COMPARES:
        predicate, rest = STRIP_FLAGS.sub("", rest, count=1).split(" ", 1)
        parts = split(rest)
        kind, value = typed(parts[0])
        result = f"<{lanes(kind)} x i1>" if kind.startswith("<") else "i1"
        return result, (value, *parts[1:]), (predicate, kind)
    parts = split(rest)
    kind, value = typed(parts[0]) if parts else ("", "")
    operands = (value, *(typed(p)[1] or p for p in parts[1:]))
    if op == "shufflevector":
        return f"<{lanes(typed(parts[2])[0])} x {kind[kind.index(' x ') + 3 :]}", operands, (kind,)
    if op == "select":
        return typed(parts[1])[0], operands, ()
    if op == "extractelement":
        return kind[kind.index(" x ") + 3 : -1], operands, ()
    if op == "extractvalue":
        return kind, operands[:1], tuple(parts[1:])
    return kind, operands, ()
