"""Element-wise functions of two feature maps: residual joins, gates, differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.memory import MEMORY_DISTANCE, Memory
from hlsgen.kernel.nest import Array, Combine, Guard, Nest, Source
from hlsgen.kernel.values import Vector
from hlsgen.ops.arrays import vectors
from hlsgen.ops.base import Operator, Work
from hlsgen.ops.broadcast import common_shape, expanded, fit, layout_of
from hlsgen.ops.elementwise import VECTOR, elementwise
from hlsgen.ops.importer import Importer
from hlsgen.ops.importing import Value
from hlsgen.plan import KernelPlan
from hlsgen.types import DataType

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


@dataclass(frozen=True)
class Function:
    """OpenCL expression of operands `{0}` and `{1}`, numpy reference, units of one lane, and the
    function with its operands swapped.

    `stays_finite`: whether small values have finite results.
    """

    expression: str
    reference: Callable[[np.ndarray, np.ndarray], np.ndarray]
    units: Arithmetic
    swapped: str
    stays_finite: bool = True


FUNCTIONS = {
    "add": Function("{0} + {1}", np.add, Arithmetic(adds=1), "add"),
    "sub": Function("{0} - {1}", np.subtract, Arithmetic(adds=1), "rsub"),
    "rsub": Function("{1} - {0}", lambda a, b: b - a, Arithmetic(adds=1), "sub"),
    "mul": Function("{0} * {1}", np.multiply, Arithmetic(multiplies=1), "mul"),
    "div": Function("{0} / {1}", np.divide, Arithmetic(divides=1), "rdiv", stays_finite=False),
    "rdiv": Function(
        "{1} / {0}", lambda a, b: b / a, Arithmetic(divides=1), "div", stays_finite=False
    ),
    "max": Function("fmax({0}, {1})", np.maximum, Arithmetic(compares=1), "max"),
    "min": Function("fmin({0}, {1})", np.minimum, Arithmetic(compares=1), "min"),
    "pow": Function("pow({0}, {1})", np.power, Arithmetic(powers=1), "", stays_finite=False),
    # Comparisons give 1 or 0: step(a, b) is 0 where b < a.
    "greater": Function(
        "1.0f - step({0}, {1})", np.greater, Arithmetic(compares=1, adds=1), "less"
    ),
    "less": Function("1.0f - step({1}, {0})", np.less, Arithmetic(compares=1, adds=1), "greater"),
    "greater_equal": Function(
        "step({1}, {0})", np.greater_equal, Arithmetic(compares=1), "less_equal"
    ),
    "less_equal": Function(
        "step({0}, {1})", np.less_equal, Arithmetic(compares=1), "greater_equal"
    ),
    "equal": Function(
        "step({0}, {1}) * step({1}, {0})", np.equal, Arithmetic(compares=2, multiplies=1), "equal"
    ),
    "keep": Function(
        "{1} != 0.0f ? {0} : 0.0f", lambda a, b: np.where(b != 0, a, 0), Arithmetic(compares=1), ""
    ),
}
# Of integers, which have operators of their own.
INTEGER_FUNCTIONS = ("quantised_add", "quantised_multiply")
NAMES = (*FUNCTIONS, *INTEGER_FUNCTIONS)
ONNX_NAMES = {"Sum": "add", "And": "min", "Or": "max"}
ONNX_NAMES |= {"GreaterOrEqual": "greater_equal", "LessOrEqual": "less_equal"}


@dataclass(frozen=True)
class BinaryAttributes:
    """`function` is a key of `FUNCTIONS`. With `broadcast` the second operand is one pixel, for all
    of the first's."""

    function: str
    broadcast: bool = False


