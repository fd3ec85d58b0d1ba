"""Storage types of weights: rounding and bit patterns, against numpy and torch's own."""

import numpy as np
import pytest

from hlsgen.types import BFLOAT16, FLOAT16, FLOAT32, encoded, loaded, overflows, rounded


def values():
    random = np.random.default_rng(3)
    spread = random.standard_normal(20_000) * 10.0 ** random.uniform(-4, 4, 20_000)
    edges = [0.0, -0.0, 1.0, 65504.0, -65504.0, 2.0**-14, 1 + 2.0**-11, 1 + 3 * 2.0**-11]
    return np.array([*spread, *edges, 1 + 2.0**-8, 1 + 3 * 2.0**-8], np.float32)


def test_float16_is_numpys():
    kept = values()[np.abs(values()) >= 2.0**-14]
    kept = kept[np.abs(kept) <= 65504]
    assert np.array_equal(rounded(kept, FLOAT16), kept.astype(np.float16).astype(np.float32))
    assert np.array_equal(encoded(kept, FLOAT16), kept.astype(np.float16).view(np.uint16))


def test_float16_has_no_subnormal_numbers():
    tiny = np.array([2.0**-14 * 0.99, -(2.0**-15), 2.0**-24, 1e-30], np.float32)
    assert not rounded(tiny, FLOAT16).any() and not encoded(tiny, FLOAT16).any()


def test_bfloat16_rounds_to_nearest_and_ties_to_even():
    x = values().astype(np.float64)
    found = rounded(values(), BFLOAT16)
    with np.errstate(divide="ignore"):
        unit = 2.0 ** (np.floor(np.log2(np.abs(x))) - 7)  # 7 bits of mantissa
    expected = np.where(x == 0, 0, np.rint(x / np.where(x == 0, 1, unit)) * unit)
    assert np.array_equal(found, expected.astype(np.float32))
    ties = np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8], np.float32)
    assert rounded(ties, BFLOAT16).tolist() == [1.0, 1 + 2.0**-6]


@pytest.mark.parametrize("kind", [FLOAT32, FLOAT16, BFLOAT16])
def test_what_is_rounded_stays(kind):
    once = rounded(values()[np.abs(values()) < 60000], kind)
    assert np.array_equal(rounded(once, kind), once)
    assert np.array_equal(loaded(encoded(once, kind), kind), once)
    assert encoded(once, kind).dtype == np.dtype(kind.array)
    assert encoded(once, kind).itemsize * 8 == kind.bits


def test_overflow():
    assert overflows(np.float32([1.0, 65520.0]), FLOAT16)
    assert not overflows(np.float32([65519.0]), FLOAT16)
    assert not overflows(np.float32([3e38]), BFLOAT16)
    assert overflows(np.float32([3.4e38]), BFLOAT16)
    assert not overflows(np.float32([3.4e38]), FLOAT32)
