"""How kernels turn sums into integers: types, factors and text that operators on integers share."""

from __future__ import annotations

from dataclasses import replace
from math import frexp
from typing import Any

import numpy as np

from hlsgen.activation import c_float
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Array, Conversion, Nest
from hlsgen.kernel.values import Roles, Vector
from hlsgen.quantised import Quantisation, sum_bits
from hlsgen.types import FLOAT32, INT8, INT16, INT32

# The weight with a factor for each channel.
FACTORS = "factors"


def roles(layer: Layer, graph: Graph) -> Roles:
    """Products of a layer's input by its weights, added up in int32."""
    weight = INT8 if layer.weights["weight"].dtype == INT8.array else INT16
    given, result = graph.tensors[layer.inputs[0]].type, graph.output_tensor(layer).type
    return Roles(given, weight, INT32, result)


def note(layer: Layer) -> str:
    """The bits of a layer's sums, whatever its input."""
    weight, bias = layer.weights["weight"], layer.weights["bias"]
    rows = weight.reshape(len(weight), -1)
    return f"sums of {sum_bits(rows, layer.attributes.given.type, bias)} bits"


def as_float(lanes: int) -> str:
    """The float32 of a vector `{0}`."""
    return f"convert_{FLOAT32.vector(lanes)}({{0}})"


def dequantised(given: Quantisation, lanes: int) -> str:
    """The float32 of what a vector of integers `{0}` stands for; the zero point is taken off
    before, where that takes no unit of float32."""
    whole = f"convert_{INT32.vector(lanes)}({{0}}) - {given.zero}" if given.zero else "{0}"
    return f"convert_{FLOAT32.vector(lanes)}({whole}) * {c_float(given.scale)}"


def dequantising(given: Quantisation, lanes: int) -> Arithmetic:
    """Units of the same."""
    return Arithmetic(multiplies=1, conversions=1, integer_adds=int(given.zero != 0)).times(lanes)


def division(number: float, lanes: int) -> Arithmetic:
    """Units of a division by a constant: by a power of two compilers multiply, which is the
    same."""
    exact = frexp(number)[0] == 0.5
    return Arithmetic(multiplies=int(exact), divides=int(not exact)).times(lanes)


def times_factors(layer: Layer, lanes: int) -> Conversion:
    """Sums times a factor for each channel."""
    result = layer.attributes.result
    return Conversion(
        f"{as_float(lanes)} * {{1}}",
        zero=0 if result is None else result.zero,
        units=Arithmetic(multiplies=1, conversions=1).times(lanes) + rounding(result, lanes),
    )


def rounding(result: Quantisation | None, lanes: int) -> Arithmetic:
    """Units that keep float32 within the range of a result's type and round it."""
    return Arithmetic(compares=2, conversions=1, integer_adds=1).times(lanes if result else 0)


def structure(attributes: Any) -> Any:
    """Attributes without scales, but for whether these are powers of two, and zero points, but for
    whether they are 0."""
    found = [
        None if q is None else replace(q, scale=frexp(q.scale)[0] == 0.5, zero=int(q.zero != 0))
        for q in (attributes.given, attributes.result)
    ]
    return replace(attributes, given=found[0], result=found[1])


def by_channel(nest: Nest, layer: Layer) -> Nest:
    """A kernel with sums and a bias, and a factor for each channel behind it."""
    assert nest.bias is not None
    vector = Vector(FLOAT32, nest.bias.vector.lanes)
    memory = Memory(FACTORS, nest.bias.memory.depth, vector.bits)
    factors = Array(memory, vector, nest.bias.index)
    conversion = replace(times_factors(layer, vector.lanes), factors=factors)
    return replace(
        nest,
        constants=(*nest.constants, factors),
        epilogue=replace(nest.epilogue, conversion=conversion),
    )


def unfolded(layer: Layer) -> dict[str, np.ndarray]:
    """The arrays of a layered kernel, which takes the zero point from each input: the bias as it
    was."""
    weight = layer.weights["weight"]
    rows = weight.reshape(len(weight), -1).astype(np.int64).sum(axis=1)
    bias = (layer.weights["bias"] + layer.attributes.given.zero * rows).astype(np.int32)
    return {"weight": weight, "bias": bias, FACTORS: layer.weights[FACTORS]}


def layered(layer: Layer) -> dict[str, Any]:
    """What templates of layered kernels are told of a layer with factors."""
    zero = layer.attributes.given.zero
    operand = f"({{}} - {zero})" if zero else "{}"
    return {"operand": operand.format, "second": f"{FACTORS}[{{}}]"}
