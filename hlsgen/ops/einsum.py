"""Einsum: transpositions, sums and products of matrices."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.ops.compose import apply
from hlsgen.ops.importer import Importer
from hlsgen.ops.importing import Value

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class Einsum(Importer):
    """Operands are multiplied two at a time: letters of both that the result keeps are batches,
    those that nothing else needs are summed."""

    onnx_types: ClassVar[dict[str, str]] = {
        "Einsum": "feature maps and constants; no letter twice in a term, no ellipsis"
    }
    makes = ("matmul", "dense", "conv", "binary", "gather")
    rare = ("matmul",)

    def import_node(self, node: NodeImporter) -> None:
        """Import Einsum."""
        terms, result = equation(node)
        operands: list[Any] = []
        for position in range(len(terms)):
            constant = node.constant(position)
            operands.append(node.value(position) if constant is None else constant)
        letters, value = terms[0], operands[0]
        for number in range(1, len(terms)):
            later = set(result).union(*terms[number + 1 :])
            letters, value = multiplied(
                node, letters, value, terms[number], operands[number], later
            )
        letters, value = summed(node, letters, value, set(result))
        value = transposed(node, value, [letters.index(letter) for letter in result])
        node.bind(value.tensor, value.view)


def equation(node: NodeImporter) -> tuple[list[str], str]:
    """The letters of the terms and of the result."""
    text = node.attribute("equation", "").replace(" ", "")
    left, arrow, result = text.partition("->")
    terms = left.split(",")
    if not arrow:
        letters = sorted(set("".join(terms)))
        result = "".join(letter for letter in letters if "".join(terms).count(letter) == 1)
    if "." in text or any(len(set(term)) < len(term) for term in (*terms, result)):
        raise node.unsupported(f"equation {text}", "name every axis, and none twice in a term")
    return terms, result


def shape_of(operand: Value | np.ndarray) -> tuple[int, ...]:
    """The shape of a value or a constant."""
    return operand.view.value_shape if isinstance(operand, Value) else operand.shape


def transposed(node: NodeImporter, operand: Any, order: list[int]) -> Any:
    """An operand with its axes in another order."""
    if order == list(range(len(order))):
        return operand
    if isinstance(operand, Value):
        return apply(node, "Transpose", operand, perm=order)
    return operand.transpose(order)


def reshaped(operand: Any, shape: tuple[int, ...]) -> Any:
    """An operand in another shape."""
    if isinstance(operand, Value):
        return Value(operand.tensor, operand.view.then("reshape", shape))
    return operand.reshape(shape)


def summed(node: NodeImporter, letters: str, operand: Any, needed: set[str]) -> tuple[str, Any]:
    """The operand without the axes that nothing needs."""
    axes = [i for i, letter in enumerate(letters) if letter not in needed]
    if not axes:
        return letters, operand
    kept = "".join(letter for letter in letters if letter in needed)
    if not isinstance(operand, Value):
        return kept, operand.sum(axis=tuple(axes))
    over = np.array(axes, np.int64)
    return kept, apply(node, "ReduceSum", operand, over, keepdims=0)


def multiplied(
    node: NodeImporter, first: str, left: Any, second: str, right: Any, needed: set[str]
) -> tuple[str, Any]:
    """The product of two operands, as a batch of matrix products."""
    first, left = summed(node, first, left, needed | set(second))
    second, right = summed(node, second, right, needed | set(first))
    size = dict(zip(first + second, shape_of(left) + shape_of(right), strict=True))
    both = [letter for letter in first if letter in second]
    batch = [letter for letter in both if letter in needed]
    inner = [letter for letter in both if letter not in needed]
    rows = [letter for letter in first if letter not in second]
    columns = [letter for letter in second if letter not in first]
    if not inner and not rows and not columns:  # the same axes: value by value
        same = transposed(node, right, [second.index(letter) for letter in first])
        return first, elementwise(node, left, same)
    if not isinstance(left, Value) and not isinstance(right, Value):
        result = "".join([*batch, *rows, *columns])
        return result, np.einsum(f"{first},{second}->{result}", left, right)

    def count(letters: list[str]) -> int:
        return prod(size[letter] for letter in letters)

    left = transposed(node, left, [first.index(x) for x in (*batch, *rows, *inner)])
    right = transposed(node, right, [second.index(x) for x in (*batch, *inner, *columns)])
    outer = (count(batch),) if batch else ()
    product = apply(
        node,
        "MatMul",
        reshaped(left, (*outer, count(rows), count(inner))),
        reshaped(right, (*outer, count(inner), count(columns))),
    )
    letters = [*batch, *rows, *columns]
    return "".join(letters), reshaped(product, tuple(size[letter] for letter in letters))


def elementwise(node: NodeImporter, left: Any, right: Any) -> Any:
    """A product value by value."""
    if isinstance(left, Value) or isinstance(right, Value):
        return apply(node, "Mul", left, right)
    return left * right


IMPORTER = Einsum()
