"""Evaluates nodes whose inputs are all known, with ONNX's own reference evaluator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod

import numpy as np
import onnx

from hlsgen.errors import ModelError
from hlsgen.frontend.model import first_line

# Values of a constant that is computed: more than the largest published layers hold.
LARGEST_CONSTANT = 1 << 28
# Operators whose result differs from run to run, those with subgraphs, and those whose result is no
# tensor are left alone.
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
    "SequenceConstruct",
    "SequenceEmpty",
    "SplitToSequence",
    "Optional",
}
# Constants that layers take as integers are left as they are until it is known which.
QUANTISED = frozenset({"DequantizeLinear"})


def check_size(
    node: onnx.NodeProto, feeds: Mapping[str, np.ndarray], shapes: Iterable[tuple[int, ...]]
) -> None:
    """Raise ModelError for a node whose result would be larger than anything that a network needs
    as a constant. `shapes`: of its results, as far as they are known."""
    sizes = [prod(shape) for shape in shapes]
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


def evaluate(
    node: onnx.NodeProto,
    constants: Mapping[str, np.ndarray],
    version: int,
    shapes: Iterable[tuple[int, ...]] = (),
) -> dict[str, np.ndarray]:
    """The results of a node of an opset whose inputs are all `constants`. `shapes`: see
    `check_size`. Raises ModelError."""
    feeds = {name: constants[name] for name in node.input if name}
    check_size(node, feeds, shapes)
    graph = onnx.helper.make_graph(
        [node],
        "constant",
        [
            onnx.helper.make_tensor_value_info(
                n, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape
            )
            for n, v in feeds.items()
        ],
        [onnx.helper.make_empty_tensor_value_info(n) for n in node.output if n],
    )
    from onnx.reference import ReferenceEvaluator

    opset = version_with_evaluator(node.op_type, version)
    single = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    try:
        results = ReferenceEvaluator(single).run(None, feeds)
    except Exception as error:
        raise ModelError(
            f"cannot be evaluated ({first_line(error)})",
            where=f"constant node {node.name or node.output[0]}",
            remedy="export the network with constants in place of it",
        ) from None
    return {
        name: np.asarray(value)
        for name, value in zip(filter(None, node.output), results, strict=True)
    }


def version_with_evaluator(op_type: str, version: int) -> int:
    """The version at which ONNX's evaluator knows an operator: it begins later than the operator
    with DequantizeLinear, which is the same there but for types that were added."""
    return max(version, 19) if op_type == "DequantizeLinear" else version
