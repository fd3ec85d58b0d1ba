"""The parts of a pipelined design, as its templates print them and its manifest names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from hlsgen.graph import Tensor
from hlsgen.kernel.link_text import LinkText
from hlsgen.kernel.naming import Instance
from hlsgen.ops.arrays import vectors
from hlsgen.plan import KernelPlan

# How an array of channels, one for each copy of the kernels, is declared.
COPIES = "[COPIES]"


@dataclass(frozen=True)
class Vectors:
    """A tensor as it streams: `count` vectors of `width` channels for each of its `pixels`.
    `type`, `zero`: of a vector, in OpenCL."""

    type: str
    zero: str
    width: int
    count: int
    pixels: int

    @property
    def image(self) -> int:
        """Vectors of an image."""
        return self.pixels * self.count


def streaming(tensor: Tensor, width: int) -> Vectors:
    """A tensor in vectors of so many channels."""
    kind = tensor.type
    count = vectors(tensor.channels, width)
    return Vectors(kind.vector(width), kind.filled(kind.zero, width), width, count, tensor.pixels)


@dataclass(frozen=True)
class Link:
    """A channel of feature maps: its name, the type of its vectors, its depth on the board, and
    vectors of an image."""

    name: str
    type: str
    depth: int
    image: int


@dataclass(frozen=True)
class InputReader:
    """The kernel that reads a network input from its `buffer` and sends it through `channels`."""

    kernel: str
    buffer: str
    vectors: Vectors
    channels: Sequence[str]


@dataclass(frozen=True)
class Place:
    """Where results lie among the feature maps of the engines, in vectors: that of the first image,
    and from image to image."""

    base: int
    image: int


@dataclass(frozen=True)
class OutputWriter:
    """The kernel that writes a network output to its `buffer`, in a hybrid design to a `place`
    among the feature maps."""

    kernel: str
    buffer: str
    vectors: Vectors
    channel: str
    place: Place | None = None


@dataclass(frozen=True)
class FilterReader:
    """The kernel that sends a layer its weights from memory: `count` vectors from number `start`
    on, so many `times` an image."""

    kernel: str
    channel: str
    type: str
    start: int
    count: int
    times: int
    depth: int


@dataclass(frozen=True)
class LayerKernel:
    """A layer's kernel in its design. `loaded`: pieces of weights that it keeps; `collected`: the
    vectors that another kernel puts together for it; `text`: that of both kernels."""

    at: Instance
    kernel: KernelPlan
    output: Vectors
    loaded: int
    filters: FilterReader | None
    collected: Vectors | None
    text: str = ""

    @property
    def collector(self) -> tuple[str, ...]:
        """The kernel that puts vectors together, if there is one."""
        return (f"{self.at.name}_collect",) * (self.collected is not None)


@dataclass(frozen=True)
class Parts:
    """All of a design. `helpers`: whether kernels beside those of layers start by themselves;
    `piece`: the type in which weights that are kept arrive; `joints`: the kernels at the ends of
    links to other boards."""

    copies: int
    piece: str
    helpers: bool
    links: Sequence[Link]
    inputs: Sequence[InputReader]
    outputs: Sequence[OutputWriter]
    layers: Sequence[LayerKernel]
    joints: Sequence[LinkText]

    @property
    def array(self) -> str:
        """What makes a channel one for each copy."""
        return COPIES if self.copies > 1 else ""

    @property
    def filters(self) -> list[FilterReader]:
        """The readers of weights."""
        return [layer.filters for layer in self.layers if layer.filters]

    @property
    def loading(self) -> list[LayerKernel]:
        """The layers that keep weights."""
        return [layer for layer in self.layers if layer.loaded]

    @property
    def ends(self) -> list[int]:
        """The pieces after the last of each of those, in the stream of all."""
        return list(accumulate(layer.loaded for layer in self.loading))
