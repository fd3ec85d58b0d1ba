"""Types of what onnxruntime's own operators on integers give, which ONNX's inference does not
know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

Shape = tuple[int, ...]
Types = dict[str, onnx.TypeProto]


def contributed_types(
    node: onnx.NodeProto,
    types: Sequence[onnx.TypeProto],
    shapes: Sequence[Shape | None],
    infer: Callable[[onnx.NodeProto], Types],
) -> Types:
    """The type of a node's result from those of its inputs, of which none may be unknown; nothing
    where there is no rule. `infer`: ONNX's own inference, of one node."""
    if node.op_type == "QLinearAveragePool":  # what maxima are shaped like
        return {} if attribute(node, "channels_last", 0) else infer(maxima(node))
    rule = RULES.get(node.op_type)
    if rule is None or any(shape is None for shape in shapes):
        return {}
    values = types[2 if node.op_type == "QLinearConcat" else 0]
    kind = TensorProto.FLOAT if in_float(node) else values.tensor_type.elem_type
    shape = rule(node, [shape for shape in shapes if shape is not None])
    return {node.output[0]: helper.make_tensor_type_proto(kind, shape)}


def in_float(node: onnx.NodeProto) -> bool:
    """Whether a product is not made an integer again."""
    without_scale = node.op_type == "QGemm" and not any(node.input[7:8])
    return without_scale or node.op_type == "MatMulIntegerToFloat"


def attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    """An attribute that is an integer."""
    return next((int(a.i) for a in node.attribute if a.name == name), default)


def maxima(node: onnx.NodeProto) -> onnx.NodeProto:
    """A MaxPool of the windows of an average."""
    made = helper.make_node("MaxPool", node.input[:1], node.output[:])
    own = ("count_include_pad", "channels_last")
    made.attribute.extend(a for a in node.attribute if a.name not in own)
    return made


def broadcast(node: onnx.NodeProto, shapes: Sequence[Shape]) -> Shape:
    """Of both operands."""
    return np.broadcast_shapes(shapes[0], shapes[3])


def same(node: onnx.NodeProto, shapes: Sequence[Shape]) -> Shape:
    """Value by value."""
    return shapes[0]


def pooled(node: onnx.NodeProto, shapes: Sequence[Shape]) -> Shape:
    """One pixel."""
    last = attribute(node, "channels_last", 0)
    (images, *rest), ones = shapes[0], (1,) * (len(shapes[0]) - 2)
    return (images, *ones, rest[-1]) if last else (images, rest[0], *ones)


def joined(node: onnx.NodeProto, shapes: Sequence[Shape]) -> Shape:
    """All parts, which follow scale and zero point of the result, each with its own."""
    found, axis = list(shapes[2]), attribute(node, "axis", 0)
    found[axis] = sum(part[axis] for part in shapes[2::3])
    return tuple(found)


def product(node: onnx.NodeProto, shapes: Sequence[Shape]) -> Shape:
    """Of matrices."""
    right = shapes[1 if node.op_type == "MatMulIntegerToFloat" else 3]
    columns = right[-2] if attribute(node, "transB", 0) else right[-1]
    left = shapes[0][::-1] if attribute(node, "transA", 0) else shapes[0]
    return (*left[:-1], columns)


RULES: Mapping[str, Callable[[onnx.NodeProto, Sequence[Shape]], Shape]] = {
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), broadcast),
    **dict.fromkeys(("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax"), same),
    "QLinearGlobalAveragePool": pooled,
    "QLinearConcat": joined,
    **dict.fromkeys(("QGemm", "MatMulIntegerToFloat"), product),
}
