"""Products of two feature maps, matrix by matrix. (With a constant matrix on the right MatMul is a
fully connected layer.)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer, Tensor, View
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.plain import PlainNest, plain_nest
from hlsgen.ops import dense
from hlsgen.ops.arrays import vectors
from hlsgen.ops.base import Operator, Shape, Work
from hlsgen.ops.broadcast import placed_constant
from hlsgen.ops.compose import apply
from hlsgen.ops.importer import Importer
from hlsgen.ops.softmax import plain_step
from hlsgen.plan import Engines, KernelPlan, StepPlan

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter, Value


@dataclass(frozen=True)
class MatMulAttributes:
    """`shared`: one right-hand matrix for all of the left-hand ones."""

    shared: bool = False


class MatMul(Operator, Importer):
    """(K, B, M) by (N, B or 1, K) gives (N, B, M): a pixel is a row of the left matrix, its
    channels are the columns; a pixel of the right operand is a row of the right matrix."""

    name = "matmul"
    onnx_types: ClassVar[dict[str, str]] = {
        "MatMul": "a feature map and a constant matrix; or batches of two (not pipelined)"
    }
    makes = ("dense", "conv", "gather")
    rare = ("matmul",)
    engine = "matmul"
    accumulates = True

    def import_node(self, node: NodeImporter) -> None:
        """Import MatMul: the batches of both operands are broadcast as numpy does."""
        constants = node.constant(0), node.constant(1)
        vectors = [np.size(shape_of(node, i)) == 1 for i in (0, 1)]
        if any(vectors):
            of_vectors(node, vectors)
        elif constants[1] is not None and constants[1].ndim == 2:
            dense.OPERATOR.import_node(node)
        elif constants[0] is not None and constants[0].ndim == 2:
            turned = apply(node, "MatMul", swapped(node.value(1)), constants[0].T)
            node.bind(turned.tensor, swapped(turned).view)
        else:
            self._import_maps(node, *(operand_of(node, i) for i in (0, 1)))

    def _import_maps(self, node: NodeImporter, left: Value, right: Value) -> None:
        (*outer, rows, inner), (*others, depth, columns) = (
            value.view.value_shape if len(value.view.value_shape) > 1 else (0, 0)
            for value in (left, right)
        )
        if not inner or inner != depth:
            raise node.unsupported(
                f"inputs {list(left.view.value_shape)} and {list(right.view.value_shape)}",
                "both need two dimensions or more, and the inner ones must be equal",
            )
        batch = np.broadcast_shapes(tuple(outer), tuple(others))
        count, shared = prod(batch), prod(others) == 1
        a = operand(node, left, (*batch, rows, inner), (count, rows, inner))
        own = (1, inner, columns) if shared else (count, inner, columns)
        b = operand(node, right, own if shared else (*batch, inner, columns), own)
        attributes = MatMulAttributes(shared)
        result = node.add(self.name, attributes, [a, b], (columns, count, rows))
        view = View((1, *result.shape)).then("transpose", (0, 2, 3, 1))
        node.bind(result, view.then("reshape", (*batch, rows, columns)))

    def output_shape(self, attributes: Any, inputs: Sequence[Shape]) -> Shape:
        """(N, B, M)."""
        return (inputs[1][0], *inputs[0][1:])

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """By the definition."""
        left, right = (values.astype(np.float64) for values in inputs)
        right = np.broadcast_to(right, (right.shape[0], left.shape[1], right.shape[2]))
        product: np.ndarray = np.einsum("kbm,nbk->nbm", left, right)
        return product

    def work(self, layer: Layer, graph: Graph) -> Work:
        """A multiply-accumulate for every value of the result and column of the left matrix."""
        depth = graph.tensors[layer.inputs[0]].channels
        return Work(macs=graph.output_tensor(layer).size * depth)

    def layered_nests(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[PlainNest, ...]:
        """A value after another, through a row and a column."""
        depth = graph.tensors[layer.inputs[0]].channels
        return (plain_nest(graph.output_tensor(layer).size, (depth,)),)

    def refusal(self, layer: Layer, graph: Graph, style: str) -> str | None:
        """No pipelined kernel keeps an operand."""
        return "it multiplies two feature maps" if style == "pipelined" else None

    def pipelined_arithmetic(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Arithmetic:
        """Of the layered kernel: a product at a time."""
        return Arithmetic(multiply_adds=1)

    # ---- folded

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """Pixel by pixel."""
        return (plain_step(layer, graph, engines, self.engine),)

    def folded_reads(self, layer: Layer) -> dict[str, str]:
        """The right operand."""
        return {"right": layer.inputs[1]}

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """The left operand comes in pixel by pixel; how often the right one does."""
        source = graph.tensors[layer.inputs[0]]
        return {
            "in_vectors": vectors(source.channels, engines.width),
            "channels": source.channels,
            "right_loads": 1 if layer.attributes.shared else source.height,
        }


def shape_of(node: NodeImporter, position: int) -> tuple[int, ...]:
    """The shape of an operand."""
    constant = node.constant(position)
    return constant.shape if constant is not None else node.value(position).view.value_shape


def operand_of(node: NodeImporter, position: int) -> Value:
    """An operand as a feature map."""
    constant = node.constant(position)
    if constant is None:
        return node.value(position)
    return placed_constant(node, constant, node.value(1 - position))


def swapped(value: Value) -> Value:
    """A value with its last two axes swapped."""
    rank = len(value.view.value_shape)
    order = (*range(rank - 2), rank - 1, rank - 2)
    return type(value)(value.tensor, value.view.then("transpose", order))


def of_vectors(node: NodeImporter, vectors: list[bool]) -> None:
    """A vector on the left is a row, on the right a column; the axis that it adds goes again."""
    operands: list[Any] = []
    for position, place in enumerate((0, 1)):
        constant, axis = node.constant(position), np.array([place], np.int64)
        given: Any = node.value(position) if constant is None else constant
        if vectors[position] and constant is None:
            given = apply(node, "Unsqueeze", given, axis)
        elif vectors[position]:
            given = np.expand_dims(given, place)
        operands.append(given)
    product = apply(node, "MatMul", *operands)
    shape = list(product.view.value_shape)
    axes = [len(shape) - 2] * vectors[0] + [len(shape) - 1] * vectors[1]
    kept = tuple(n for i, n in enumerate(shape) if i not in axes)
    node.bind(product.tensor, product.view.then("reshape", kept))


def operand(
    node: NodeImporter, value: Value, broadcast: tuple[int, ...], shape: tuple[int, ...]
) -> Tensor:
    """A value `broadcast` to many matrices `shape` (B, rows, columns), as a tensor whose pixels are
    rows: moved only where it does not lie so."""
    if prod(value.view.value_shape) == prod(shape):
        view = value.view.then("reshape", (1, *shape)).then("transpose", (0, 3, 1, 2))
        return node.canonical(type(value)(value.tensor, view))
    index = np.broadcast_to(value.view.indices, broadcast).reshape(shape).transpose(2, 0, 1)
    return node.gather(value.tensor, np.ascontiguousarray(index), "matrices for a whole batch")


OPERATOR = MatMul()
