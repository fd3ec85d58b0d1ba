"""Feature maps in memory, element by element."""

import itertools

import numpy as np
import pytest

from hlsgen.host.layout import apply_steps, pack, unfold_columns, unpack
from hlsgen.host.manifest import Layout

CHANNELS, HEIGHT, WIDTH = 6, 3, 5
IMAGE = np.arange(1, CHANNELS * HEIGHT * WIDTH + 1, dtype=np.float32).reshape(
    CHANNELS, HEIGHT, WIDTH
)


@pytest.mark.parametrize(
    ("lanes", "base", "spare"), [(1, 0, 0), (4, 2, 0), (4, 3, 2), (8, 1, 1), (16, 0, 3)]
)
def test_every_value_lies_where_the_manifest_says(lanes, base, spare):
    """Channel c of pixel p at `(base + p * stride + c // lanes) * lanes + c % lanes` of the buffer;
    lanes beyond the channels, and what lies between pixels, are zero."""
    vectors = -(-CHANNELS // lanes)
    layout = Layout("memory", CHANNELS, HEIGHT, WIDTH, lanes, base, vectors + spare)
    span, expected = pack(IMAGE, layout), np.zeros(layout.span, np.float32)
    for p in range(HEIGHT * WIDTH):
        for c in range(CHANNELS):
            at = (base + p * layout.stride + c // lanes) * lanes + c % lanes
            expected[at - layout.first] = IMAGE[c, p // WIDTH, p % WIDTH]
    np.testing.assert_array_equal(span, expected)
    expected[expected == 0] = -7  # whatever lies there
    np.testing.assert_array_equal(unpack(expected, layout), IMAGE)


def test_steps_are_applied_in_order():
    array = np.arange(24)
    steps = [("reshape", (2, 3, 4)), ("transpose", (2, 0, 1)), ("reshape", (8, 3))]
    np.testing.assert_array_equal(
        apply_steps(array, steps), array.reshape(2, 3, 4).transpose(2, 0, 1).reshape(8, 3)
    )


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "left", "count"),
    [(3, 1, 1, 1, 5), (3, 2, 1, 0, 2), (2, 1, 3, 2, 6)],
)
def test_columns_become_channels(kernel, stride, dilation, left, count):
    found = unfold_columns(IMAGE[None], [kernel, stride, dilation, left, count])
    expected = np.zeros((1, kernel * CHANNELS, HEIGHT, count), np.float32)
    for kx, c, y, x in itertools.product(
        range(kernel), range(CHANNELS), range(HEIGHT), range(count)
    ):
        column = x * stride + kx * dilation - left
        if 0 <= column < WIDTH:
            expected[0, kx * CHANNELS + c, y, x] = IMAGE[c, y, column]
    np.testing.assert_array_equal(found, expected)
