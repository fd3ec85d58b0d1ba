"""Where feature maps live in the folded design's memory; concatenation by writing in place."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from hlsgen.graph import Graph, remembered
from hlsgen.ops import operator
from hlsgen.types import DataType


@dataclass(frozen=True)
class Location:
    """A tensor in vectors of V channels: pixel p, vector c is at `base + p * stride + c`."""

    base: int
    stride: int


@dataclass(frozen=True)
class Placement:
    """All locations, the size in vectors, and the (concat layer, input position) pairs that must be
    copied. Beside integers float32 has a memory of its own, which is as large: one number leads
    from image to image in both."""

    locations: dict[str, Location]
    size: int
    copies: frozenset[tuple[str, int]]


@remembered
def place_tensors(graph: Graph, width: int) -> Placement:
    """Give every tensor a place of its own, except that inputs of a concatenation live inside its
    result.

    An input stays outside, to be copied, when it is a network input or already lives in another
    concatenation. Concatenations nest: the outermost is placed first.
    """
    home: dict[str, tuple[str, int]] = {}
    copies: set[tuple[str, int]] = set()
    for layer in reversed([x for x in graph.layers if operator(x.op).concatenates]):
        offset = 0
        for position, name in enumerate(layer.inputs):
            if name in home or name not in graph.producers:
                copies.add((layer.name, position))
            else:
                home[name] = (layer.output, offset)
            offset += ceil(graph.tensors[name].channels / width)
    locations: dict[str, Location] = {}
    sizes: dict[DataType, int] = {}
    for name, tensor in graph.tensors.items():
        if name not in home:
            stride = ceil(tensor.channels / width)
            size = sizes.get(tensor.type, 0)
            locations[name] = Location(size, stride)
            sizes[tensor.type] = size + tensor.pixels * stride
    for name in home:
        outer, offset = name, 0
        while outer in home:
            outer, more = home[outer]
            offset += more
        locations[name] = Location(locations[outer].base + offset, locations[outer].stride)
    return Placement(locations, max(sizes.values()), frozenset(copies))
