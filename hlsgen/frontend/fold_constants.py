"""Evaluates nodes whose inputs are all known, with ONNX's own reference evaluator."""

from __future__ import annotations

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from hlsgen.errors import ModelError
from hlsgen.frontend.model import PreparedModel, first_line

# Operators whose result differs from run to run, and those with subgraphs, are left alone.
NOT_FOLDED = {
    "RandomNormal",
    "RandomUniform",
    "RandomNormalLike",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
    "If",
    "Loop",
    "Scan",
}


def fold_constants(model: PreparedModel) -> list[onnx.NodeProto]:
    """Add the results of constant nodes to `model.constants` and return the nodes that remain, in order.

    Shape of a value with a static shape is constant too. Raises ModelError when a node cannot be evaluated.
    """
    remaining = []
    for node in model.nodes:
        known = all(name in model.constants for name in node.input if name)
        if node.op_type == "Shape" and node.input[0] in model.shapes:
            dims = np.array(model.shapes[node.input[0]], np.int64)
            attributes = {a.name: a.i for a in node.attribute}
            model.constants[node.output[0]] = dims[attributes.get("start", 0) : attributes.get("end", len(dims))]
        elif known and node.op_type not in NOT_FOLDED:
            evaluate(model, node)
        else:
            remaining.append(node)
    return remaining


def evaluate(model: PreparedModel, node: onnx.NodeProto) -> None:
    """Evaluate one node and store its outputs."""
    feeds = {name: model.constants[name] for name in node.input if name}
    graph = onnx.helper.make_graph(
        [node],
        "constant",
        [
            onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for n, v in feeds.items()
        ],
        [onnx.helper.make_empty_tensor_value_info(n) for n in node.output],
    )
    single = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", model.opset)])
    try:
        results = ReferenceEvaluator(single).run(None, feeds)
    except Exception as error:
        raise ModelError(
            f"cannot be evaluated ({first_line(error)})", where=f"constant node {node.name or node.output[0]}"
        ) from None
    for name, value in zip(node.output, results, strict=True):
        model.constants[name] = np.asarray(value)
