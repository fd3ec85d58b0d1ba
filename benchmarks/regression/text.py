"""Whether two OpenCL texts are the same up to comments, whitespace and the names of things."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

COMMENT = re.compile(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
# Strings, parts of vectors, numbers, names, ends of lines, any other sign.
TOKEN = re.compile(
    r'"(?:\\.|[^"\\\n])*"|\.(?:s[0-9a-fA-F]+|lo|hi|even|odd|[xyzw]{1,4})\b'
    r"|\.?\d(?:[eEpP][+-]|[\w.])*|[A-Za-z_]\w*|\n|[^\s\w]"
)
NAME = re.compile(r"[A-Za-z_]\w*$")
# Names that stand for the same thing in every text: of C and OpenCL, of aoc's extensions, and what
# hlsgen and its host agree on.
LANGUAGE = re.compile(
    r"(?:u?(?:char|short|int|long)|half|float|double)\d*$|(?:__|HLSGEN_|CLK_|as_|convert_|get_)\w*$|\w+_intel$"
)
KEYWORDS = (
    "bool break case const constant continue default do else enum extern false for global goto "
    "if inline kernel local private restrict return signed size_t sizeof static struct switch "
    "true typedef union unsigned void volatile while channel define defined elif endif error "
    "ifdef ifndef include line pragma undef unroll ivdep array safelen ii loop_coalesce OPENCL "
    "EXTENSION enable disable cl_intel_channels max_global_work_dim autorun "
    "uses_global_work_offset num_compute_units depth memory numbanks bankwidth singlepump "
    "simple_dual_port doublepump max_replicates register attribute "
)
FUNCTIONS = (
    "abs acos acosh asin asinh atan atan2 atanh ceil clamp cos cosh erf erfc exp exp10 exp2 "
    "expm1 fabs floor fma fmax fmin fmod isinf isnan ldexp log log10 log1p log2 mad max "
    "mem_fence min pow powr rint round rsqrt select sign sin sinh sqrt tan tanh trunc INFINITY "
    "NAN FLT_MAX FLT_MIN INT_MAX INT_MIN M_PI_F "
)
WORDS = frozenset((KEYWORDS + FUNCTIONS).split())


@dataclass
class Names:
    """Which name of one text stands for which of the other, one to one."""

    forth: dict[str, str] = field(default_factory=dict)
    back: dict[str, str] = field(default_factory=dict)

    def agree(self, before: str, after: str) -> bool:
        """Whether a name may stand where the other text has that one."""
        return (
            self.forth.setdefault(before, after) == after
            and self.back.setdefault(after, before) == before
        )


@dataclass(frozen=True)
class Compared:
    """`difference`: the first one, "" for none. `names`: what is called otherwise in the second
    text, of names that are known throughout."""

    difference: str
    renamed: bool = False
    names: dict[str, str] = field(default_factory=dict)


def tokens(text: str) -> list[str]:
    """A text without comments and whitespace. Lines end only where the preprocessor sees it."""
    text = COMMENT.sub(lambda match: match[1] or " ", text).replace("\\\n", " ")
    found: list[str] = []
    for line in text.split("\n"):
        line = line.strip()
        found += TOKEN.findall(line)
        if line.startswith("#"):
            found.append("\n")
    return found


def is_name(token: str) -> bool:
    """Whether a token is a name that a text chose."""
    return bool(NAME.match(token)) and token not in WORDS and not LANGUAGE.match(token)


@dataclass
class Places:
    """Where each token stands: `items` numbers the declarations at the level of the file, and
    `throughout` are the names that are known outside of one."""

    items: list[int] = field(default_factory=list)
    throughout: set[str] = field(default_factory=set)


def places(text: list[str]) -> Places:
    """Names in directives, of members, and those declared outside of braces and parentheses are
    known throughout."""
    found, item, braces, parentheses, directive, previous = Places(), 0, 0, 0, False, ""
    for token in text:
        found.items.append(item)
        if directive:
            directive = token != "\n"
        elif token == "#":
            directive = True
        else:
            braces += (token == "{") - (token == "}")
            parentheses += (token == "(") - (token == ")")
            item += token in ("}", ";") and not braces and not parentheses
        if is_name(token) and (directive or previous == "." or not (braces or parentheses)):
            found.throughout.add(token)
        previous = token
    return found


def compared(before: str, after: str) -> Compared:
    """Compare two texts: word for word, and if they differ, with names renamed one to one: those
    that are known throughout in the whole text, others within a declaration (a kernel)."""
    one, two = tokens(before), tokens(after)
    if one == two:
        return Compared("")
    where, there = places(one), places(two)
    everywhere, inside = Names(), Names()
    for n, (a, b) in enumerate(zip(one, two, strict=False)):
        if n and where.items[n] != where.items[n - 1]:
            inside = Names()
        if is_name(a) and is_name(b):
            known = a in where.throughout
            names = everywhere if known else inside
            if known == (b in there.throughout) and names.agree(a, b):
                continue
        elif a == b:
            continue
        return Compared(shown(one, n) + " | " + shown(two, n))
    if len(one) != len(two):
        n = min(len(one), len(two))
        return Compared(shown(one, n) + " | " + shown(two, n))
    return Compared("", True, {a: b for a, b in everywhere.forth.items() if a != b})


def shown(text: list[str], at: int) -> str:
    """A token and its surroundings."""
    return " ".join(text[max(0, at - 6) : at + 4]).replace("\n", "\\n") or "(end)"
