"""Where: one of two values by a condition, of which each may be a constant."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.ops.binary import joined
from hlsgen.ops.broadcast import common_shape, expanded, finite, spread_constants
from hlsgen.ops.compose import apply
from hlsgen.ops.importer import Importer
from hlsgen.ops.importing import Value
from hlsgen.ops.scale import scaled
from hlsgen.ops.with_constant import as_map

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class Where(Importer):
    """What holds is kept, the rest is 0, and both parts are added: no value that is left out
    counts, be it infinite."""

    onnx_types: ClassVar[dict[str, str]] = {"Where": "feature maps and constants with broadcasting"}
    makes = ("binary", "scale", "gather")

    def import_node(self, node: NodeImporter) -> None:
        """Import Where."""
        operands = [
            node.value(i) if node.constant(i) is None else np.asarray(node.constant(i))
            for i in range(3)
        ]
        shape = common_shape(node, *map(shape_of, operands))
        beside = next(x for x in operands if isinstance(x, Value))
        beside = expanded(node, beside, shape)
        condition, chosen, other = operands
        if not isinstance(condition, Value):
            result = by_constant(node, condition, chosen, other, beside)
        elif (
            not isinstance(chosen, Value)
            and not isinstance(other, Value)
            and is_linear(chosen, other)
        ):
            result = of_constants(node, expanded(node, condition, shape), chosen, other)
        else:
            first = kept(node, chosen, condition)
            second = kept(node, other, apply(node, "Not", condition))
            result = joined(node, "add", first, second)
        node.bind(result.tensor, result.view)


def shape_of(operand: Value | np.ndarray) -> tuple[int, ...]:
    """The shape of a value or a constant."""
    return operand.view.value_shape if isinstance(operand, Value) else operand.shape


def by_constant(
    node: NodeImporter,
    condition: np.ndarray,
    chosen: Value | np.ndarray,
    other: Value | np.ndarray,
    beside: Value,
) -> Value:
    """The condition is known: a mask."""
    if all(isinstance(x, Value) for x in (chosen, other)):
        zero = np.zeros((), np.float32)
        first = by_constant(node, condition, chosen, zero, beside)
        return joined(node, "add", first, by_constant(node, ~condition, other, zero, beside))
    if not isinstance(chosen, Value):
        return by_constant(node, ~condition, other, chosen, beside)
    shape = beside.view.value_shape
    value = expanded(node, chosen, shape)
    mask = as_map(node, np.broadcast_to(condition, shape), value)
    found = joined(node, "keep", value, mask)
    assert not isinstance(other, Value)
    rest = np.where(condition, 0, finite(other))
    return found if not rest.any() else apply(node, "Add", found, rest.astype(np.float32))


def is_linear(chosen: np.ndarray, other: np.ndarray) -> bool:
    """Whether a scale and a shift in float32 give both: beside a number that masks, a small one
    would be lost."""
    first, second = finite(chosen), finite(other)
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.allclose(second + (first - second), first, rtol=1e-5, atol=0))


def of_constants(
    node: NodeImporter, condition: Value, chosen: np.ndarray, other: np.ndarray
) -> Value:
    """Both values are known: a scale and a shift of 1 and 0."""
    low = finite(other).astype(np.float64)
    (scale, shift), condition = spread_constants(node, condition, finite(chosen) - low, low)
    return scaled(node, condition, scale, shift)


def kept(node: NodeImporter, operand: Value | np.ndarray, condition: Value) -> Value:
    """An operand where a condition holds, else 0."""
    if isinstance(operand, Value):
        return joined(node, "keep", operand, condition)
    return apply(node, "Mul", condition, finite(operand))


IMPORTER = Where()
