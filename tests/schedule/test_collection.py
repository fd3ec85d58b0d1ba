"""Searches change how often Python collects garbage only while they run."""

import gc

import pytest

from hlsgen.schedule.collection import THRESHOLD, rare_collections


@pytest.fixture
def thresholds():
    before = gc.get_threshold()
    yield gc.set_threshold
    gc.set_threshold(*before)


def test_collections_are_rare_only_inside(thresholds):
    thresholds(700, 11, 12)
    with rare_collections():
        assert gc.get_threshold() == (THRESHOLD, 11, 12)
    assert gc.get_threshold() == (700, 11, 12)


def test_they_are_restored_after_an_error(thresholds):
    thresholds(700, 11, 12)
    with pytest.raises(ValueError), rare_collections():
        raise ValueError
    assert gc.get_threshold() == (700, 11, 12)


@pytest.mark.parametrize("first", [0, 1_000_000])
def test_who_turned_them_off_or_wants_fewer_keeps_that(thresholds, first):
    thresholds(first, 11, 12)
    with rare_collections():
        assert gc.get_threshold() == (first, 11, 12)
