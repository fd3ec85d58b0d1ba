"""Patterns of zeros that kernels use without loss: in every group of weights the same number stays.

`2:4`: at most 2 of 4 neighbouring input channels, for each output and tap (N:M sparsity); `n:4` the
same, with as many as each layer's share says. `balanced:8`: of the input channels that are equal
modulo 8, which lie in one bank of a kernel that skips zeros, the same number, so that no list is
longer than another. `channels:8`: all weights by an input channel or none, and a multiple of 8
channels stays; those that nobody reads then leave the network (`hlsgen.sparsify.shrink`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import onnx

from hlsgen.errors import PlanError
from hlsgen.sparsify.shrink import chains
from hlsgen.sparsify.weights import Layer

BALANCED, CHANNELS = "balanced", "channels"
# The most input channels of a group, or banks: the lanes of the widest vector.
MOST = 16
AXES = {"": "inputs", "input": "inputs", "output": "filters"}


@dataclass(frozen=True)
class Pattern:
    """`kept` of every `size` neighbouring channels stay, or, with 0, as many as a layer's share
    says; with `strided` of those that are equal modulo `size`. `axis`: the layer's field that names
    the axis of these channels. `whole`: channels go altogether, and a multiple of `size` stays."""

    kept: int
    size: int
    strided: bool = False
    axis: str = "inputs"
    whole: bool = False

    @property
    def share(self) -> float | None:
        """The share of zeros, where that is the pattern's to say."""
        return 1 - self.kept / self.size if self.kept else None

    def fits(self, layer: Layer) -> bool:
        """Whether a layer has so many channels."""
        return bool(layer.values.shape[getattr(layer, self.axis)] >= self.size)

    def groups(self, layer: Layer, kept: int) -> Groups:
        """The groups of a layer's weights of which so many are to stay."""
        axis = getattr(layer, self.axis)
        channels = layer.values.shape[axis]
        number = np.arange(channels)
        if self.whole:
            along = [-1 if i == axis else 1 for i in range(layer.values.ndim)]
            # Of whole numbers: a share's rounding would make a group of channels more.
            left = max(-(-kept * channels // (layer.values.size * self.size)), 1) * self.size
            labels = np.broadcast_to(number.reshape(along), layer.values.shape)
            return Channels(labels, np.array([channels - min(left, channels)]))
        own = number % self.size if self.strided else number // self.size
        count = int(own.max()) + 1
        others = layer.values.size // channels
        shape = [1 if i == axis else n for i, n in enumerate(layer.values.shape)]
        along = [-1 if i == axis else 1 for i in range(layer.values.ndim)]
        labels = np.arange(others).reshape(shape) * count + own.reshape(along)
        members = np.bincount(own)
        if self.kept:
            zeros = [m - ceil(self.kept * m / self.size) for m in members]
        else:  # none is left without a weight
            share = 1 - kept / layer.values.size
            zeros = [min(round(share * m), m - 1) for m in members]
        return Groups(labels, np.tile(zeros, others))


@dataclass(frozen=True)
class Groups:
    """`labels`: the group of every weight; `zeros`: how many of each group are to be zero."""

    labels: np.ndarray
    zeros: np.ndarray

    def smallest(self, costs: np.ndarray, part: float = 1.0) -> np.ndarray:
        """Where the smallest costs of every group are, as a mask: so many as are to be zero, or a
        part of them."""
        labels = self.labels.reshape(-1)
        order = np.lexsort((costs.reshape(-1), labels))
        sizes = np.bincount(labels, minlength=len(self.zeros))
        rank = np.arange(labels.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        goes = np.zeros(labels.size, bool)
        goes[order] = rank < np.repeat(np.ceil(part * self.zeros).astype(int), sizes)
        return goes.reshape(costs.shape)


@dataclass(frozen=True)
class Channels(Groups):
    """Groups of which some go altogether: as many as `zeros` says."""

    def smallest(self, costs: np.ndarray, part: float = 1.0) -> np.ndarray:
        """Where the groups are whose costs are least in sum."""
        labels = self.labels.reshape(-1)
        order = np.argsort(np.bincount(labels, costs.reshape(-1)), kind="stable")
        gone: np.ndarray = np.isin(labels, order[: ceil(part * int(self.zeros[0]))])
        return gone.reshape(costs.shape)


def parse_pattern(text: str) -> Pattern:
    """The pattern of that name. Raises PlanError."""
    first, _, rest = text.partition(":")
    size, _, axis = rest.partition(":")
    kept = 0 if first in ("n", BALANCED, CHANNELS) else int(first) if first.isdecimal() else -1
    number = int(size) if size.isdecimal() else 0
    if not 2 <= number <= MOST or not 0 <= kept < number or first == "0" or axis not in AXES:
        raise PlanError(
            f"{text!r} is no pattern with up to {MOST} channels",
            where="--pattern",
            remedy="2:4, n:4, 2:4:output, balanced:8, or channels:8",
        )
    return Pattern(kept, number, first == BALANCED, AXES[axis], first == CHANNELS)


def fitting(model: onnx.ModelProto, layers: list[Layer], pattern: Pattern | None) -> list[Layer]:
    """The layers that have channels enough and, where these are to go altogether, are all that
    reads them. Raises PlanError where none is."""
    if pattern is None:
        return layers
    found = [layer for layer in layers if pattern.fits(layer)]
    if pattern.whole:
        sole = chains(model)
        found = [layer for layer in found if layer.name in sole]
    if not found:
        raise PlanError("no layer can follow it", where="--pattern")
    return found


def impose(pattern: Pattern, layer: Layer, dense: np.ndarray) -> Groups:
    """Make the zeros of a layer follow a pattern, about as many as there are: of its `dense`
    weights the smallest of every group go. Returns the groups."""
    groups = pattern.groups(layer, int(np.count_nonzero(layer.values)))
    layer.values[...] = np.where(groups.smallest(np.abs(dense)), 0, dense)
    return groups
