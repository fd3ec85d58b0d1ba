"""What operators have in common that give every value another type and do nothing else."""

from __future__ import annotations

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.nest import Combine, Nest
from hlsgen.ops.activation import Activate
from hlsgen.ops.base import Operator
from hlsgen.ops.elementwise import elementwise
from hlsgen.plan import KernelPlan


class Converted(Operator):
    """A copy, with the operator's `conversion` at its end."""

    @property
    def layered_template(self) -> str:
        """A copy, converted."""
        return Activate.name

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """A vector after another."""
        conversion = self.conversion(layer, graph, kernel.output_width)
        epilogue = self.epilogue(layer, graph, kernel, conversion=conversion)
        types = self.roles(layer, graph)
        return elementwise(layer, graph, kernel, Combine("each"), epilogue, types=types)
