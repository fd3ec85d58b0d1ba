"""The engine of average pooling of integers, which is computed in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hlsgen.engines.base import CONSTANTS, roles
from hlsgen.engines.pooling import Pooling
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.nest import Combine, Conversion, Epilogue
from hlsgen.kernel.step import StepKernel
from hlsgen.ops.average_pool import counts
from hlsgen.plan import Plan
from hlsgen.types import FLOAT32, INT32, converted


class QuantisedPooling(Pooling):
    """The mean of a window of V channels a cycle: every tap is dequantised, and they are added one
    after another, as onnxruntime does it. The epilogue rounds."""

    name = "quantised_pooling"
    fields = (*Pooling.fields, *CONSTANTS)

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """Where a window holds 2, 4, 8 ... values alone, multiplying by a reciprocal is as exact as
        to divide."""
        assert plan.engines is not None
        own, lanes = plan.engines.of(self.name), plan.engines.width
        numbers = tuple(float(max(n, 1)) for n in range(own.extent**2 + 1))
        mean = Epilogue(scales=tuple(1 / n for n in numbers))
        if not self.exact(graph):
            division = Conversion("{0} / {1}", units=Arithmetic(divides=lanes))
            mean = Epilogue(scales=numbers, conversion=division)
        types = roles(graph, plan, self.name)
        whole = converted("{0}", lanes, types.operand, INT32)
        tap = Combine(
            "sum",
            expression=f"{converted(f'{whole} - (int)s.pad_value', lanes, INT32, FLOAT32)} "
            "* s.constant_0",
            units=Arithmetic(multiplies=1, integer_adds=1, conversions=1).times(lanes),
        )
        nest = self.scanning(own, types, tap, self.row(plan, records), epilogue=mean)
        return (self.kernel(graph, plan, (nest,)),)

    def more_units(self, plan: Plan) -> Arithmetic:
        """The first tap is added to zero: no compiler may leave that out."""
        assert plan.engines is not None
        return Arithmetic(adds=plan.engines.width)

    def exact(self, graph: Graph) -> bool:
        """Whether all windows hold so many values."""
        found = set()
        for layer in (layer for layer in graph.layers if self.serves(layer)):
            for side in counts(layer.attributes, *graph.tensors[layer.inputs[0]].shape[1:]):
                found |= {int(count) for count in side}
        return all(count & (count - 1) == 0 for count in found)


ENGINE = QuantisedPooling()
