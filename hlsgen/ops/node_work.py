"""How much an ONNX node computes, whether it can be built or not: what a part that stays on the
host is weighed by."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import onnx

# Which input of a node is its weight: one filter, or one column, for each of its outputs.
CONVOLUTIONS = {"Conv": 1, "FusedConv": 1, "ConvInteger": 1, "QLinearConv": 3}
PRODUCTS = ("Gemm", "MatMul", "FusedGemm", "FusedMatMul", "MatMulInteger", "QLinearMatMul")
RECURRENT = ("GRU", "LSTM", "RNN")

Shapes = Callable[[str], tuple[int, ...] | None]


def node_macs(node: onnx.NodeProto, shape: Shapes) -> int:
    """The multiply-accumulates of a node; 0 where it has none, or shapes are not known. `shape`
    gives that of a value."""
    source, result = shape(node.input[0]) if node.input else None, shape(node.output[0])
    if node.op_type in CONVOLUTIONS:
        weight = shape(node.input[CONVOLUTIONS[node.op_type]])
        return prod(result) * prod(weight[1:]) if result and weight else 0
    if node.op_type == "ConvTranspose":
        weight = shape(node.input[1])
        return prod(source) * prod(weight[1:]) if source and weight else 0
    if node.op_type in PRODUCTS:
        turned = any(a.name == "transA" and a.i for a in node.attribute)
        return prod(result) * source[-2 if turned else -1] if result and source else 0
    if node.op_type in RECURRENT:
        weights = [shape(name) for name in node.input[1:3]]
        return prod(source[:2]) * sum(prod(w) for w in weights if w) if source else 0
    return 0
