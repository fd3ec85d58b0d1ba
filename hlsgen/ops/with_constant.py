"""Functions of a feature map and a constant: a scale and a shift, a function of one map, or, where
it is neither, a function of two maps of which one is constant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hlsgen.activation import Activation
from hlsgen.graph import Tensor
from hlsgen.ops.binary import FUNCTIONS, joined
from hlsgen.ops.broadcast import (
    FLOAT_MAX,
    common_shape,
    constant_map,
    expanded,
    finite,
    layout_of,
    spread_constants,
)
from hlsgen.ops.importing import Value
from hlsgen.ops.scale import scaled

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

# Comparisons with a number: functions of one map.
COMPARISONS = {
    "greater": "above",
    "less": "below",
    "greater_equal": "at_least",
    "less_equal": "at_most",
    "equal": "equal",
}
# Powers that are functions of their own; others of whole numbers are products.
POWERS = {2.0: "square", 0.5: "sqrt", -0.5: "rsqrt", -1.0: "reciprocal"}
LARGEST_POWER = 64


def with_constant(
    node: NodeImporter, function: str, value: Value, constant: np.ndarray, swapped: bool
) -> Value:
    """`function` of a value and a constant; of the constant and the value, if `swapped`."""
    value = expanded(node, value, common_shape(node, value.view.value_shape, constant.shape))
    if function in ("add", "sub", "mul", "div"):
        return linear(node, function, value, constant.astype(np.float64), swapped)
    if constant.size == 1:
        found = of_number(node, function, value, float(finite(constant).flat[0]), swapped)
        if found is not None:
            return found
    other = as_map(node, constant, value)
    return joined(node, function, other, value) if swapped else joined(node, function, value, other)


def linear(
    node: NodeImporter, function: str, value: Value, constant: np.ndarray, swapped: bool
) -> Value:
    """Arithmetic: a scale and a shift."""
    if function == "div" and swapped:
        value, function = activated(node, value, Activation("reciprocal")), "mul"
    if function == "div":
        constant, function = 1 / constant, "mul"
    (amount,), value = spread_constants(node, value, constant)
    one, none = np.ones_like(amount), np.zeros_like(amount)
    scale, shift = {
        "add": (one, amount),
        "mul": (amount, none),
        "sub": (-one, amount) if swapped else (one, -amount),
    }[function]
    return scaled(node, value, scale, shift)


def of_number(
    node: NodeImporter, function: str, value: Value, number: float, swapped: bool
) -> Value | None:
    """A function of one map that is `function` of it and a number; None where there is none."""
    if function in ("max", "min"):
        low, high = (number, FLOAT_MAX) if function == "max" else (-FLOAT_MAX, number)
        return activated(node, value, Activation("clip", low=low, high=high))
    if function in COMPARISONS:
        kind = COMPARISONS[FUNCTIONS[function].swapped if swapped else function]
        return activated(node, value, Activation(kind, alpha=-number, low=number))
    if function != "pow":
        return None
    if not swapped:
        return power(node, value, number)
    if number <= 0:
        raise node.unsupported(f"powers of {number:g}", "use a positive base")
    amount = np.full(value.tensor.channels, np.log(number), np.float32)
    exponent = scaled(node, value, amount, np.zeros_like(amount))
    return activated(node, exponent, Activation("exp"))


def power(node: NodeImporter, value: Value, exponent: float) -> Value:
    """x to a constant power: products where that is a whole number, by squares."""
    if exponent in POWERS:
        return activated(node, value, Activation(POWERS[exponent]))
    whole = int(exponent)
    if whole != exponent or abs(whole) > LARGEST_POWER:
        return activated(node, value, Activation("power", alpha=exponent))
    if whole == 0:
        return Value(as_map(node, np.ones(()), value).tensor, value.view)
    result, square, left = None, value, abs(whole)
    while True:
        if left & 1:
            result = square if result is None else joined(node, "mul", result, square)
        left >>= 1
        if not left:
            break
        square = activated(node, square, Activation("square"))
    assert result is not None
    return activated(node, result, Activation("reciprocal")) if whole < 0 else result


def as_map(node: NodeImporter, constant: np.ndarray, beside: Value) -> Value:
    """A constant as a feature map that is joined with another: one pixel where it does not vary
    within a channel."""
    shape = beside.view.value_shape
    view = layout_of(shape, beside)
    full = np.broadcast_to(constant, shape)
    return Value(constant_map(node, full, view, beside.tensor), view)


def activated(node: NodeImporter, value: Value, activation: Activation) -> Value:
    """An activation of a value."""
    tensor: Tensor = node.add(
        "activation", None, [value.tensor], value.tensor.shape, activation=activation
    )
    return Value(tensor, value.view)
