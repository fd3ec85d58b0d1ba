"""The floating-point units of an activation are those of its OpenCL text."""

import re

import pytest

from hlsgen.activation import FUNCTIONS


def calls(text, names):
    """The distinct calls of functions, however often each stands there: a repeated one is one
    unit."""
    found = set()
    for match in re.finditer(rf"\b(?:{names})\(", text):
        depth, end = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        found.add(text[match.start() : end])
    return found


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_units_are_those_of_the_text(kind):
    text, units = FUNCTIONS[kind].expression, FUNCTIONS[kind].units
    errors = len(calls(text, "erf"))  # a comparison, a polynomial and an exponential each
    waves = len(calls(text, "sin|cos"))  # a comparison and nine multiply-adds each
    assert units.compares == len(calls(text, "fmax|fmin|step")) + errors + waves
    assert units.exponentials == len(calls(text, "exp|expm1|log|log1p|tanh")) + errors
    assert units.powers == len(calls(text, "pow"))
    # tanh is made of an exponential, two additions and a division.
    roots = len(calls(text, "sqrt|rsqrt"))  # as large as a division
    assert units.divides == text.count(" / ") + roots + text.count("tanh")
    products = text.count(" * ") + 10 * errors + 9 * waves
    # Between 0 and 1 they are choices: 1 less a step, and a step times another.
    additions = len(re.findall(r" [+-] ", text)) - text.count("1.0f - step(")
    products -= text.count(") * step(")
    additions += 2 * text.count("tanh") + 10 * errors
    additions += 9 * waves
    assert units.multiplies + units.multiply_adds == products
    inside = len(calls(text, "expm1|log1p"))  # with an addition of their own
    assert units.adds + units.multiply_adds == additions + inside
