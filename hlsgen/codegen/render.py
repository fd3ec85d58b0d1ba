"""The jinja2 environment of the kernel templates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import jinja2

from hlsgen.activation import c_float, of_step
from hlsgen.codegen.attributes import memory_macros
from hlsgen.kernel.partial_text import added, total
from hlsgen.kernel.step_text import head, next_pixel, promises, walked
from hlsgen.ops.binary import FUNCTIONS
from hlsgen.types import FLOAT32, lanes_of


@cache
def environment() -> jinja2.Environment:
    """Templates from the installed package; undefined names are errors."""
    folder = str(resources.files("hlsgen.templates"))
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["cfloat"] = c_float
    made.filters["comment"] = comment_text
    made.filters["lines"] = placed
    made.filters["head"] = head
    made.globals["promises"] = promises
    made.globals["next_pixel"] = next_pixel
    made.globals["walked"] = walked
    made.globals["of_step"] = of_step
    made.globals["joined"] = joined
    made.globals["added"] = added
    made.globals["total"] = total
    made.globals["ctype"] = FLOAT32.ctype
    made.globals["zero"] = FLOAT32.zero
    made.globals["memory_macros"] = memory_macros
    made.globals["lanes_of"] = lanes_of
    return made


def render(template: str, /, **context: Any) -> str:
    """Render a template and tidy blank lines at both ends."""
    return environment().get_template(template).render(**context).strip("\n")


def joined(name: str) -> str:
    """The expression in which the epilogue joins a second tensor."""
    return FUNCTIONS[name].expression.format("value", "other")


def placed(lines: Sequence[str], depth: int = 0) -> str:
    """Lines of OpenCL, all but the first indented: a template's own spaces indent that."""
    return f"\n{' ' * depth}".join(lines)


def comment_text(text: str) -> str:
    """Text of a user's file, safe inside a one-line comment: printable ASCII, no line breaks, no
    line splicing."""
    return "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in text)
