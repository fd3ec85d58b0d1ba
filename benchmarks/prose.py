"""Prose of pages that benchmarks print, in lines as the documents have them."""

from __future__ import annotations

import re
import textwrap

COLUMNS = 120
CODE = re.compile(r"`[^`]*`")
# Stands for a space at which no line may end.
BOUND = "\x00"


def paragraph(text: str) -> str:
    """A text in lines of at most 120 columns, where words are shorter than that. What is marked as
    code stays on one line, so that it can be found and copied."""
    bound = CODE.sub(lambda code: code[0].replace(" ", BOUND), text)
    lines = textwrap.fill(bound, COLUMNS, break_long_words=False, break_on_hyphens=False)
    return lines.replace(BOUND, " ")
