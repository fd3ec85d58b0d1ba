"""What operators have in common that add up products of integers by weights, and make results of
the sums with a factor for each channel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Array, Conversion, Nest
from hlsgen.kernel.values import Roles, Vector
from hlsgen.ops import requantise
from hlsgen.ops.base import Operator
from hlsgen.ops.importer import Importer
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.quantised import sum_bits
from hlsgen.types import FLOAT32, INT8, INT16, INT32, INTEGERS

# The weight with a factor for each channel.
FACTORS = "factors"


class IntegerSums(Operator, Importer):
    """Stands before the operator of float32 that it makes one of integers; its attributes have the
    quantisations `given` and `result` (None: float32), its layers the weights `weight`, `bias` and
    `factors` (see `QuantisedConvAttributes`)."""

    types = INTEGERS
    fuses_activation = False
    scaled_weight = ""
    stored_weights: tuple[str, ...] = ()
    alternative_engines: tuple[str, ...] = ()

    def structure(self, layer: Layer) -> Any:
        """Scales are constants of any kernel."""
        return requantise.structure(layer.attributes)

    def roles(self, layer: Layer, graph: Graph) -> Roles:
        """Products of the input by the weights, added up in int32, however few bits they need."""
        weight = INT8 if layer.weights["weight"].dtype == INT8.array else INT16
        given, result = graph.tensors[layer.inputs[0]].type, graph.output_tensor(layer).type
        return Roles(given, weight, INT32, result)

    def note(self, layer: Layer) -> str:
        """The bits of its sums, whatever its input."""
        weight, bias = layer.weights["weight"], layer.weights["bias"]
        rows = weight.reshape(len(weight), -1)
        return f"sums of {sum_bits(rows, layer.attributes.given.type, bias)} bits"

    def conversion(self, layer: Layer, graph: Graph, lanes: int) -> Conversion:
        """A factor for each channel."""
        result = layer.attributes.result
        units = Arithmetic(multiplies=1, conversions=1).times(lanes)
        return Conversion(
            f"{requantise.as_float(lanes)} * {{1}}",
            zero=0 if result is None else result.zero,
            units=units + requantise.rounding(result, lanes),
        )

    def folded_scale(self, layer: Layer) -> np.ndarray:
        """A factor for each channel."""
        return layer.weights[FACTORS]

    def rounded_to(self, layer: Layer) -> int:
        """That of the result."""
        result = layer.attributes.result
        return 0 if result is None else result.zero

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """Borders hold the input's zero point."""
        found = super().folded_fields(layer, graph, step, engines)
        return found | {"pad_value": layer.attributes.given.zero}

    def layered_arrays(self, layer: Layer) -> dict[str, np.ndarray]:
        """Weights, bias, factors. The kernel takes the zero point from each input: the bias is the
        network's own."""
        weight = layer.weights["weight"]
        rows = weight.reshape(len(weight), -1).astype(np.int64).sum(axis=1)
        bias = (layer.weights["bias"] + layer.attributes.given.zero * rows).astype(np.int32)
        return {"weight": weight, "bias": bias, FACTORS: layer.weights[FACTORS]}

    def layered_context(self, layer: Layer) -> dict[str, Any]:
        """The input less its zero point, and the factors."""
        zero = layer.attributes.given.zero
        operand = f"({{}} - {zero})" if zero else "{}"
        return {"operand": operand.format, "second": f"{FACTORS}[{{}}]"}

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """As of float32, with an array of factors for each channel behind it."""
        nest = super().nest(layer, graph, kernel)
        assert nest.bias is not None
        vector = Vector(FLOAT32, nest.bias.vector.lanes)
        memory = Memory(FACTORS, nest.bias.memory.depth, vector.bits)
        factors = Array(memory, vector, nest.bias.index)
        conversion = replace(self.conversion(layer, graph, vector.lanes), factors=factors)
        return replace(
            nest,
            constants=(*nest.constants, factors),
            epilogue=replace(nest.epilogue, conversion=conversion),
        )

    def row_tile_options(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> tuple[int, ...]:
        """Weights are on chip."""
        return (0,)
