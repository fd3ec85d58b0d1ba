"""Prose of pages that benchmarks print, in lines as the documents have them."""

from __future__ import annotations

import textwrap

COLUMNS = 120


def paragraph(text: str) -> str:
    """A text in lines of at most 120 columns, where words are shorter than that."""
    return textwrap.fill(text, COLUMNS, break_long_words=False, break_on_hyphens=False)
