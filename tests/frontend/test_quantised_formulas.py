"""The arithmetic of quantised networks, against slow and exact ways to compute the same."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlsgen.quantised import Quantisation, fused_multiply_add, rounded, sum_bits
from hlsgen.types import INT8, UINT8

singles = st.floats(width=32, min_value=-(2.0**40), max_value=2.0**40, allow_subnormal=False)


def nearest(value: Fraction) -> np.float32:
    """The float32 next to an exact value, ties to even."""
    near = np.float32(float(value))
    found = [np.nextafter(near, np.float32(way)) for way in (-np.inf, np.inf)] + [near]
    return min(found, key=lambda x: (abs(Fraction(float(x)) - value), int(x.view(np.int32)) & 1))


@given(singles, singles, singles)
def test_multiply_add_rounds_once(a, b, c):
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    found = fused_multiply_add(np.float32(a), np.float32(b), np.float32(c))
    if abs(exact) > 2.0**-100:
        assert found == nearest(exact)


def test_a_sum_that_float64_rounds_to_a_tie():
    """float64 alone rounds twice: to the middle of two float32, then to the even one."""
    a, b, c = np.float32(1 + 2**-12), np.float32(1 + 2**-12), np.float32(2**-60)
    assert fused_multiply_add(a, b, c) == nearest(
        Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    )


@pytest.mark.parametrize("kind", [INT8, UINT8])
def test_rounding_keeps_within_the_type(kind):
    limits = np.iinfo(kind.array)
    values = np.array([-np.inf, -1e30, -0.5, 0.5, 1.5, 2.5, 1e30, np.inf], np.float32)
    found = rounded(values, 3, kind)
    assert found.dtype == kind.array
    assert found.tolist() == [limits.min, limits.min, 3, 3, 5, 5, limits.max, limits.max]


def test_quantising_divides():
    """Times the reciprocal is another value in one case of 400."""
    x = np.random.default_rng(0).integers(-500, 500, 100_000).astype(np.float32) / np.float32(7)
    q = Quantisation(float(np.float32(0.1)), 5, INT8)
    exact = np.clip(np.rint(x / np.float32(0.1)) + 5, -128, 127)
    assert np.array_equal(q.quantised(x), exact)


def test_bits_of_sums():
    """The largest sum of magnitudes just fits, with a sign."""
    weights = np.array([[127, -128, 1], [0, 0, 0]], np.int8)
    assert sum_bits(weights, UINT8, np.array([0, 0], np.int32)) == (256 * 255).bit_length() + 1
    assert sum_bits(weights, INT8, np.array([-5, 1], np.int32)) == (256 * 128 + 5).bit_length() + 1
