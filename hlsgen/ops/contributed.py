"""onnxruntime's own operators, as its optimiser writes them, in terms of ONNX's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.ops.compose import apply, number
from hlsgen.ops.importer import Importer
from hlsgen.ops.importing import Value

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

# Activations by name, with the attributes that their parameters are.
PARAMETERS = {"LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta"), "Clip": ("min", "max")}
OWN = ("activation", "activation_params")


class Contributed(Importer):
    """Operators with an activation, a bias or an addition of their own."""

    onnx_types: ClassVar[dict[str, str]] = {
        "FusedConv": "as Conv; an activation, a feature map that is added",
        "FusedGemm": "as Gemm; an activation",
        "FusedMatMul": "as MatMul; alpha, transA, transB",
        "BiasGelu": "as Gelu",
        "FastGelu": "as Gelu",
        "QuickGelu": "alpha",
        "SkipLayerNormalization": "as LayerNormalization; one output",
    }
    contributed = frozenset(onnx_types)
    makes = ("conv", "dense", "matmul", "binary", "activation", "scale", "gather")
    rare = ("matmul",)

    def import_node(self, node: NodeImporter) -> None:
        """Import one of them."""
        result = EXPANSIONS[node.op_type](node)
        node.bind(result.tensor, result.view)


def operand(node: NodeImporter, position: int) -> Any:
    """A value, a constant, or None where the node has neither."""
    if node.input_name(position) is None:
        return None
    constant = node.constant(position)
    return node.value(position) if constant is None else constant


def operands(node: NodeImporter, count: int) -> list[Any]:
    """The first ones."""
    return [operand(node, position) for position in range(count)]


def others(node: NodeImporter, *names: str) -> dict[str, Any]:
    """The attributes but those of these names."""
    return {name: value for name, value in node.attributes.items() if name not in (*OWN, *names)}


def activated(node: NodeImporter, value: Value) -> Value:
    """The activation that a node names, if it does."""
    kind = node.attribute("activation", "")
    if not kind:
        return value
    names = PARAMETERS.get(kind, ())
    given = node.attribute("activation_params", ())
    if not given:
        given = tuple(node.attribute(f"activation_{name}", None) for name in names)
    pairs = {n: float(v) for n, v in zip(names, given, strict=False) if v is not None}
    if kind == "Clip":
        return apply(node, kind, value, *(number(pairs[name]) for name in names))
    return apply(node, kind, value, **pairs)


def fused_conv(node: NodeImporter) -> Value:
    """Convolution, addition, activation."""
    result = apply(node, "Conv", *operands(node, 3), **others(node))
    added = operand(node, 3)
    return activated(node, result if added is None else apply(node, "Add", result, added))


def fused_gemm(node: NodeImporter) -> Value:
    """Gemm, activation."""
    own = [f"activation_{name}" for name in ("alpha", "beta", "gamma")]
    return activated(node, apply(node, "Gemm", *operands(node, 3), **others(node, *own)))


def fused_matmul(node: NodeImporter) -> Value:
    """Transpositions, product, factor."""
    if node.attribute("transBatchA", 0) or node.attribute("transBatchB", 0):
        raise node.unsupported("transBatchA or transBatchB", "use Transpose")
    given = operands(node, 2)
    for position, name in enumerate(("transA", "transB")):
        if node.attribute(name, 0):
            given[position] = turned(node, given[position])
    result = apply(node, "MatMul", *given)
    alpha = node.attribute("alpha", 1.0)
    return result if alpha == 1 else apply(node, "Mul", result, number(alpha))


def turned(node: NodeImporter, given: Any) -> Any:
    """An operand with its last two axes swapped."""
    if not isinstance(given, Value):
        return np.swapaxes(given, -1, -2)
    rank = len(given.view.value_shape)
    return apply(node, "Transpose", given, perm=[*range(rank - 2), rank - 1, rank - 2])


def gelu(node: NodeImporter) -> Value:
    """GELU of a sum; FastGelu is the approximation with tanh."""
    value, bias = operands(node, 2)
    total = value if bias is None else apply(node, "Add", value, bias)
    way = "tanh" if node.op_type == "FastGelu" else "none"
    return apply(node, "Gelu", total, approximate=way)


def quick_gelu(node: NodeImporter) -> Value:
    """x * sigmoid(alpha x)."""
    value = node.value(0)
    inner = apply(node, "Mul", value, number(node.attribute("alpha", 1.702)))
    return apply(node, "Mul", value, apply(node, "Sigmoid", inner))


def skip_normalisation(node: NodeImporter) -> Value:
    """Layer normalisation of a sum."""
    node.need_one_output()
    value, skipped, scale, shift, bias = operands(node, 5)
    total = apply(node, "Add", value, skipped)
    total = total if bias is None else apply(node, "Add", total, bias)
    epsilon = float(node.attribute("epsilon", 1e-12))
    return apply(node, "LayerNormalization", total, scale, shift, epsilon=epsilon)


EXPANSIONS = {
    "FusedConv": fused_conv,
    "FusedGemm": fused_gemm,
    "FusedMatMul": fused_matmul,
    "BiasGelu": gelu,
    "FastGelu": gelu,
    "QuickGelu": quick_gelu,
    "SkipLayerNormalization": skip_normalisation,
}
IMPORTER = Contributed()
