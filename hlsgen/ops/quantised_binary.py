"""Sums and products of two integer feature maps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.nest import Combine, Conversion, Epilogue, Nest
from hlsgen.kernel.values import Roles
from hlsgen.ops import requantise
from hlsgen.ops.binary import Binary, BinaryAttributes, join
from hlsgen.ops.elementwise import elementwise
from hlsgen.ops.lookup import add_lookup, index_values
from hlsgen.ops.quantised_arguments import Place, places, quantisation
from hlsgen.plan import KernelPlan
from hlsgen.quantised import Quantisation
from hlsgen.types import FLOAT32, INTEGERS

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


@dataclass(frozen=True, kw_only=True)
class QuantisedBinaryAttributes(BinaryAttributes):
    """As of two float32 feature maps, and what operands and result stand for."""

    left: Quantisation
    right: Quantisation
    result: Quantisation

    @property
    def swapped(self) -> QuantisedBinaryAttributes:
        """With its operands in the other order."""
        return replace(self, left=self.right, right=self.left)


class QuantisedBinary(Binary):
    """A function in float32 of two integers, rounded. Subclasses say which."""

    types = INTEGERS
    makes = ("lookup", "gather")

    def import_node(self, node: NodeImporter) -> None:
        """Import the operator: a, its scale and zero point, the same of b, those of the result."""
        given = quantisation(node, places(0)), quantisation(node, places(3))
        attributes = QuantisedBinaryAttributes(
            function=self.name, left=given[0], right=given[1],
            result=quantisation(node, Place(0, 6, 7)),
        )  # fmt: skip
        constants = [node.constant(place) for place in (0, 3)]
        if all(constant is None for constant in constants):
            make = partial(self.attributes, attributes)
            found = join(
                node, node.value(0), node.value(3), make, self.name, attributes.result.type
            )
            node.bind(found.tensor, found.view)
            return
        place = 0 if constants[0] is None else 3
        constant = constants[1] if place == 0 else constants[0]
        if constant is None or constant.size != 1:
            raise node.unsupported(
                "one of its operands is a constant of several values", "give one number"
            )
        value = node.value(place)
        every = index_values(value.tensor.type)
        other = np.full_like(every, constant.ravel()[0], dtype=constant.dtype)
        table = self.values(attributes, *((every, other) if place == 0 else (other, every)))
        own = given[0] if place == 0 else given[1]
        node.bind(add_lookup(node, value.tensor, table, own, attributes.result), value.view)

    def attributes(
        self, given: QuantisedBinaryAttributes, swapped: bool, broadcast: bool
    ) -> QuantisedBinaryAttributes:
        """Those of a layer whose operands are as the node's or swapped."""
        return replace(given.swapped if swapped else given, broadcast=broadcast)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The formula of onnxruntime."""
        return self.values(layer.attributes, inputs[0], inputs[1])

    def takes_either(self, layer: Layer) -> bool:
        """The record says which operand is the first."""
        return not layer.attributes.broadcast

    def value_by_value(self, layer: Layer) -> bool:
        """Its integers are no values of a function."""
        return False

    @abstractmethod
    def values(
        self, a: QuantisedBinaryAttributes, left: np.ndarray, right: np.ndarray
    ) -> np.ndarray:
        """The results of integers, which broadcast."""

    @abstractmethod
    def expression(self, a: QuantisedBinaryAttributes, lanes: int) -> str:
        """The same in OpenCL before it is rounded: float32 of `{0}` and `{1}`."""

    @property
    def layered_template(self) -> str:
        """That of float32."""
        return Binary.name

    @abstractmethod
    def constants(self, a: QuantisedBinaryAttributes) -> tuple[float, ...]:
        """What the function that folded designs compute asks for."""

    def epilogue_fields(self, layer: Layer) -> dict[str, Any]:
        """The constants."""
        return {f"join_{n}": value for n, value in enumerate(self.constants(layer.attributes))}

    def conversion(self, layer: Layer, graph: Graph, lanes: int) -> Conversion:
        """Rounded: zero points are part of the expression."""
        return Conversion("{0}", units=requantise.rounding(layer.attributes.result, lanes))

    def layered_context(self, layer: Layer) -> dict[str, Any]:
        """The expression, of single values."""
        return {"expression": self.expression(layer.attributes, 1)}

    def stays_finite(self, layer: Layer) -> bool:
        """Integers do."""
        return True

    def roles(self, layer: Layer, graph: Graph) -> Roles:
        """Integers, and float32 between them."""
        a: QuantisedBinaryAttributes = layer.attributes
        return Roles(a.left.type, FLOAT32, FLOAT32, a.result.type)

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """As of float32."""
        lanes = kernel.output_width
        combine = Combine("each", expression=self.expression(layer.attributes, lanes),
                          units=self.units.times(lanes))  # fmt: skip
        sources = (self.held(layer, graph, kernel),) if layer.attributes.broadcast else ()
        what = "one pixel of the second input for all of the first" if sources else (
            "the join of two branches")  # fmt: skip
        epilogue, types = (
            Epilogue(conversion=self.conversion(layer, graph, lanes)),
            self.roles(layer, graph),
        )
        return elementwise(
            layer, graph, kernel, combine, epilogue, what, sources=sources, types=types
        )
