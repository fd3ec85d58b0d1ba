"""The engine of local response normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hlsgen.engines.base import CHANNELS, CONSTANTS, Engine, Products, Size, same
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import Body, Kernel
from hlsgen.ops import lrn
from hlsgen.plan import Plan


class Normalisation(Engine):
    """A channel a cycle, over the channels of one pixel after another. `size`: channels that its
    window spans at most."""

    name = "normalisation"
    sizes = (Size("size"),)
    fields = (CHANNELS, *CONSTANTS)
    products: ClassVar[Mapping[str, Products]] = {"normalisation_engine": same(2)}

    def needed(self, graph: Graph, width: int) -> dict[str, int]:
        """The widest window."""
        sizes = (layer.attributes.size for layer in graph.layers if self.serves(layer))
        return {"size": max(sizes, default=1)}

    def kernels(self, graph: Graph, plan: Plan, bits: int) -> list[Kernel]:
        """Two shift registers as long as the window, those of a vector in and one out."""
        assert plan.engines is not None
        own = plan.engines.of(self.name)
        body = Body(
            lrn.units(own.size), (), (2 * own.size + 2 * own.width) * bits, 2 * own.size * bits
        )
        return [self.one_kernel(body, plan, bits)]


ENGINE = Normalisation()
