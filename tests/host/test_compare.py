"""Comparisons: the scale of an error, the worst of several images, and doubts about the
reference."""

import warnings

import numpy as np
import pytest

from hlsgen.host.compare import TOLERANCE, Comparison, compare


def test_errors_are_relative_to_the_largest_value():
    """Neither to the sum of all values, nor to the value at hand."""
    reference = np.full(1000, 2.0)
    result = reference.copy()
    result[0] += 2 * 1.5 * TOLERANCE["float32"]
    found = compare(result, reference)
    np.testing.assert_allclose(
        [found.max_abs_error, found.max_rel_error], [3e-4, 1.5e-4], rtol=1e-9
    )
    assert not found.ok
    reference[1:] = -8.0
    assert compare(np.concatenate([result[:1], reference[1:]]), reference).ok


def test_the_worst_of_several_images_is_wrong_if_one_is():
    right, wrong = Comparison(1e-6, 2e-6, True), Comparison(0.5, 0.25, False)
    assert right.worst(wrong) == wrong.worst(right) == wrong
    assert wrong.worst(right).worst(right) == wrong
    assert right.worst(Comparison(1e-7, 1e-5, True)) == Comparison(1e-6, 1e-5, True)


def test_doubts_count_where_they_are():
    reference, doubt = np.array([1e-5, 1e-5]), np.array([2e-7, 0.0])
    first, second, far = (
        np.array(values) for values in ([1.015e-5, 1e-5], [1e-5, 1.015e-5], [1.03e-5, 1e-5])
    )
    assert (
        compare(first, reference, doubt=doubt).ok and not compare(second, reference, doubt=doubt).ok
    )
    assert not compare(first, reference).ok and not compare(far, reference, doubt=doubt).ok
    assert (
        compare(first, reference, doubt=doubt).max_abs_error
        == compare(first, reference).max_abs_error
    )
    assert not compare(np.array([np.nan, 1e-5]), reference, doubt=doubt).ok


def test_infinities_and_nan_must_be_where_the_reference_has_them():
    reference = np.array([np.inf, -np.inf, np.nan, 1.0], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compare(reference, reference) == Comparison(0.0, 0.0, True)
        for index, value in enumerate([-np.inf, 1.0, 1.0, np.inf]):
            wrong = reference.copy()
            wrong[index] = value
            assert not compare(wrong, reference).ok


@pytest.mark.parametrize("value", [3.25, np.nan, np.inf])
def test_what_lies_between_integers_equals_none(value):
    found = compare(np.array([2, value], np.float32), np.array([2, 3], np.int32))
    assert not found.ok and found.wrong.startswith("[1]") and found.max_abs_error > 0
