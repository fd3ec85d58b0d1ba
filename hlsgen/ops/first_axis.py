"""What ONNX operators do along the first axis: whether the images of a batch stay apart.

A rule rests on what `hlsgen.frontend.batch` sees in the shapes: with a batch of N every run-time
operand and result has N as its first dimension, with a batch of 1 it has 1, all other dimensions
are the same, and so are the constants that are no target shapes. A reshape cannot mix images then,
nor can a transposition, a reduction or a gather. The rules here are for what shapes do not show. An
operator without a rule is taken to mix images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hlsgen.ops.arguments import NodeArguments

# A node, and the ranks of its run-time operands and of its results.
Rule = Callable[[NodeArguments, Sequence[int]], bool]
# The inputs that name the shape of the result: with another batch they begin with another number.
TARGETS = {"Reshape": 1, "Expand": 1, "Resize": 3}


def always(node: NodeArguments, ranks: Sequence[int]) -> bool:
    """Shapes show all that there is to see."""
    return True


def same_rank(node: NodeArguments, ranks: Sequence[int]) -> bool:
    """Broadcasting lines the last axes up: of another rank an operand's batch meets another
    axis."""
    return len(set(ranks)) == 1


def same_slopes(node: NodeArguments, ranks: Sequence[int]) -> bool:
    """Slopes of all images alike: their own first axis would not show in the result."""
    slopes = node.constant(1)
    alike = slopes is None or slopes.ndim < ranks[0] or slopes.shape[0] == 1
    return same_rank(node, ranks) and alike


def other_axis(node: NodeArguments, ranks: Sequence[int]) -> bool:
    """It works along one axis, which must not be the first."""
    axis: int = node.attribute("axis", -1)
    return axis % ranks[0] != 0


def other_given_axis(node: NodeArguments, ranks: Sequence[int]) -> bool:
    """As `other_axis`, for an axis that is an input."""
    axis = node.constant(1)
    return axis is not None and axis.size == 1 and int(axis.item()) % ranks[0] != 0


def forwards(node: NodeArguments, ranks: Sequence[int]) -> bool:
    """A slice that keeps all images keeps their order too, unless it goes backwards."""
    axes, steps = node.integers(3, "axes"), node.integers(4, "steps")
    return steps is None or all(
        step > 0 or axis % ranks[0] != 0
        for axis, step in zip(axes or range(len(steps)), steps, strict=False)
    )


def no_border(node: NodeArguments, ranks: Sequence[int]) -> bool:
    """Pads that add as many images before as they cut after would move them on."""
    pads, axes = node.integers(1, "pads") or (), node.integers(3, "axes") or tuple(range(ranks[0]))
    first = [axis % ranks[0] == 0 for axis in axes]
    return not any(pad for pad, along in zip(pads, (*first, *first), strict=False) if along)


def beyond_matrices(node: NodeArguments, ranks: Sequence[int]) -> bool:
    """It works along the last two axes, none of which may be the first."""
    return ranks[0] > 2


def never(node: NodeArguments, ranks: Sequence[int]) -> bool:
    """The first axis is another one than the batch's."""
    return False


def first_letter(node: NodeArguments, ranks: Sequence[int]) -> bool:
    """All feature maps and the result of an Einsum begin with the same letter, which no constant
    has: it would hold numbers of each image."""
    terms, _, result = node.attribute("equation", "").replace(" ", "").partition("->")
    return bool(result) and all(
        term[:1] == result[0] if node.constant(i) is None else result[0] not in term
        for i, term in enumerate(terms.split(","))
    )


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "Relu",
            "Clip",
            "LeakyRelu",
            "Sigmoid",
            "Tanh",
            "Exp",
            "Log",
            "Sqrt",
            "Reciprocal",
            "Abs",
            "Elu",
            "Selu",
            "Softplus",
            "Softsign",
            "HardSigmoid",
            "HardSwish",
            "Erf",
            "Sin",
            "Cos",
            "Gelu",
            "Mish",
            "Celu",
            "Sign",
            "Floor",
            "Ceil",
            "Round",
            "Not",
            "Neg",
            "Identity",
            "Dropout",
            "Cast",
            "Conv",
            "ConvTranspose",
            "Gemm",
            "MaxPool",
            "AveragePool",
            "GlobalAveragePool",
            "GlobalMaxPool",
            "BatchNormalization",
            "InstanceNormalization",
            "GroupNormalization",
            "LRN",
            "Reshape",
            "Flatten",
            "Squeeze",
            "Unsqueeze",
            "Transpose",
            "DepthToSpace",
            "SpaceToDepth",
            "Resize",
            "Tile",
            "Concat",
            "Gather",
            "Split",
            "ReduceMean",
            "ReduceSum",
            "ReduceMax",
            "QuantizeLinear",
            "DequantizeLinear",
            "QLinearConv",
            "QGemm",
            "QLinearSigmoid",
            "QLinearLeakyRelu",
            "QLinearAveragePool",
            "QLinearGlobalAveragePool",
            "QLinearConcat",
            "FusedConv",
            "FusedGemm",
            "QuickGelu",
            "BiasGelu",
            "FastGelu",
            "OneHot",
            "ReduceMin",
            "ReduceProd",
            "ReduceL1",
            "ReduceL2",
            "ReduceSumSquare",
            "ReduceLogSum",
            "ReduceLogSumExp",
            "ArgMax",
            "ArgMin",
            "GridSample",
        ),
        always,
    ),
    **dict.fromkeys(
        (
            "Add",
            "Sub",
            "Mul",
            "Div",
            "Max",
            "Min",
            "Sum",
            "Mean",
            "FusedMatMul",
            "SkipLayerNormalization",
            "Pow",
            "Greater",
            "Less",
            "GreaterOrEqual",
            "LessOrEqual",
            "Equal",
            "And",
            "Or",
            "Where",
            "MatMul",
            "Expand",
            "QLinearAdd",
            "QLinearMul",
            "QLinearMatMul",
            "MatMulIntegerToFloat",
        ),
        same_rank,
    ),
    **dict.fromkeys(
        (
            "Softmax",
            "LogSoftmax",
            "QLinearSoftmax",
            "LayerNormalization",
            "RMSNormalization",
            "LpNormalization",
        ),
        other_axis,
    ),
    # Indices are a number for each value, of all images.
    **dict.fromkeys(("LSTM", "GRU", "RNN", "GatherElements"), never),
    "Trilu": beyond_matrices,
    "CumSum": other_given_axis,
    "Einsum": first_letter,
    "PRelu": same_slopes,
    "Slice": forwards,
    "Pad": no_border,
}


# Operators that no module imports, for heads and tails.
HOST_RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "Tan",
            "Asin",
            "Acos",
            "Atan",
            "Sinh",
            "Cosh",
            "Asinh",
            "Acosh",
            "Atanh",
            "IsInf",
            "IsNaN",
            "Shrink",
            "ThresholdedRelu",
            "LpPool",
            "GlobalLpPool",
        ),
        always,
    ),
    **dict.fromkeys(("Mod", "Xor"), same_rank),
    **dict.fromkeys(("TopK", "Hardmax"), other_axis),
}


def keeps_images_apart(node: NodeArguments, ranks: Sequence[int]) -> bool:
    """Whether a node works on every image of a batch by itself, so far as shapes do not tell.

    `ranks`: of its run-time operands, then of its results.
    """
    rule = RULES.get(node.op_type) or HOST_RULES.get(node.op_type)
    return rule is not None and rule(node, ranks)
