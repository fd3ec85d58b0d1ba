"""The compiler's own picture of a network: layers joined by tensors, one image at a time.

Every tensor is canonical: `(channels, height, width)` of one image. How an ONNX value of any rank
maps to it is kept in a `View`, so that reshapes and transposes that only relabel cost nothing in
hardware.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, wraps
from math import prod
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from hlsgen.activation import Activation
from hlsgen.host.manifest import Cut, Preparation
from hlsgen.types import FLOAT32, DataType
from hlsgen.words import counted

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True)
class Tensor:
    """One image's worth of a feature map, `(channels, height, width)`, of values of a `type`."""

    name: str
    channels: int
    height: int
    width: int
    type: DataType = FLOAT32

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(channels, height, width)`."""
        return self.channels, self.height, self.width

    @property
    def pixels(self) -> int:
        """Number of spatial positions."""
        return self.height * self.width

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.channels * self.pixels


@dataclass(frozen=True)
class View:
    """How a canonical `(1, C, H, W)` array is relabelled into an ONNX value.

    `steps` is applied in order to the canonical array; a step is `("reshape", shape)` or
    `("transpose", perm)`. `shape` is the canonical shape with its leading 1.
    """

    shape: tuple[int, ...]
    steps: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Turn a canonical array into the ONNX value."""
        for kind, argument in self.steps:
            array = array.reshape(argument) if kind == "reshape" else array.transpose(argument)
        return array

    def invert(self, array: np.ndarray) -> np.ndarray:
        """Turn an ONNX value into the canonical array of `self.shape`."""
        return self.inverse.apply(array)

    def then(self, kind: str, argument: tuple[int, ...]) -> View:
        """The view followed by one more relabelling step."""
        return View(self.shape, (*self.steps, (kind, tuple(int(a) for a in argument))))

    @cached_property
    def indices(self) -> np.ndarray:
        """The canonical flat index of every element of the ONNX value, in the value's shape."""
        return self.apply(np.arange(prod(self.shape)).reshape(self.shape))

    @cached_property
    def value_shape(self) -> tuple[int, ...]:
        """Shape of the ONNX value."""
        return tuple(self.apply(np.broadcast_to(np.int8(0), self.shape)).shape)

    @cached_property
    def inverse(self) -> View:
        """The view that leads from the ONNX value back to the canonical array."""
        steps: list[tuple[str, tuple[int, ...]]] = []
        shape = self.shape
        for kind, argument in self.steps:
            if kind == "reshape":
                steps.append(("reshape", shape))
                shape = argument
            else:
                steps.append(("transpose", tuple(int(i) for i in np.argsort(argument))))
                shape = tuple(shape[i] for i in argument)
        return View(shape, tuple(reversed(steps)))

    @cached_property
    def is_identity(self) -> bool:
        """Whether the ONNX value is the canonical array itself, in shape and order."""
        if not self.steps:
            return True
        return self.value_shape == self.shape and self.keeps_order

    @cached_property
    def keeps_order(self) -> bool:
        """Whether the elements stand in the canonical order, whatever the shape."""
        if all(kind == "reshape" for kind, _ in self.steps):
            return True
        flat = self.indices.ravel()
        return bool(np.array_equal(flat, np.arange(flat.size)))


@dataclass(frozen=True)
class Columns:
    """How the columns of a window are unfolded into channels: `count` windows of `kernel` columns.

    Channel kx * C + c of the unfolded image at column x is channel c at column x * stride + kx *
    dilation - left, zero outside.
    """

    kernel: int
    stride: int
    dilation: int
    left: int
    count: int


@dataclass(frozen=True)
class Port:
    """A network input or output: its ONNX name and how the ONNX value maps to the canonical tensor.

    Of inputs alone: `columns`, where the tensor is the canonical image with its columns unfolded;
    `dtype`, numpy's name of the type that the host takes, which float32 carries; `preparation`,
    what the host does to the ONNX value first.
    """

    name: str
    tensor: str
    view: View
    columns: Columns | None = None
    dtype: str = FLOAT32.name
    preparation: Preparation | None = None

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image's ONNX value, led by a 1 that stands for the images."""
        shape = self.view.value_shape
        return shape if shape[:1] == (1,) else (1, *shape)


@dataclass(frozen=True)
class Layer:
    """One operator instance after normalisation: what becomes a kernel or a step of an engine.

    `op` names the module in `hlsgen.ops`; `attributes` is that module's own frozen dataclass;
    `weights` maps names to float32 arrays, of which those that the operator calls `stored_weights`
    lie in memory as `weight_type`; `activation` is applied to the result; `nodes` are the ONNX
    nodes that it stands for.
    """

    name: str
    op: str
    attributes: Any
    inputs: tuple[str, ...]
    output: str
    weights: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    activation: Activation | None = None
    nodes: tuple[str, ...] = ()
    weight_type: DataType = FLOAT32

    @property
    def narrow(self) -> bool:
        """Whether its weights lie in memory in a type narrower than they are multiplied in."""
        return self.weight_type != FLOAT32


@dataclass(frozen=True)
class HostParts:
    """What the host computes of a network of which a graph is a part: ONNX models that run before
    and behind it, None where there is none, and what the manifest says of them."""

    cut: Cut
    head: Any = field(default=None, repr=False, compare=False)
    tail: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Graph:
    """A normalised network: layers in topological order and the tensors between them.

    `model` is the ONNX model it came from; designs carry it, so that they can be validated against
    it. `precision`: the floating-point types other than float32 that the model computes in.
    `values` tells of the ONNX values that the tensors hold how they do. `host_parts`: where the
    graph is a part of the model, what the host computes of it.
    """

    name: str
    tensors: Mapping[str, Tensor]
    layers: tuple[Layer, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    model: Any = field(default=None, repr=False, compare=False)
    precision: tuple[str, ...] = ()
    values: tuple[Port, ...] = field(default=(), repr=False, compare=False)
    host_parts: HostParts | None = None

    def __repr__(self) -> str:
        return f"Graph({self.name}: {counted(len(self.layers), 'layer')})"

    @cached_property
    def network(self) -> nx.MultiDiGraph:
        """The layers as a networkx graph; each edge carries the `tensor` that flows along it."""
        import networkx as nx

        network: nx.MultiDiGraph = nx.MultiDiGraph()
        for layer in self.layers:
            network.add_node(layer.name, layer=layer)
        for layer in self.layers:
            for position, name in enumerate(layer.inputs):
                if name in self.producers:
                    network.add_edge(
                        self.producers[name].name, layer.name, tensor=name, position=position
                    )
        return network

    @cached_property
    def integers(self) -> tuple[Tensor, ...]:
        """The feature maps whose values are integers."""
        return tuple(tensor for tensor in self.tensors.values() if tensor.type.integer)

    @cached_property
    def producers(self) -> dict[str, Layer]:
        """The layer that writes each tensor (network inputs have none)."""
        return {layer.output: layer for layer in self.layers}

    @cached_property
    def consumers(self) -> dict[str, tuple[Layer, ...]]:
        """The layers that read each tensor, one entry for each use."""
        found: dict[str, list[Layer]] = {name: [] for name in self.tensors}
        for layer in self.layers:
            for name in layer.inputs:
                found[name].append(layer)
        return {name: tuple(layers) for name, layers in found.items()}

    @cached_property
    def derived(self) -> dict[str, dict[Hashable, Any]]:
        """What `remembered` functions found of this graph, by function and arguments; it lives as
        long as the graph."""
        return {}

    def layer(self, name: str) -> Layer:
        """The layer called `name`. Raises KeyError."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    def input_tensors(self, layer: Layer) -> tuple[Tensor, ...]:
        """The tensors that a layer reads."""
        return tuple(self.tensors[name] for name in layer.inputs)

    def output_tensor(self, layer: Layer) -> Tensor:
        """The tensor that a layer writes."""
        return self.tensors[layer.output]


P = ParamSpec("P")
R = TypeVar("R")


def remembered(function: Callable[Concatenate[Graph, P], R]) -> Callable[Concatenate[Graph, P], R]:
    """A function of a graph and of hashable positional arguments that is worked out once: its
    results stay with the graph."""

    # a graph may go to another process with what is known of it
    name = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def wrapper(graph: Graph, /, *args: P.args, **kwargs: P.kwargs) -> R:
        known = graph.derived.get(name)
        if known is None:
            known = graph.derived[name] = {}
        key = (args, *kwargs.items()) if kwargs else args
        if key not in known:
            known[key] = function(graph, *args, **kwargs)
        found: R = known[key]
        return found

    return wrapper
