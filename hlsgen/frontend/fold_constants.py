"""Evaluates nodes whose inputs are all known, with ONNX's own reference evaluator."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from hlsgen.errors import ModelError
from hlsgen.frontend.model import PreparedModel, first_line

# Values of a constant that is computed: more than the largest published layers hold.
LARGEST_CONSTANT = 1 << 28
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
    """Add the results of constant nodes to `model.constants` and return the nodes that remain, in
    order.

    Shape of a value with a static shape is constant too. Raises ModelError when a node cannot be
    evaluated.
    """
    remaining = []
    for node in model.nodes:
        known = all(name in model.constants for name in node.input if name)
        if node.op_type == "Shape" and node.input[0] in model.shapes:
            dims = np.array(model.shapes[node.input[0]], np.int64)
            attributes = {a.name: a.i for a in node.attribute}
            model.constants[node.output[0]] = dims[
                attributes.get("start", 0) : attributes.get("end", len(dims))
            ]
        elif known and node.op_type not in NOT_FOLDED:
            evaluate(model, node)
        else:
            remaining.append(node)
    return remaining


def check_size(model: PreparedModel, node: onnx.NodeProto, feeds: dict[str, np.ndarray]) -> None:
    """Raise ModelError for a node whose result would be larger than anything that a network needs
    as a constant."""
    sizes = [prod(model.shapes[name]) for name in node.output if name in model.shapes]
    given = [feeds[name] for name in node.input if name]
    with np.errstate(all="ignore"):
        if node.op_type == "ConstantOfShape" and given:
            sizes.append(prod(int(n) for n in given[0].ravel()))
        if node.op_type in ("Expand", "Tile") and len(given) > 1:
            sizes.append(given[0].size * prod(max(int(n), 1) for n in given[1].ravel()))
        if node.op_type == "Range" and len(given) == 3 and float(given[2]):
            sizes.append(
                int(min(abs((float(given[1]) - float(given[0])) / float(given[2])), 2.0**62))
            )
        if node.op_type == "Pad" and len(given) > 1:
            sizes.append(
                given[0].size
                + int(np.abs(given[1].astype(np.float64)).sum()) * max(given[0].size, 1)
            )
        if node.op_type in ("OneHot", "Resize", "Upsample") and len(given) > 1:
            sizes.append(
                given[0].size
                * prod(max(int(n), 1) for a in given[1:] for n in np.nan_to_num(a.ravel()[:8]))
            )
    if max(sizes, default=0) > LARGEST_CONSTANT:
        raise ModelError(
            f"its result would hold {max(sizes):,} values, more than {LARGEST_CONSTANT:,}",
            where=f"constant node {node.name or node.output[0]}",
            remedy="export the network again",
        )


def evaluate(model: PreparedModel, node: onnx.NodeProto) -> None:
    """Evaluate one node and store its outputs."""
    feeds = {name: model.constants[name] for name in node.input if name}
    check_size(model, node, feeds)
    graph = onnx.helper.make_graph(
        [node],
        "constant",
        [
            onnx.helper.make_tensor_value_info(
                n, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape
            )
            for n, v in feeds.items()
        ],
        [onnx.helper.make_empty_tensor_value_info(n) for n in node.output],
    )
    single = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", model.opset)]
    )
    try:
        results = ReferenceEvaluator(single).run(None, feeds)
    except Exception as error:
        raise ModelError(
            f"cannot be evaluated ({first_line(error)})",
            where=f"constant node {node.name or node.output[0]}",
        ) from None
    for name, value in zip(node.output, results, strict=True):
        model.constants[name] = np.asarray(value)
