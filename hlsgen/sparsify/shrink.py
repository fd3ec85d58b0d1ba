"""Channels that nobody reads leave the network: where all weights of a convolution by an input
channel are zero, the filter that makes the channel and all that happens to it on the way go too.
What is computed stays the same, but for rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from hlsgen.sparsify.weights import is_depthwise, tensors_of

# Operators of one input that work value by value, with no constant a channel.
PLAIN = ("Relu", "Clip", "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Elu", "Tanh", "Selu")


@dataclass(frozen=True)
class Chain:
    """From the convolution that makes the channels to the one that reads them: `nodes` in order,
    both ends included. Each one's result is read by the next alone."""

    nodes: tuple[onnx.NodeProto, ...]

    @property
    def reader(self) -> onnx.NodeProto:
        """The convolution that reads the channels."""
        return self.nodes[-1]

    def constants(self) -> list[str]:
        """What has a row for every channel, on its first axis."""
        found: list[str] = []
        for node in self.nodes[:-1]:
            found += () if node.op_type in PLAIN else (name for name in node.input[1:] if name)
        return found


def chains(model: onnx.ModelProto) -> dict[str, Chain]:
    """The chains of a network, by the name of the convolution that reads."""
    tensors = tensors_of(model)
    makers = {name: node for node in model.graph.node for name in node.output}
    uses: dict[str, int] = {output.name: 1 for output in model.graph.output}
    for node in model.graph.node:
        for name in node.input:
            uses[name] = uses.get(name, 0) + 1
    stored = {tensor.name for tensor in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        nodes = [node]
        if not whole(node, tensors):
            continue
        while uses[nodes[0].input[0]] == 1 and nodes[0].input[0] in makers:
            nodes.insert(0, makers[nodes[0].input[0]])
            chain = Chain(tuple(nodes))
            depthwise = nodes[0].op_type == "Conv" and not whole(nodes[0], tensors)
            if depthwise and not works_alone(nodes[0], tensors):
                break
            if nodes[0].op_type not in ("Conv", "BatchNormalization", *PLAIN):
                break
            if whole(nodes[0], tensors):
                names = [*chain.constants(), node.input[1]]
                if all(name in stored and uses[name] == 1 for name in names):
                    found[node.name or node.output[0]] = chain
                break
    return found


def whole(node: onnx.NodeProto, tensors: dict[str, onnx.TensorProto]) -> bool:
    """Whether a node is a convolution of one group with constant filters."""
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    return node.op_type == "Conv" and groups == 1 and node.input[1] in tensors


def works_alone(node: onnx.NodeProto, tensors: dict[str, onnx.TensorProto]) -> bool:
    """Whether a convolution has one filter for every channel."""
    tensor = tensors.get(node.input[1])
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    return tensor is not None and is_depthwise(node, tensor) and tensor.dims[0] == groups


def shrunk(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network without channels that nobody reads; `model` changes."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for chain in chains(model).values():
        weight = numpy_helper.to_array(tensors[chain.reader.input[1]])
        read = np.flatnonzero(np.abs(weight).reshape(*weight.shape[:2], -1).max(axis=(0, 2)))
        if len(read) in (0, weight.shape[1]):
            continue
        kept = {name: (0, tensors[name]) for name in chain.constants()}
        for axis, tensor in (*kept.values(), (1, tensors[chain.reader.input[1]])):
            values = np.take(numpy_helper.to_array(tensor), read, axis)
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))
        for node in chain.nodes[1:-1]:
            for attribute in node.attribute:
                if node.op_type == "Conv" and attribute.name == "group":
                    attribute.i = len(read)
    del model.graph.value_info[:]
    return model
