"""The user's own model with its weights rounded to a storage type, so that onnxruntime can judge a
design whose weights lie in memory in that type."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from hlsgen.frontend.model import node_label
from hlsgen.graph import Graph, Layer
from hlsgen.types import rounded

# Nodes that multiply by a weight, their second input; and what may follow them in a layer without
# another constant being folded into that weight.
LINEAR = ("Conv", "Gemm", "MatMul")
FOLDED = "BatchNormalization"
ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Elu")


def with_stored_weights(graph: Graph) -> onnx.ModelProto | None:
    """The model that a graph came from, computing with the weights that the graph's layers store:
    the model itself where these are its own. None where a weight in memory is not one of the
    model's, rounded, nor made of one by a batch normalisation alone."""
    if not any(layer.narrow for layer in graph.layers):
        original: onnx.ModelProto = graph.model
        return original
    model = onnx.ModelProto()
    model.CopyFrom(graph.model)
    by_title = {node_label(node): node for node in model.graph.node}
    for layer in (layer for layer in graph.layers if layer.narrow):
        nodes = [by_title[name] for name in layer.nodes if name in by_title]
        linear = [node for node in nodes if node.op_type in LINEAR]
        known = all(node.op_type in (*LINEAR, FOLDED, *ACTIVATIONS) for node in nodes)
        if len(linear) != 1 or not known or len(nodes) != len(layer.nodes):
            return None
        folded = [node for node in nodes if node.op_type == FOLDED]
        changed = replaced(model, linear[0], layer, bool(folded))
        if changed is None:
            return None
        for node in folded:
            bypass(node)
    return model


def replaced(
    model: onnx.ModelProto, node: onnx.NodeProto, layer: Layer, folded: bool
) -> onnx.NodeProto | None:
    """A node with the weights that are stored for it: those of the layer where a normalisation is
    part of them, else its own, rounded. None where neither can be had."""
    own = next((t for t in model.graph.initializer if t.name == node.input[1]), None)
    scaled = any(a.name == "alpha" and a.f != 1 for a in node.attribute)
    if own is None or scaled or (folded and node.op_type != "Conv"):
        return None
    values = numpy_helper.to_array(own)
    if not folded:
        node.input[1] = added(model, node, "weight", rounded(values, layer.weight_type))
        return node
    if layer.weights["weight"].size != values.size or values.ndim > 4:
        return None
    weight, bias = layer.weights["weight"].reshape(values.shape), layer.weights["bias"]
    node.input[1] = added(model, node, "weight", weight)
    del node.input[2:]
    node.input.append(added(model, node, "bias", bias))
    return node


def added(model: onnx.ModelProto, node: onnx.NodeProto, kind: str, values: np.ndarray) -> str:
    """Adds a constant of a node's; its name."""
    name = f"{node.output[0]}_stored_{kind}"
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
    return name


def bypass(node: onnx.NodeProto) -> None:
    """Makes a node pass its first input on."""
    source, result = node.input[0], node.output[0]
    name = node.name
    node.Clear()
    node.CopyFrom(onnx.helper.make_node("Identity", [source], [result], name))
