"""Random small networks over all operators, from a source of choices: hypothesis in the tests, a
seed in the long runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Choose = Callable[[Sequence[Any]], Any]
# Feature maps stay this small, so that a network runs in a second.
LARGEST = 600
ACTIVATIONS: dict[str, dict[str, Any]] = {
    "Relu": {},
    "LeakyRelu": {"alpha": 0.2},
    "Sigmoid": {},
    "Tanh": {},
    "Elu": {"alpha": 0.8},
    "Selu": {},
    "Softplus": {},
    "Softsign": {},
    "HardSigmoid": {},
    "HardSwish": {},
    "Abs": {},
    "Neg": {},
}


class Builder:
    """A network under construction. `live` holds (name, shape) of every feature map, `(1, C, H, W)`
    each."""

    def __init__(self, choose: Choose):
        self.choose = choose
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.outputs: list[tuple[str, tuple[int, ...]]] = []
        self.random = np.random.default_rng(0)
        self.count = 0
        shape = (1, choose((1, 3, 4, 6, 16, 18)), choose((1, 4, 5, 8)), choose((1, 3, 6, 9)))
        self.live: list[tuple[str, tuple[int, ...]]] = [("x", shape)]
        self.shape = shape

    def name(self) -> str:
        """A new name."""
        self.count += 1
        return f"v{self.count}"

    def constant(self, array: np.ndarray) -> str:
        """Add an initializer."""
        name = self.name()
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def normal(self, *shape: int) -> str:
        """Add He-normal weights."""
        scale = np.sqrt(2 / max(1, int(np.prod(shape[1:]))))
        return self.constant((self.random.standard_normal(shape) * scale).astype(np.float32))

    def integers(self, *values: int) -> str:
        """Add an integer vector."""
        return self.constant(np.array(values, np.int64))

    def node(
        self, kind: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any
    ) -> list[str]:
        """Add a node and return the names of its results."""
        names = [self.name() for _ in range(outputs)]
        self.nodes.append(
            helper.make_node(kind, list(inputs), names, name=f"n_{names[0]}", **attributes)
        )
        return names

    def model(self) -> onnx.ModelProto:
        """The model; every feature map that nobody reads is an output."""
        read = {name for node in self.nodes for name in node.input}
        ends = [(n, s) for n, s in (*self.live, *self.outputs) if n not in read and n != "x"]
        infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in ends]
        entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)
        graph = helper.make_graph(self.nodes, "random", [entry], infos, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        model.ir_version = 8
        return model


def random_network(choose: Choose, largest: int = 7) -> onnx.ModelProto:
    """A network of up to `largest` operators."""
    b = Builder(choose)
    for _ in range(choose(range(1, largest + 1))):
        value, shape = choose(b.live)
        nodes, live = len(b.nodes), len(b.live)
        made = choose(OPERATORS)(b, value, shape)
        if made is not None and 0 < int(np.prod(made[1])) <= LARGEST:
            b.live.append(made)
        elif made is not None:  # too large: as if it had not been
            del b.nodes[nodes:], b.live[live:]
    if not b.nodes:
        b.live.append((b.node("Relu", ["x"])[0], b.shape))
    return b.model()


def convolution(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """Conv with any group, stride, dilation, pads."""
    _, c, h, w = shape
    kernel = [b.choose((1, 2, 3, 5)), b.choose((1, 3, 4))]
    stride, dilation = (
        [b.choose((1, 1, 2, 3)), b.choose((1, 1, 2))],
        [b.choose((1, 1, 2)), b.choose((1, 1, 3))],
    )
    pads = [b.choose((0, 1, 2)) for _ in range(4)]
    groups = b.choose([g for g in (1, 1, 2, 3, c) if c % g == 0])
    filters = groups * b.choose((1, 2, 3)) if groups > 1 else b.choose((1, 4, 7, 16, 20))
    size = [
        (n + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilation[i] - 1) // stride[i] + 1
        for i, n in enumerate((h, w))
    ]
    if min(size) < 1:
        return None
    inputs = [value, b.normal(filters, c // groups, *kernel)] + (
        [b.normal(filters)] if b.choose((0, 1)) else []
    )
    out = b.node("Conv", inputs, group=groups, strides=stride, dilations=dilation, pads=pads)[0]
    return out, (1, filters, *size)


def transposed_convolution(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """ConvTranspose."""
    _, c, h, w = shape
    kernel, stride = (
        [b.choose((1, 2, 3)), b.choose((2, 3))],
        [b.choose((1, 2)), b.choose((1, 2, 3))],
    )
    pads = [b.choose((0, 1)), 0, 0, b.choose((0, 1))]
    filters = b.choose((1, 3, 5))
    size = [stride[i] * (n - 1) + kernel[i] - pads[i] - pads[i + 2] for i, n in enumerate((h, w))]
    if min(size) < 1:
        return None
    out = b.node(
        "ConvTranspose", [value, b.normal(c, filters, *kernel)], strides=stride, pads=pads
    )[0]
    return out, (1, filters, *size)


def pooling(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """MaxPool or AveragePool."""
    _, c, h, w = shape
    kernel, stride = (
        [b.choose((1, 2, 3)), b.choose((2, 3))],
        [b.choose((1, 2)), b.choose((1, 2, 3))],
    )
    pads = [b.choose((0, 1)) if k > 1 else 0 for k in (*kernel, *kernel)]
    size = [(n + pads[i] + pads[i + 2] - kernel[i]) // stride[i] + 1 for i, n in enumerate((h, w))]
    if min(size) < 1:
        return None
    kind = b.choose(("MaxPool", "AveragePool"))
    extra = {"count_include_pad": b.choose((0, 1))} if kind == "AveragePool" else {}
    return b.node(kind, [value], kernel_shape=kernel, strides=stride, pads=pads, **extra)[0], (
        1,
        c,
        *size,
    )


def activation(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """An element-wise function."""
    kind = b.choose(sorted(ACTIVATIONS))
    return b.node(kind, [value], **ACTIVATIONS[kind])[0], shape


def per_channel(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """A constant a channel: PRelu, Mul, Add, Sub on either side."""
    kind = b.choose(("PRelu", "Mul", "Add", "Sub"))
    inputs = [value, b.normal(shape[1], 1, 1)]
    if kind == "Sub" and b.choose((0, 1)):
        inputs.reverse()
    return b.node(kind, inputs)[0], shape


def join(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """Two feature maps that broadcast."""
    others = []
    for name, other in b.live:
        try:
            others.append((name, np.broadcast_shapes(shape, other)))
        except ValueError:
            continue
    other, result = b.choose(others)
    inputs = [value, other]
    if b.choose((0, 1)):
        inputs.reverse()
    return b.node(b.choose(("Add", "Sub", "Mul", "Max", "Min")), inputs)[0], tuple(result)


def gate(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """Squeeze and excitation."""
    pooled = b.node("GlobalAveragePool", [value])[0]
    small = b.node("Conv", [pooled, b.normal(shape[1], shape[1], 1, 1)])[0]
    factor = b.node(b.choose(("Sigmoid", "HardSigmoid", "Relu")), [small])[0]
    return b.node("Mul", [value, factor])[0], shape


def concatenation(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """Concat along any axis."""
    axis = b.choose((1, 1, 2, 3))
    fitting = [(n, s) for n, s in b.live if all(s[i] == shape[i] for i in range(4) if i != axis)]
    chosen = [(value, shape)] + [b.choose(fitting) for _ in range(b.choose((1, 2)))]
    result = list(shape)
    result[axis] = sum(s[axis] for _, s in chosen)
    return b.node("Concat", [n for n, _ in chosen], axis=axis)[0], tuple(result)


def padding(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """Pad in any mode."""
    mode = b.choose(("constant", "edge", "reflect"))
    amounts = [
        0,
        b.choose((0, 0, 1)) if mode == "constant" else 0,
        b.choose((0, 1, 2)),
        b.choose((0, 1)),
    ]
    amounts += [0, 0, b.choose((0, 1)), b.choose((0, 2))]
    if mode == "reflect" and any(max(amounts[i], amounts[i + 4]) >= shape[i] for i in (2, 3)):
        return None
    result = tuple(n + amounts[i] + amounts[i + 4] for i, n in enumerate(shape))
    return b.node("Pad", [value, b.integers(*amounts)], mode=mode)[0], result


def slicing(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """Slice one axis."""
    axis = b.choose((1, 2, 3))
    n, step = shape[axis], b.choose((1, 2, -1))
    start, end = (b.choose(range(n)), n) if step > 0 else (n - 1, -n - 1)
    count = -(-(n - start) // step) if step > 0 else n
    inputs = [value, *(b.integers(v) for v in (start, end, axis, step))]
    result = list(shape)
    result[axis] = count
    return b.node("Slice", inputs)[0], tuple(result)


def splitting(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """Split the channels in two."""
    if shape[1] < 2:
        return None
    first = b.choose(range(1, shape[1]))
    left, right = b.node("Split", [value, b.integers(first, shape[1] - first)], outputs=2, axis=1)
    b.live.append((right, (1, shape[1] - first, *shape[2:])))
    return left, (1, first, *shape[2:])


def transposition(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """Transpose all but the batch."""
    order = b.choose(((0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2), (0, 2, 1, 3)))
    return b.node("Transpose", [value], perm=order)[0], tuple(shape[i] for i in order)


def shuffle(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """A channel shuffle."""
    groups = b.choose([g for g in (1, 2, 3, 4) if shape[1] % g == 0])
    wide = b.node("Reshape", [value, b.integers(1, groups, shape[1] // groups, *shape[2:])])[0]
    turned = b.node("Transpose", [wide], perm=[0, 2, 1, 3, 4])[0]
    return b.node("Reshape", [turned, b.integers(*shape)])[0], shape


def reshaping(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """A Reshape that moves data between the axes."""
    _, c, h, w = shape
    result = b.choose(((1, c * h, w, 1), (1, h, c, w), (1, c, 1, h * w), (1, c * h * w, 1, 1)))
    return b.node("Reshape", [value, b.integers(*result)])[0], result


def resizing(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """Resize to twice the size, or to any."""
    mode = b.choose(("nearest", "linear"))
    where = b.choose(("half_pixel", "asymmetric", "align_corners"))
    size = (*shape[:2], b.choose((shape[2] * 2, shape[2] + 1)), b.choose((shape[3] * 2, 3)))
    extra = {"nearest_mode": b.choose(("round_prefer_floor", "floor"))} if mode == "nearest" else {}
    inputs = [value, "", "", b.integers(*size)]
    return b.node("Resize", inputs, mode=mode, coordinate_transformation_mode=where, **extra)[
        0
    ], size


def blocks(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """DepthToSpace or SpaceToDepth."""
    _, c, h, w = shape
    if c % 4 == 0 and b.choose((0, 1)):
        mode = b.choose(("DCR", "CRD"))
        return b.node("DepthToSpace", [value], blocksize=2, mode=mode)[0], (1, c // 4, h * 2, w * 2)
    if h % 2 or w % 2:
        return None
    return b.node("SpaceToDepth", [value], blocksize=2)[0], (1, c * 4, h // 2, w // 2)


def reduction(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """A reduction over one or two axes."""
    kind, axes = (
        b.choose(("ReduceMean", "ReduceSum", "ReduceMax")),
        b.choose(((2, 3), (1,), (2,), (3,))),
    )
    result = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return b.node(kind, [value, b.integers(*axes)])[0], result


def normalisation(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """BatchNormalization, InstanceNormalization, LRN or Softmax."""
    kind = b.choose(("BatchNormalization", "InstanceNormalization", "LRN", "Softmax"))
    c = shape[1]
    if kind == "Softmax":
        return b.node(kind, [value], axis=b.choose((1, 2, 3)))[0], shape
    if kind == "LRN":
        return b.node(kind, [value], size=3, alpha=0.3, bias=1.5)[0], shape
    if kind == "InstanceNormalization":
        if shape[2] * shape[3] < 4:
            return None  # a variance of nothing
        return b.node(kind, [value, b.normal(c), b.normal(c)], epsilon=0.1)[0], shape
    positive = (1 + uniform(b, c)).astype(np.float32)
    return b.node(kind, [value, b.normal(c), b.normal(c), b.normal(c), b.constant(positive)])[
        0
    ], shape


def uniform(b: Builder, count: int) -> np.ndarray:
    """Numbers between 0 and 1."""
    return b.random.random(count)


def dense(b: Builder, value: str, shape: tuple[int, ...]) -> Any:
    """Flatten and Gemm: an output of the network."""
    flat = b.node("Flatten", [value])[0]
    outputs = b.choose((1, 5, 17))
    out = b.node(
        "Gemm", [flat, b.normal(outputs, int(np.prod(shape))), b.normal(outputs)], transB=1
    )[0]
    b.outputs.append((out, (1, outputs)))
    return None


OPERATORS = (
    convolution,
    convolution,
    convolution,
    transposed_convolution,
    pooling,
    activation,
    activation,
    per_channel,
    join,
    join,
    gate,
    concatenation,
    padding,
    slicing,
    splitting,
    transposition,
    shuffle,
    reshaping,
    resizing,
    blocks,
    reduction,
    normalisation,
    dense,
)
