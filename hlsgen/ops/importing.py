"""What an operator module sees of an ONNX node, and how it adds layers to the graph being built."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from hlsgen.activation import Activation
from hlsgen.errors import UnsupportedError
from hlsgen.graph import Layer, Tensor, View
from hlsgen.ops.reserved import RESERVED


@dataclass(frozen=True)
class Value:
    """An ONNX value that is computed at run time: its canonical tensor and how it is relabelled."""

    tensor: Tensor
    view: View


class GraphBuilder:
    """Collects tensors and layers while the ONNX nodes are imported in order."""

    def __init__(
        self, constants: dict[str, np.ndarray], inputs: Mapping[str, tuple[int, ...]], used: Collection[str] = ()
    ):
        self.constants = constants
        self.used = frozenset(used)  # names of values that some node or output of the network reads
        self.values: dict[str, Value] = {}
        self.tensors: dict[str, Tensor] = {}
        self.layers: list[Layer] = []
        self.ports: list[tuple[str, Value]] = []
        self._names: set[str] = set(RESERVED)
        for name, shape in inputs.items():
            self.values[name] = self._input(name, shape)

    def _input(self, name: str, shape: tuple[int, ...]) -> Value:
        canonical = canonical_shape(shape)
        tensor = self.add_tensor(name, canonical)
        view = View((1, *canonical))
        if view.value_shape != shape:
            view = view.then("reshape", shape)
        value = Value(tensor, view)
        self.ports.append((name, value))
        return value

    def rebase_input(self, value: Value) -> Value | None:
        """A further canonical form of a network input, in the order its consumer wants; None for other tensors."""
        for name, known in self.ports:
            if known.tensor.name != value.tensor.name or len(value.view.value_shape) != 4:
                continue
            wanted = value.view.value_shape
            if wanted[0] != 1:
                return None
            # wanted = value.view(canonical); raw = known.view(canonical): so raw = known.view(inverse(value.view)(wanted)).
            steps = (*value.view.inverse.steps, *known.view.steps)
            tensor = self.add_tensor(name, wanted[1:])
            self.ports.append((name, Value(tensor, View(wanted, steps))))
            return Value(tensor, View(wanted))
        return None

    def unique(self, name: str) -> str:
        """A C identifier that resembles `name` and that nothing else in this network uses."""
        base = re.sub(r"[^0-9a-zA-Z_]+", "_", name).strip("_").lower()[:48] or "layer"
        if base[0].isdigit() or keyword.iskeyword(base):
            base = f"layer_{base}"
        candidate, count = base, 1
        while candidate in self._names:
            count += 1
            candidate = f"{base}_{count}"
        self._names.add(candidate)
        return candidate

    def add_tensor(self, name: str, shape: Sequence[int]) -> Tensor:
        """A new tensor of canonical `(C, H, W)` shape, under a unique name derived from `name`."""
        tensor = Tensor(self.unique(f"t_{name}"), *(int(n) for n in shape))
        self.tensors[tensor.name] = tensor
        return tensor


class NodeImporter:
    """One ONNX node together with the graph under construction."""

    def __init__(self, builder: GraphBuilder, node: onnx.NodeProto, label: str):
        self.builder, self.node, self.label = builder, node, label
        self.attributes: dict[str, Any] = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}

    @property
    def op_type(self) -> str:
        """The ONNX operator type."""
        return self.node.op_type

    def unsupported(self, reason: str, remedy: str = "") -> UnsupportedError:
        """An error that names this node."""
        return UnsupportedError(reason, where=self.label, remedy=remedy)

    def need_one_output(self) -> None:
        """Raise UnsupportedError when something reads an output other than the first."""
        if self.builder.used.intersection(filter(None, self.node.output[1:])):
            raise self.unsupported("its further outputs are used", "only the first output is computed")

    def attribute(self, name: str, default: Any) -> Any:
        """An ONNX attribute, with bytes decoded and lists as tuples."""
        value = self.attributes.get(name, default)
        if isinstance(value, bytes):
            return value.decode()
        return tuple(value) if isinstance(value, list) else value

    def input_name(self, index: int) -> str | None:
        """The ONNX name of an input; None where it is absent."""
        if index >= len(self.node.input) or not self.node.input[index]:
            return None
        return self.node.input[index]

    def constant(self, index: int) -> np.ndarray | None:
        """The constant that input `index` is bound to, or None."""
        name = self.input_name(index)
        return None if name is None else self.builder.constants.get(name)

    def need_constant(self, index: int, what: str) -> np.ndarray:
        """The constant at input `index`. Raises UnsupportedError when it is computed at run time."""
        value = self.constant(index)
        if value is None:
            raise self.unsupported(
                f"its {what} is not a constant",
                "store it as an initializer; weights computed at run time are not supported",
            )
        return value

    def value(self, index: int) -> Value:
        """The run-time value at input `index`. Raises UnsupportedError for a constant."""
        name = self.input_name(index)
        if name is None or name not in self.builder.values:
            raise self.unsupported(f"input {index} is a constant where a feature map is needed")
        return self.builder.values[name]

    def nchw(self, index: int) -> Tensor:
        """The tensor at input `index` as canonical NCHW. Raises UnsupportedError if its data would have to be moved."""
        value = self.value(index)
        shape = value.view.value_shape
        if len(shape) != 4:
            raise self.unsupported(
                f"input has shape {list(shape)}; {self.op_type} is supported on (1, C, H, W) alone",
                "reshape the input to four dimensions (a one-dimensional signal as height 1)",
            )
        return self.canonical(value)

    def canonical(self, value: Value) -> Tensor:
        """The tensor whose canonical array is the four-dimensional ONNX value itself.

        A network input is simply packed differently by the host; any other tensor must already be in that order,
        else UnsupportedError is raised.
        """
        if value.view.is_identity:
            return value.tensor
        rebased = self.builder.rebase_input(value)
        if rebased is None:
            raise self.unsupported(
                "its input was transposed or reshaped in a way that moves data",
                "remove the Transpose or Reshape before it, or keep the network in one layout",
            )
        return rebased.tensor

    def add(
        self,
        op: str,
        attributes: Any,
        inputs: Sequence[Tensor],
        shape: Sequence[int],
        *,
        weights: Mapping[str, np.ndarray] | None = None,
        activation: Activation | None = None,
    ) -> Tensor:
        """Append a layer and return its output tensor."""
        if any(n <= 0 for n in shape):
            raise self.unsupported(
                f"its output would have shape {list(shape)}", "check kernel, stride and pads against the input size"
            )
        result = self.node.output[0]
        name = self.builder.unique(self.node.name or (result if result[:1].isalpha() else f"{self.op_type}_{result}"))
        tensor = self.builder.add_tensor(self.node.output[0], shape)
        self.builder.layers.append(
            Layer(
                name,
                op,
                attributes,
                tuple(t.name for t in inputs),
                tensor.name,
                {k: np.ascontiguousarray(v, np.float32) for k, v in (weights or {}).items()},
                activation,
                (self.label,),
            )
        )
        return tensor

    def bind(self, tensor: Tensor, view: View | None = None) -> None:
        """Make `tensor`, seen through `view`, the node's first output."""
        self.builder.values[self.node.output[0]] = Value(tensor, view or View((1, *tensor.shape)))

    def per_channel(self, constant: np.ndarray, value: Value) -> np.ndarray:
        """A constant that broadcasts against `value`, as one number a channel `(C,)`.

        Raises UnsupportedError when it varies within a channel or would enlarge the value.
        """
        shape = value.view.value_shape
        try:
            full = np.broadcast_to(constant, shape)
        except ValueError:
            raise self.unsupported(f"a constant of shape {list(constant.shape)} would enlarge {list(shape)}") from None
        channels = value.tensor.channels
        if constant.size == 1:
            return np.full(channels, constant.ravel()[0], np.float32)
        canonical = value.view.invert(full).reshape(channels, -1)
        if not np.array_equal(canonical, np.broadcast_to(canonical[:, :1], canonical.shape)):
            raise self.unsupported("its constant varies within a channel", "use one value a channel, or one in all")
        return np.ascontiguousarray(canonical[:, 0], np.float32)


def canonical_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """`(C, H, W)` for an ONNX shape whose first dimension is the batch of 1."""
    rest = shape[1:] if shape else ()
    if len(rest) == 0:
        return (1, 1, 1)
    if len(rest) == 1:
        return (rest[0], 1, 1)
    if len(rest) == 2:
        return (rest[0], 1, rest[1])
    return (int(np.prod(rest[:-2])), rest[-2], rest[-1])