class Binary(Operator, Importer):
    """Functions of two feature maps. Constants become scales and shifts, functions of one map, or
    feature maps themselves (`hlsgen.ops.with_constant`)."""

    name = "binary"
    onnx_types: ClassVar[dict[str, str]] = {
        "Add": "feature maps and constants with broadcasting",
        "Sub": "as Add",
        "Mul": "as Add",
        "Div": "as Add",
        "Max": "as Add, any number of operands",
        "Min": "as Add, any number of operands",
        "Sum": "as Add, any number of operands",
        "Pow": "as Add",
        "Greater": "as Add; 1 or 0",
        "Less": "as Add; 1 or 0",
        "GreaterOrEqual": "as Add; 1 or 0",
        "LessOrEqual": "as Add; 1 or 0",
        "Equal": "as Add; 1 or 0",
        "And": "as Add, of 1 and 0",
        "Or": "as Add, of 1 and 0",
    }
    makes: tuple[str, ...] = ("scale", "activation", "gather")
    joins = True

    def import_node(self, node: NodeImporter) -> None:
        """Import any of them; n operands become a chain of n - 1 layers."""
        from hlsgen.ops.with_constant import with_constant

        function = ONNX_NAMES.get(node.op_type, node.op_type.lower())
        count = len(node.node.input)
        constants = [i for i in range(count) if node.constant(i) is not None]
        variables = [i for i in range(count) if i not in constants]
        if not variables:
            raise node.unsupported("all its inputs are constants")
        current = node.value(variables[0])
        for index in variables[1:]:
            current = joined(node, function, current, node.value(index))
        for index in constants:
            # A function with an order has two operands.
            swapped = index < variables[0] and function != FUNCTIONS[function].swapped
            current = with_constant(
                node, function, current, np.asarray(node.constant(index)), swapped
            )
        node.bind(current.tensor, current.view)

    def takes_either(self, layer: Layer) -> bool:
        """Whether a design may compute with the operands in the other order."""
        a: BinaryAttributes = layer.attributes
        return not a.broadcast and FUNCTIONS[a.function].swapped == a.function

    def value_by_value(self, layer: Layer) -> bool:
        """A function of two values at one place, where none is broadcast."""
        return not layer.attributes.broadcast

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The function; numpy broadcasts a single pixel."""
        return FUNCTIONS[layer.attributes.function].reference(
            inputs[0].astype(np.float64), inputs[1]
        )

    def stays_finite(self, layer: Layer) -> bool:
        """Not where it divides."""
        return FUNCTIONS[layer.attributes.function].stays_finite and super().stays_finite(layer)

    def work(self, layer: Layer, graph: Graph) -> Work:
        """One operation a value."""
        return Work(operations=graph.output_tensor(layer).size)

    def layered_context(self, layer: Layer) -> dict[str, Any]:
        """The expression."""
        return {"expression": FUNCTIONS[layer.attributes.function].expression}

    # ---- pipelined

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """A vector of both inputs; a broadcast one arrives with the first pixel and is held."""
        function = FUNCTIONS[layer.attributes.function]
        combine = Combine(
            "each", expression=function.expression, units=function.units.times(kernel.output_width)
        )
        epilogue = self.epilogue(layer, graph, kernel)
        if not layer.attributes.broadcast:
            what = "the join of two branches"
            return elementwise(layer, graph, kernel, combine, epilogue, what)
        what = "one pixel of the second input for all of the first"
        held = self.held(layer, graph, kernel)
        return elementwise(layer, graph, kernel, combine, epilogue, what, sources=(held,))

    def held(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Source:
        """The one pixel of a broadcast operand. A vector that is due again too soon for a memory
        stays in registers."""
        vector = Vector(self.roles(layer, graph).operand, kernel.input_width)
        count = vectors(graph.output_tensor(layer).channels, kernel.input_width)
        depth, parts = (1, count) if count < MEMORY_DISTANCE else (count, 1)
        kept = Array(Memory("held", depth, vector.bits, parts), vector, VECTOR)
        return Source(vector, 1, count, (Guard("p", 0, 1),), held=kept)


def binary(function: str, swapped: bool, broadcast: bool) -> BinaryAttributes:
    """The attributes of a layer with its operands in order, or swapped."""
    return BinaryAttributes(FUNCTIONS[function].swapped if swapped else function, broadcast)


def joined(node: NodeImporter, function: str, left: Value, right: Value) -> Value:
    """A layer of its own that is `function` of two values. Where that cannot be swapped, the first
    is broadcast by a movement."""
    if not FUNCTIONS[function].swapped:
        shape = common_shape(node, left.view.value_shape, right.view.value_shape)
        left = expanded(node, left, shape)
    return join(node, left, right, partial(binary, function))


def join(
    node: NodeImporter,
    left: Value,
    right: Value,
    attributes: Callable[[bool, bool], BinaryAttributes],
    op: str = "binary",
    kind: DataType | None = None,
) -> Value:
    """A layer `op` that joins two values. The larger one's layout is kept; the other is broadcast
    or moved into it. `attributes` are told whether operands are swapped, and whether the second is
    broadcast; `kind`: see `node.add`."""
    shape = common_shape(node, left.view.value_shape, right.view.value_shape)
    view = layout_of(shape, left, right)
    operands = [fit(node, value, shape, view) for value in (left, right)]
    swapped = operands[0][1] and not operands[1][1]
    if swapped:
        operands.reverse()
    broadcast = operands[1][1]
    if broadcast and operands[0][1]:
        broadcast = False  # both are one pixel: no broadcasting at all
    tensors = [tensor for tensor, _ in operands]
    canonical = view.shape[1:]
    result = node.add(op, attributes(swapped, broadcast), tensors, canonical, kind=kind)
    return Value(result, view)


OPERATOR = Binary()
