"""ONNX operators in terms of others: what a node does, said by the operators that it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter, Value


def apply(
    node: NodeImporter, op_type: str, *operands: Value | np.ndarray | None, **attributes: Any
) -> Value:
    """The first result of an ONNX operator as a part of what `node` does; an operand may be a
    constant, or None where it is left out. Raises UnsupportedError as the operator does."""
    from hlsgen.ops import onnx_importers
    from hlsgen.ops.importing import NodeImporter, Value

    builder, base = node.builder, node.node.output[0]
    names = []
    for operand in operands:
        names.append("" if operand is None else builder.fresh(base))
        if isinstance(operand, Value):
            builder.values[names[-1]] = operand
        elif operand is not None:
            builder.constants[names[-1]] = np.asarray(operand)
    result = builder.fresh(base)
    owner = node.node.name or base
    part = onnx.helper.make_node(
        op_type, names, [result], name=f"{owner}_{op_type.lower()}", **attributes
    )
    onnx_importers()[op_type].import_node(NodeImporter(builder, part, node.label))
    return builder.values[result]


def number(value: float) -> np.ndarray:
    """A constant of one number."""
    return np.asarray(value, np.float32)
