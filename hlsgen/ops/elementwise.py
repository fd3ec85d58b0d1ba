"""Kernels that take a vector of every input an iteration and send one on: what they have in
common."""

from __future__ import annotations

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Array, Combine, Epilogue, Guard, Index, Loop, Nest, Raster, Source
from hlsgen.kernel.values import FLOAT, Roles, Vector
from hlsgen.ops.arrays import vectors
from hlsgen.plan import KernelPlan

# The number of a vector in its pixel.
VECTOR = Index((("o", 1),))


def pixels(count: int) -> Raster:
    """A walk over so many pixels, each of which gives an output."""
    return Raster((Loop("p", count, arrives=True),), (Guard("p", 0, count),))


def channel_constants(
    layer: Layer, graph: Graph, kernel: KernelPlan, names: tuple[str, ...]
) -> tuple[Array, ...]:
    """Weights of a layer: a vector for every vector of a pixel of those that are `(C,)`, for every
    vector of the feature map of those that are `(C, H, W)`."""
    vector = Vector(FLOAT.weight, kernel.output_width)
    count = vectors(graph.output_tensor(layer).channels, kernel.output_width)
    found = []
    for name in names:
        pixels = layer.weights[name][0].size
        index = Index((("p", count), ("o", 1))) if pixels > 1 else VECTOR
        found.append(Array(Memory(name, pixels * count, vector.bits), vector, index))
    return tuple(found)


def elementwise(
    layer: Layer,
    graph: Graph,
    kernel: KernelPlan,
    combine: Combine,
    epilogue: Epilogue,
    what: str = "",
    constants: tuple[str, ...] = (),
    sources: tuple[Source, ...] = (),
    types: Roles = FLOAT,
) -> Nest:
    """A kernel that combines one vector of every input. Weights are named by `constants`;
    `sources`: those that arrive in another way than a vector an iteration, the last ones."""
    tensor = graph.output_tensor(layer)
    count = vectors(tensor.channels, kernel.input_width)
    plain = Source(Vector(types.operand, kernel.input_width), tensor.pixels, count)
    names = ("bias",) if "bias" in layer.weights and "bias" not in constants else ()
    bias = channel_constants(layer, graph, kernel, names)
    return Nest(
        what=what,
        lanes=kernel.output_width,
        sources=(plain,) * (len(layer.inputs) - len(sources)) + sources,
        loops=(Loop("o", count, arrives=True),),
        combine=combine,
        raster=pixels(tensor.pixels),
        bias=bias[0] if bias else None,
        constants=channel_constants(layer, graph, kernel, constants),
        epilogue=epilogue,
        types=types,
    )
