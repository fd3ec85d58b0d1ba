"""Element-wise functions of two feature maps: residual joins, gates, differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.activation import Activation
from hlsgen.graph import Graph, Layer, View
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.memory import MEMORY_DISTANCE, Memory
from hlsgen.kernel.nest import Array, Combine, Guard, Nest, Source, Vector
from hlsgen.ops.base import Importer, Operator, Work, vectors
from hlsgen.ops.elementwise import VECTOR, elementwise
from hlsgen.ops.importing import Value, canonical_shape
from hlsgen.ops.scale import add_scale
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
}
NAMES = tuple(FUNCTIONS)
ONNX_NAMES = {"Sum": "add"}
FLOAT_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class BinaryAttributes:
    """`function` is a key of `FUNCTIONS`. With `broadcast` the second operand is one pixel, for all
    of the first's."""

    function: str
    broadcast: bool = False


class Binary(Operator, Importer):
    """ONNX Add, Sub, Mul, Div, Max, Min and Sum; constants become a scale and a shift a channel, or
    a bound."""

    name = "binary"
    onnx_types: ClassVar[dict[str, str]] = {
        "Add": "two feature maps with broadcasting, or a constant that does not vary within a "
        "channel",
        "Sub": "as Add",
        "Mul": "as Add",
        "Div": "as Add",
        "Max": "feature maps with broadcasting; one number",
        "Min": "feature maps with broadcasting; one number",
        "Sum": "as Add, any number of terms",
    }
    makes: tuple[str, ...] = ("scale", "activation", "gather")
    joins = True

    def import_node(self, node: NodeImporter) -> None:
        """Import any of them; n operands become a chain of n - 1 layers."""
        function = ONNX_NAMES.get(node.op_type, node.op_type.lower())
        count = len(node.node.input)
        constants = [i for i in range(count) if node.constant(i) is not None]
        variables = [i for i in range(count) if i not in constants]
        if not variables:
            raise node.unsupported("all its inputs are constants")
        current = node.value(variables[0])
        for index in variables[1:]:
            current = join(node, current, node.value(index), partial(binary, function))
        node.bind(current.tensor, current.view)
        for index in constants:
            # Sub and Div alone have an order, and then two operands.
            swapped = function in ("sub", "div") and index < variables[0]
            apply_constant(
                node, function, current, np.asarray(node.constant(index), np.float64), swapped
            )
            current = node.builder.values[node.node.output[0]]

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
    shapes = left.view.value_shape, right.view.value_shape
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise node.unsupported(
            f"shapes {list(shapes[0])} and {list(shapes[1])} do not broadcast"
        ) from None
    first = next(
        (v for v in (left, right) if v.view.value_shape == shape and v.tensor.size > 1), None
    )
    view = first.view if first else View((1, *canonical_shape(shape))).then("reshape", shape)
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


def fit(node: NodeImporter, value: Value, shape: tuple[int, ...], view: View) -> tuple[Any, bool]:
    """The tensor of an operand in the layout `view` of the result, and whether it is one pixel that
    serves all."""
    index = view.invert(np.broadcast_to(value.view.indices, shape))[0]
    channels = np.arange(value.tensor.size)
    if value.tensor.shape == view.shape[1:] and np.array_equal(index.ravel(), channels):
        return value.tensor, False
    one_pixel = value.tensor.pixels == 1 and value.tensor.channels == view.shape[1]
    if one_pixel and np.array_equal(
        index, np.broadcast_to(channels[:, None, None], view.shape[1:])
    ):
        return value.tensor, True
    return node.gather(
        value.tensor, index, "broadcast" if index.size > value.tensor.size else "new layout"
    ), False


def apply_constant(
    node: NodeImporter, function: str, value: Value, constant: np.ndarray, swapped: bool
) -> None:
    """Bind `function` of a value and a constant (of a constant and a value, if `swapped`) to the
    node's output."""
    if function in ("max", "min"):
        if constant.size != 1:
            raise node.unsupported(
                f"a bound of shape {list(constant.shape)}", "give one number, or a feature map"
            )
        bound = float(constant.ravel()[0])
        low, high = (bound, FLOAT_MAX) if function == "max" else (-FLOAT_MAX, bound)
        activate(node, value, Activation("clip", low=low, high=high))
        return
    if function == "div" and swapped:
        activate(node, value, Activation("reciprocal"))
        value, function = node.builder.values[node.node.output[0]], "mul"
    if function == "div":
        constant, function = 1 / constant, "mul"
    amount, value = node.per_channel(np.asarray(constant, np.float32), value)
    one, none = np.ones_like(amount), np.zeros_like(amount)
    scale, shift = {
        "add": (one, amount),
        "mul": (amount, none),
        "sub": (-one, amount) if swapped else (one, -amount),
    }[function]
    add_scale(node, value, scale, shift)


def activate(node: NodeImporter, value: Value, activation: Activation) -> None:
    """Bind an activation of a value to the node's output."""
    tensor = node.add("activation", None, [value.tensor], value.tensor.shape, activation=activation)
    node.bind(tensor, value.view)


OPERATOR = Binary()
