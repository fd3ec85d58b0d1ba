"""A network with its feature maps as TensorFlow has them, height by width by channels, in the way
of tf2onnx: spatial operators stand between two Transposes, others work on the maps as they are."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference

LAST, FIRST = (0, 3, 1, 2), (0, 2, 3, 1)
# Operators that work value by value.
EACH = {
    "Add", "Sub", "Mul", "Div", "Relu", "Sigmoid", "Tanh", "Clip", "LeakyRelu", "Elu", "Erf",
    "HardSwish", "HardSigmoid", "Softplus", "Exp", "Sqrt", "Identity", "Cast", "Max", "Min", "Pow",
}  # fmt: skip


def channels_last(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network, with inputs and outputs of four dimensions turned round; pictures of bytes
    have their colours last already."""
    inferred = shape_inference.infer_shapes(model, data_prop=True)
    graph = inferred.graph
    values = (*graph.value_info, *graph.input, *graph.output)
    types = {v.name: v.type.tensor_type for v in values}
    arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    maps = {
        name
        for name, kind in types.items()
        if len(kind.shape.dim) == 4 and kind.elem_type != onnx.TensorProto.UINT8
    }
    writer = Writer(maps - arrays.keys(), arrays)
    for node in graph.node:
        if node.op_type == "Constant":
            arrays[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            writer.turned.discard(node.output[0])
        writer.add(node)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(writer.nodes)
    graph.initializer.extend(writer.constants)
    for value in (*graph.input, *graph.output):
        if value.name in writer.turned:
            dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
            kind = value.type.tensor_type.elem_type
            turned = helper.make_tensor_value_info(value.name, kind, [dims[i] for i in FIRST])
            value.CopyFrom(turned)
    return inferred


class Writer:
    """The nodes of the new graph. `turned` are the values that lie with their channels last."""

    def __init__(self, turned: set[str], arrays: dict[str, np.ndarray]):
        self.turned, self.arrays = turned, arrays
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, node: onnx.NodeProto) -> None:
        """Write a node."""
        if not self.turned.intersection((*node.input, *node.output)):
            self.nodes.append(node)
        elif node.op_type in EACH and all(map(self.fits, node.input)):
            node.input[:] = [self.last(name) for name in node.input]
            self.nodes.append(node)
        else:
            self.between(node)

    def fits(self, name: str) -> bool:
        """Whether an operand can have its channels last."""
        return (
            name in self.turned or not name or self.arrays.get(name, np.ones((2, 2))).ndim in (0, 4)
        )

    def last(self, name: str) -> str:
        """An operand with its channels last."""
        if name in self.turned or not name or not self.arrays[name].ndim:
            return name
        result = f"{name}/last"
        if all(tensor.name != result for tensor in self.constants):
            turned = np.ascontiguousarray(self.arrays[name].transpose(FIRST))
            self.constants.append(numpy_helper.from_array(turned, result))
        return result

    def between(self, node: onnx.NodeProto) -> None:
        """Write a node between Transposes."""
        base = node.output[0]
        for place, name in enumerate(node.input):
            if name in self.turned:
                node.input[place] = f"{base}/in{place}"
                self.transpose(name, node.input[place], LAST)
        self.nodes.append(node)
        for place, name in enumerate(node.output):
            if name in self.turned:
                node.output[place] = f"{base}/out{place}"
                self.transpose(node.output[place], name, FIRST)

    def transpose(self, source: str, result: str, order: tuple[int, ...]) -> None:
        """Write a Transpose."""
        self.nodes.append(helper.make_node("Transpose", [source], [result], perm=order))
