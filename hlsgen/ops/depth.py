"""Three-dimensional convolutions as two-dimensional ones, whose channels hold the slices of
depth."""

from __future__ import annotations

import numpy as np

from hlsgen.ops.importing import LARGEST_TENSOR
from hlsgen.ops.window import Window


def depth_among_channels(weight: np.ndarray, depth: Window, size: int) -> np.ndarray:
    """Filters (O, C, KD, KH, KW) of a three-dimensional convolution as (O * OD, C * D, KH, KW) of a
    two-dimensional one.

    Channel c * D + d is slice d of channel c. Slice kd of a filter multiplies input slice od *
    stride + kd * dilation - pad.
    """
    filters, channels, taps, *rest = weight.shape
    slices = depth.output_size(size, 1)[0]
    if slices * size * filters * channels * int(np.prod(rest)) > LARGEST_TENSOR:
        raise ValueError(
            f"{slices} x {size} slices of depth make too large a two-dimensional convolution"
        )
    spread = np.zeros((filters, max(slices, 0), channels, size, *rest), weight.dtype)
    for out in range(slices):
        for tap in range(taps):
            at = out * depth.stride[0] + tap * depth.dilation[0] - depth.pads[0]
            if 0 <= at < size:
                spread[:, out, :, at] = weight[:, :, tap]
    return spread.reshape(filters * slices, channels * size, *rest)
