"""What an operator module sees of an ONNX node, and how it adds layers to the graph being built."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx

from hlsgen.activation import Activation
from hlsgen.errors import UnsupportedError
from hlsgen.graph import Layer, Tensor, View
from hlsgen.ops.arguments import NodeArguments
from hlsgen.ops.reserved import PREFIXES, RESERVED, SUFFIXES
from hlsgen.types import ANY, FLOAT32, DataType

# Kernels count elements in 32-bit integers, with room for sums of offsets.
LARGEST_TENSOR = 1 << 27
# How a value with its channels last is read with them first.
CHANNELS_FIRST = (("transpose", (0, 3, 1, 2)),)
# Data movement is planned value by value.
LARGEST_MOVEMENT = 1 << 27


@dataclass(frozen=True)
class Value:
    """An ONNX value that is computed at run time: its canonical tensor and how it is relabelled."""

    tensor: Tensor
    view: View


class GraphBuilder:
    """Collects tensors and layers while the ONNX nodes are imported in order.

    `training`: what behaves otherwise in training, BatchNormalization and Dropout, becomes a layer
    of its own. `names`: what layers are called after, by the first output of their node, where that
    is not the node's own name. `types`: those of inputs that are not float32.
    """

    def __init__(
        self,
        constants: dict[str, np.ndarray],
        inputs: Mapping[str, tuple[int, ...]],
        used: Collection[str] = (),
        training: bool = False,
        names: Mapping[str, str] | None = None,
        types: Mapping[str, DataType] = MappingProxyType({}),
    ):
        self.constants = constants
        self.names = names or {}
        self.training = training
        self.used = frozenset(used)  # names of values that some node or output of the network reads
        self.values: dict[str, Value] = {}
        self.tensors: dict[str, Tensor] = {}
        self.layers: list[Layer] = []
        self.ports: list[tuple[str, Value]] = []
        self._names: set[str] = set(RESERVED)
        self._counts: dict[
            str, int
        ] = {}  # the last number that a name needed; the lower ones are all taken
        self._fresh = 0
        for name, shape in inputs.items():
            self.values[name] = self._input(name, shape, types.get(name, FLOAT32))

    def _input(self, name: str, shape: tuple[int, ...], kind: DataType) -> Value:
        canonical = canonical_shape(shape)
        tensor = self.add_tensor(name, canonical, kind)
        view = View((1, *canonical))
        if view.value_shape != shape:
            view = view.then("reshape", shape)
        value = Value(tensor, view)
        self.ports.append((name, value))
        return value

    def assume(self, name: str, shape: tuple[int, ...]) -> None:
        """Take a value for an input of the network, for what is behind it."""
        self.values[name] = self._input(name, shape, FLOAT32)

    def rebase_input(self, value: Value) -> Value | None:
        """A further canonical form of a network input, in the order its consumer wants; None for
        other tensors.

        `value` is seen as `(1, C, H, W)`.
        """
        for name, known in self.ports:
            if known.tensor.name != value.tensor.name:
                continue
            wanted = value.view.value_shape
            # wanted = value.view(canonical); raw = known.view(canonical): so raw =
            # known.view(inverse(value.view)(wanted)).
            view = View(wanted, (*value.view.inverse.steps, *known.view.steps))
            same = (p.tensor for n, p in self.ports if n == name and p.view == view)
            tensor = next(same, None)
            if tensor is None:
                tensor = self.add_tensor(name, wanted[1:], known.tensor.type)
                self.ports.append((name, Value(tensor, view)))
            return Value(tensor, View(wanted))
        return None

    def unique(self, name: str) -> str:
        """A C identifier that resembles `name` and that nothing else in this network uses."""
        base = re.sub(r"[^0-9a-zA-Z_]+", "_", name).strip("_").lower()[:48] or "layer"
        base = base.replace("_to_", "_2_")  # channels are called <producer>_to_<consumer>
        if base[0].isdigit() or keyword.iskeyword(base) or base.startswith(PREFIXES):
            base = f"layer_{base}"
        count = self._counts.get(base, 1)
        candidate = base if count == 1 else f"{base}_{count}"
        while not self._names.isdisjoint(
            derived := {candidate, *(candidate + suffix for suffix in SUFFIXES)}
        ):
            count += 1
            candidate = f"{base}_{count}"
        self._counts[base] = count
        self._names |= derived
        return candidate

    def fresh(self, name: str) -> str:
        """A name for a value that no node of the network has."""
        self._fresh += 1
        return f"{name}/{self._fresh}"

    def add_tensor(self, name: str, shape: Sequence[int], kind: DataType = FLOAT32) -> Tensor:
        """A new tensor of canonical `(C, H, W)` shape, under a unique name derived from `name`."""
        channels, height, width = (int(n) for n in shape)
        tensor = Tensor(self.unique(f"t_{name}"), channels, height, width, kind)
        if tensor.size > LARGEST_TENSOR:
            raise UnsupportedError(
                f"feature map {list(tensor.shape)} holds {tensor.size:,} values, more than the "
                f"{LARGEST_TENSOR:,} that the kernels' "
                "addresses reach",
                where=f"value {name}",
                remedy="use smaller inputs",
            )
        self.tensors[tensor.name] = tensor
        return tensor


class NodeImporter(NodeArguments):
    """One ONNX node together with the graph under construction. `types`: those of feature maps that
    its importer reads."""

    def __init__(
        self,
        builder: GraphBuilder,
        node: onnx.NodeProto,
        label: str,
        types: Collection[DataType] = ANY,
    ):
        super().__init__(node, builder.constants, label)
        self.builder, self.types = builder, types

    def need_one_output(self) -> None:
        """Raise UnsupportedError when something reads an output other than the first."""
        if self.builder.used.intersection(filter(None, self.node.output[1:])):
            raise self.unsupported(
                "its further outputs are used", "only the first output is computed"
            )

    def value(self, index: int) -> Value:
        """The run-time value at input `index`. Raises UnsupportedError for a constant."""
        name = self.input_name(index)
        if name is None or name not in self.builder.values:
            raise self.unsupported(f"input {index} is a constant where a feature map is needed")
        value = self.builder.values[name]
        if value.tensor.type not in self.types:
            raise self.unsupported(
                f"it computes on values of type {value.tensor.type.name}",
                "put it between DequantizeLinear and QuantizeLinear",
            )
        return value

    def spatial(self, index: int, ranks: Sequence[int] = (3, 4, 5)) -> Tensor:
        """The tensor at input `index`, `(1, C, ...)` with as many spatial axes as `ranks` allow, in
        canonical order.

        Raises UnsupportedError for other shapes.
        """
        value = self.value(index)
        shape = value.view.value_shape
        if len(shape) not in ranks or shape[0] != 1:
            raise self.unsupported(
                f"input has shape {list(shape)}; {self.op_type} is supported on (1, C, ...) with "
                f"{min(ranks) - 2} to "
                f"{max(ranks) - 2} spatial dimensions",
                "reshape the input",
            )
        return self.canonical(value)

    def canonical(self, value: Value) -> Tensor:
        """The tensor whose canonical array is the ONNX value itself, in order.

        A network input is simply packed differently by the host; any other tensor that was
        transposed, or reshaped so that its data lie differently, is moved by a layer.
        """
        wanted = (1, *canonical_shape(value.view.value_shape))
        view = (
            value.view if value.view.value_shape == wanted else value.view.then("reshape", wanted)
        )
        if view.is_identity:
            return value.tensor
        rebased = self.builder.rebase_input(Value(value.tensor, view))
        return (
            rebased.tensor
            if rebased is not None
            else self.gather(value.tensor, view.indices[0], "new layout")
        )

    def gather(
        self,
        source: Tensor,
        index: np.ndarray,
        what: str,
        fill: float = 0.0,
        blend: Mapping[str, Any] | None = None,
    ) -> Tensor:
        """Append a layer whose result (C', H', W') takes from each place of `index` (canonical and
        flat; -1 is `fill`).

        `blend`: further fields of `GatherAttributes`.
        """
        from hlsgen.ops.gather_index import GatherAttributes

        padded = source.pixels * -(-source.channels // 16) * 16  # whole vectors
        if max(index.size, padded) > LARGEST_MOVEMENT:
            raise self.unsupported(
                f"{max(index.size, padded):,} values would be moved one by one",
                f"the most is {LARGEST_MOVEMENT:,}",
            )
        return self.add(
            "gather",
            GatherAttributes(source.shape, index.astype(np.int32), what, fill, **(blend or {})),
            [source],
            index.shape,
        )

    def move(
        self, value: Value, index: np.ndarray, what: str, fill: float = 0.0, output: int = 0
    ) -> None:
        """Bind an output to values picked from `value`: `index` has the result's shape and holds
        canonical flat indices.

        A result that was seen through a transposition stays so, so that its channels stay together
        in memory.
        """
        steps = value.view.steps
        order = tuple(range(index.ndim))
        if index.ndim == 4 and steps and all(kind == "transpose" for kind, _ in steps):
            order = View((1, 2, 3, 4), steps).value_shape
            order = tuple(n - 1 for n in order)
        inner = index.transpose(np.argsort(order)) if order != tuple(range(index.ndim)) else index
        shape = (1, *canonical_shape(inner.shape))
        view = View(shape)
        if inner.shape != shape:
            view = view.then("reshape", inner.shape)
        if order != tuple(range(index.ndim)):
            view = view.then("transpose", order)
        canonical = inner.reshape(shape)[0]
        if canonical.shape == value.tensor.shape and np.array_equal(
            canonical.ravel(), np.arange(canonical.size)
        ):
            self.bind(value.tensor, view, output)
        else:
            self.bind(self.gather(value.tensor, canonical, what, fill), view, output)

    def add(
        self,
        op: str,
        attributes: Any,
        inputs: Sequence[Tensor],
        shape: Sequence[int],
        *,
        weights: Mapping[str, np.ndarray] | None = None,
        activation: Activation | None = None,
        part: str = "",
        kind: DataType | None = None,
    ) -> Tensor:
        """Append a layer and return its output tensor. `part` names a layer that is a part of what
        the node does; `kind`: the type of the result, None for that of the first input. Weights
        that are integers stay so, others become float32."""
        if any(n <= 0 for n in shape):
            raise self.unsupported(
                f"its output would have shape {list(shape)}",
                "check kernel, stride and pads against the input size",
            )
        for what, array in (weights or {}).items():
            if not np.isfinite(array).all():
                raise self.unsupported(
                    f"its {what} holds values that are not finite",
                    "train or export the network again",
                )
        numbers = (activation.alpha, activation.low, activation.high) if activation else ()
        if not all(np.isfinite(number) for number in numbers):
            raise self.unsupported(
                f"a parameter of its function is not finite: {numbers}", "export the network again"
            )
        result = self.node.output[0]
        own = self.builder.names.get(result, self.node.name)
        base = own or (result if result[:1].isalpha() else f"{self.op_type}_{result}")
        name = self.builder.unique(f"{base}_{part}" if part else base)
        name_of_result = f"{result}_{part}" if part else result
        tensor = self.builder.add_tensor(name_of_result, shape, kind or inputs[0].type)
        self.builder.layers.append(
            Layer(
                name,
                op,
                attributes,
                tuple(t.name for t in inputs),
                tensor.name,
                {k: as_stored(v) for k, v in (weights or {}).items()},
                activation,
                (self.label,),
            )
        )
        return tensor

    def bind(self, tensor: Tensor, view: View | None = None, output: int = 0) -> None:
        """Make `tensor`, seen through `view`, an output of the node."""
        self.builder.values[self.node.output[output]] = Value(
            tensor, view or View((1, *tensor.shape))
        )

    def bind_spatial(self, tensor: Tensor, shape: Sequence[int]) -> None:
        """Make `tensor` the node's first output, in canonical order with the ONNX shape `shape`."""
        view = View((1, *tensor.shape))
        self.bind(
            tensor, view if view.shape == tuple(shape) else view.then("reshape", tuple(shape))
        )

    def in_order(self, value: Value) -> Value:
        """The same value in the tensor that `canonical` gives."""
        moved, shape = self.canonical(value), value.view.value_shape
        view = View((1, *moved.shape))
        return Value(moved, view if view.shape == shape else view.then("reshape", shape))

    def packed(self, value: Value) -> Value:
        """A network input with its channels last that is read with them first, packed so by the
        host; any other value as it is."""
        is_input = any(known.tensor is value.tensor for _, known in self.builder.ports)
        return self.in_order(value) if is_input and value.view.steps == CHANNELS_FIRST else value


