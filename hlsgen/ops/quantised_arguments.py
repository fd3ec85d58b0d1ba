"""What nodes of quantised networks are given: scales, zero points, integer weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlsgen.quantised import Quantisation, single
from hlsgen.types import INT8, INT16, TENSOR_TYPES

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


@dataclass(frozen=True)
class Place:
    """The numbers of the inputs that are integers, their scale and their zero point."""

    values: int
    scale: int
    zero: int


def places(first: int) -> Place:
    """Three inputs one after another."""
    return Place(first, first + 1, first + 2)


def quantisation(node: NodeImporter, at: Place) -> Quantisation:
    """What a feature map stands for. Raises UnsupportedError for several scales, and for types
    other than uint8 and int8."""
    scale = node.need_constant(at.scale, "scale")
    zero = np.zeros(1, np.uint8)
    if node.input_name(at.zero):
        zero = node.need_constant(at.zero, "zero point")
    if scale.size != 1 or zero.size != 1:
        raise node.unsupported(
            f"a feature map has {scale.size} scales", "quantise feature maps with one scale each"
        )
    name = str(zero.dtype)
    if name not in TENSOR_TYPES or not TENSOR_TYPES[name].integer:
        raise node.unsupported(f"feature maps of type {name}", "quantise to int8 or uint8")
    number = single(scale.ravel()[0])
    if not np.isfinite(number) or number <= 0:
        raise node.unsupported(f"its scale is {number}", "quantise the network again")
    return Quantisation(float(number), int(zero.ravel()[0]), TENSOR_TYPES[name])


def weight_less_zero(node: NodeImporter, at: Place, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """A constant weight less its zero points, and its scales: one, or one for each index along
    `axis`. int8 where that holds all of it, else int16."""
    weight = node.need_constant(at.values, "weight")
    scale = node.need_constant(at.scale, "scale of its weight").ravel()
    zero = np.zeros(1, weight.dtype)
    if node.input_name(at.zero):
        zero = node.need_constant(at.zero, "zero point of its weight").ravel()
    for what, values in (("scales", scale), ("zero points", zero)):
        if len(values) not in (1, weight.shape[axis]):
            raise node.unsupported(
                f"{len(values)} {what} for a weight of shape {list(weight.shape)}",
                "use one, or one for each output channel",
            )
    spread = [1] * weight.ndim
    spread[axis] = len(zero)
    found = weight.astype(np.int16) - zero.astype(np.int16).reshape(spread)
    low, high = np.iinfo(INT8.array).min, np.iinfo(INT8.array).max
    fits = found.min(initial=0) >= low and found.max(initial=0) <= high
    return found.astype(INT8.array if fits else INT16.array), scale.astype(single)


def folded_bias(weight: np.ndarray, bias: np.ndarray, zero: int) -> np.ndarray:
    """The int32 bias of sums over raw inputs: less what the input's zero point adds up to. Sums
    wrap round, so the difference may."""
    rows = weight.reshape(len(weight), -1).astype(np.int64).sum(axis=1)
    found = np.repeat(bias.astype(np.int64).ravel(), len(rows) // bias.size) - zero * rows
    folded: np.ndarray = found.astype(np.int32)
    return folded
