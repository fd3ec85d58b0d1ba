"""Preparations that do not fit an input."""

import numpy as np
import pytest

from hlsgen.host.errors import HostError
from hlsgen.host.images import shaped
from hlsgen.host.manifest import Value
from hlsgen.host.pictures import PREPARATIONS, Preparation, prepared


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (1, 4, 4, 1), (1, 16)])
def test_three_means_of_a_grey_input(shape):
    grey = np.zeros((2, *shape[1:]), np.uint8)
    with pytest.raises(HostError, match=r"mean has 3 numbers, the input .* channels"):
        prepared(grey, shape, PREPARATIONS["imagenet"])
    assert prepared(grey, shape, PREPARATIONS["mnist"]).shape == grey.shape


def test_as_many_means_as_channels():
    means = Preparation(scale=1, mean=(1, 2, 3))
    found = prepared(np.zeros((1, 3, 2, 2), np.uint8), (1, 3, 2, 2), means)
    assert found[0, :, 0, 0].tolist() == [-1, -2, -3]


def test_an_image_of_one_number():
    port = Value("x", (1,), (1,), "float32")
    assert shaped(np.ones(3), port, Preparation()).tolist() == [1, 1, 1]
    assert shaped(np.array(2.0), port, Preparation()).tolist() == [2]
