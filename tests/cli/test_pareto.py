"""The Pareto front against its definition, on points with many ties."""

import itertools

import numpy as np
import pytest

from hlsgen.explore.points import dominates, front

# More images a second are better; of all else less.
NAMES = ("throughput_fps", "latency_ms", "dsps", "blocks", "alms")
BETTER = np.array([1, -1, -1, -1, -1])


def result(figures, key="", error=""):
    return dict(zip(NAMES, figures, strict=True)) | {"key": key, "error": error}


@pytest.mark.parametrize("number", range(5))
def test_each_criterion_alone_decides(number):
    plain, better = [3] * 5, [3] * 5
    better[number] += BETTER[number]
    assert dominates(result(better), result(plain)) and not dominates(result(plain), result(better))
    assert front([result(plain), result(better)]) == [result(better)]


def test_equals_do_not_dominate_each_other_and_count_once():
    twins = [result([1, 2, 3, 4, 5], key) for key in ("a", "b")]
    assert not dominates(*twins) and front(twins) == twins[:1]


def test_what_is_better_in_one_and_worse_in_another_stays():
    quick, small = result([9, 1, 9, 1, 1]), result([1, 1, 1, 1, 1])
    assert front([small, quick]) == [quick, small]  # fastest first


def test_what_could_not_be_built_is_on_no_front():
    assert front([result([9, 0, 0, 0, 0], error="does not fit"), result([1, 1, 1, 1, 1])]) == [
        result([1, 1, 1, 1, 1])
    ]


def test_the_front_of_many_points():
    points = np.array(list(itertools.product((1, 2), (1, 2), (1, 3), (2, 3), (1,)))) * 1.0
    points[:, 0] += points[:, 1:].sum(axis=1) % 3
    gains = points * BETTER
    beaten = [
        any((other >= mine).all() and (other > mine).any() for other in gains) for mine in gains
    ]
    expected = {tuple(p) for p, lost in zip(points, beaten, strict=True) if not lost}
    found = [tuple(r[name] for name in NAMES) for r in front([result(p) for p in points])]
    assert set(found) == expected and len(found) == len(expected) < len(points)
    assert [f[0] for f in found] == sorted((f[0] for f in found), reverse=True)