def as_stored(weight: np.ndarray) -> np.ndarray:
    """A weight as layers hold it: integers as they are, else float32."""
    kind = weight.dtype if np.issubdtype(weight.dtype, np.integer) else np.float32
    return np.ascontiguousarray(weight, kind)


def type_name(number: int) -> str:
    """An ONNX data type in words."""
    known = onnx.TensorProto.DataType.values()
    return (
        onnx.TensorProto.DataType.Name(number).lower()
        if number in known
        else f"number {number}, which ONNX does not know"
    )


def one_a_channel(canonical: np.ndarray) -> np.ndarray | None:
    """The number of each channel of a `(1, C, H, W)` array; None where it varies within one."""
    planes = canonical.reshape(canonical.shape[1], -1)
    if not np.array_equal(planes, np.broadcast_to(planes[:, :1], planes.shape)):
        return None
    return np.ascontiguousarray(planes[:, 0], np.float32)


def canonical_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """`(C, H, W)` for an ONNX shape; a first dimension of 1 is the batch."""
    rest = shape[1:] if shape and shape[0] == 1 else shape
    if len(rest) == 0:
        return (1, 1, 1)
    if len(rest) == 1:
        return (rest[0], 1, 1)
    if len(rest) == 2:
        return (rest[0], 1, rest[1])
    return (prod(rest[:-2]), rest[-2], rest[-1])
