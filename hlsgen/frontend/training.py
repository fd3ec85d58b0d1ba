"""Networks for training: the graph before anything is folded, and the way of its weights back into
the ONNX file.

A layer's weights lie as hardware wants them: a fully connected layer's columns follow the feature
map, a transposed convolution's filters are turned. Where each weight came from is not told by the
importers; it is found by importing the network again with every initializer replaced by the numbers
of its elements, and reading what arrives in the layers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from hlsgen.errors import UnsupportedError
from hlsgen.frontend.batch import prepare
from hlsgen.frontend.fold_pad import fold_pad
from hlsgen.frontend.load import drop_unused, import_nodes
from hlsgen.frontend.model import read_model
from hlsgen.frontend.scopes import scoped_names
from hlsgen.frontend.source import open_model
from hlsgen.graph import Graph

# Inputs of ONNX operators that training changes.
LEARNT = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gemm": (1, 2),
    "MatMul": (1,),
    "BatchNormalization": (1, 2, 3, 4),
    "PRelu": (1,),
}
# Operators whose result a bias may be added to by a node of its own.
BIASED = ("Conv", "ConvTranspose", "MatMul", "Gemm")
# Elements are numbered in float32, which holds whole numbers exactly up to 2**24; so in two digits.
DIGIT = 1 << 16


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a layer's weight comes from: its element i, flat, is element `index[i]`, flat, of
    `initializer`, or 0 where that is -1.

    `index` is None where the weight is the initializer as it is.
    """

    initializer: str
    index: np.ndarray | None

    def weight(self, array: np.ndarray) -> np.ndarray:
        """The layer's weight, flat, for a value of the initializer."""
        flat = array.ravel()
        return (
            flat
            if self.index is None
            else np.where(self.index < 0, np.float32(0), flat[self.index])
        )


@dataclass(frozen=True, eq=False)
class Trainable:
    """A network to train. `origins[layer, weight]` tells which of the graph's weights are learnt;
    `model` holds them all as initializers."""

    graph: Graph
    origins: Mapping[tuple[str, str], Origin]
    model: onnx.ModelProto

    @cached_property
    def values(self) -> dict[str, np.ndarray]:
        """The learnt initializers."""
        names = {origin.initializer for origin in self.origins.values()}
        return {
            t.name: numpy_helper.to_array(t)
            for t in self.model.graph.initializer
            if t.name in names
        }

    def restore(self, values: Mapping[str, np.ndarray]) -> onnx.ModelProto:
        """The ONNX model with other values of its learnt initializers."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for tensor in model.graph.initializer:
            if tensor.name in values:
                tensor.CopyFrom(numpy_helper.from_array(values[tensor.name], tensor.name))
        return model


def load_for_training(source: str | Path | onnx.ModelProto) -> Trainable:
    """Read a network to train it: BatchNormalization and Dropout are layers, activations too.

    Raises ModelError or UnsupportedError, the latter also for weights that reach hardware other
    than rearranged.
    """
    model = source if isinstance(source, onnx.ModelProto) else read_model(source)
    name = "network" if isinstance(source, onnx.ModelProto) else Path(source).stem
    model = with_initializers(model)
    graph = import_for_training(model, name)
    return Trainable(graph, origins(model, graph), model)


def import_for_training(model: onnx.ModelProto, name: str) -> Graph:
    """The graph of a model, nothing folded but pads."""
    graph = import_nodes(
        prepare(open_model(model)),
        re.sub(r"\W+", "_", name, flags=re.ASCII) or "network",
        scoped_names(model.graph.node),
        training=True,
    )
    return drop_unused(fold_pad(graph))


def learnt_names(model: onnx.ModelProto) -> set[str]:
    """The values that feed weights; a bias that a node of its own adds is one of them."""
    nodes = model.graph.node
    names = {
        node.input[i] for node in nodes for i in LEARNT.get(node.op_type, ()) if i < len(node.input)
    }
    products = {value for node in nodes if node.op_type in BIASED for value in node.output}
    constants = {t.name for t in model.graph.initializer}
    for node in nodes:
        if node.op_type == "Add" and products.intersection(node.input):
            names |= constants.intersection(node.input)
    return names - {""}


def with_initializers(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with weights that constant nodes compute stored as initializers instead, so that
    training can replace them."""
    missing = learnt_names(model) - {tensor.name for tensor in model.graph.initializer}
    computed = [node for node in model.graph.node if missing.intersection(node.output)]
    if not computed:
        return model
    prepared = prepare(open_model(model))
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for node in computed:
        (value,) = node.output
        if value in prepared.constants:
            result.graph.node.remove(node)
            array = np.asarray(prepared.constants[value], np.float32)
            result.graph.initializer.append(numpy_helper.from_array(array, value))
    return result


def origins(model: onnx.ModelProto, graph: Graph) -> dict[tuple[str, str], Origin]:
    """Where every learnt weight of the graph comes from. Raises UnsupportedError where that is no
    rearrangement."""
    learnt = learnt_names(model)
    arrays = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer if t.name in learnt}
    starts, total = {}, 0
    for name, array in arrays.items():
        starts[name] = total
        total += array.size
    low, high = (numbered(model, starts, graph.name, digit) for digit in (1, DIGIT))
    found: dict[tuple[str, str], Origin] = {}
    layers = {layer.name for layer in low.layers} & {layer.name for layer in high.layers}
    for layer in graph.layers:
        if layer.name not in layers:
            raise not_rearranged(
                f"layer {layer.name}", "which layers it becomes hangs on its values"
            )
        for what, weight in layer.weights.items():
            digits = [g.layer(layer.name).weights[what] for g in (low, high)]
            if not all(
                np.array_equal(digit, weight) for digit in digits
            ):  # else training leaves it alone
                number = (digits[0].astype(np.int64) + DIGIT * digits[1].astype(np.int64)).ravel()
                found[layer.name, what] = origin_of(
                    number - 1, starts, arrays, weight.ravel(), layer.name, what
                )
    for name in arrays.keys() - {origin.initializer for origin in found.values()}:
        raise not_rearranged(f"initializer {name}", "it reaches no layer as it is stored")
    return found


def numbered(model: onnx.ModelProto, starts: Mapping[str, int], name: str, digit: int) -> Graph:
    """The graph with one digit of every learnt element's number, counted from 1, in place of the
    element."""
    coded = onnx.ModelProto()
    coded.CopyFrom(model)
    for tensor in coded.graph.initializer:
        if tensor.name in starts:
            numbers = np.arange(np.prod(tensor.dims, dtype=np.int64)) + starts[tensor.name] + 1
            numbers = numbers % DIGIT if digit == 1 else numbers // DIGIT
            tensor.CopyFrom(
                numpy_helper.from_array(
                    numbers.reshape(tuple(tensor.dims)).astype(np.float32), tensor.name
                )
            )
    return import_for_training(coded, name)


def origin_of(
    number: np.ndarray,
    starts: Mapping[str, int],
    arrays: Mapping[str, np.ndarray],
    weight: np.ndarray,
    layer: str,
    what: str,
) -> Origin:
    """The initializer that these element numbers (-1: none) lie in. Raises UnsupportedError unless
    `weight` is that, rearranged."""
    used = number[number >= 0]
    name = max((n for n in starts if starts[n] <= used.min()), key=lambda n: starts[n], default="")
    if name:
        array, index = arrays[name].ravel(), np.where(number < 0, -1, number - starts[name])
        if index.max() < array.size:
            same = np.array_equal(index, np.arange(array.size))
            origin = Origin(name, None if same else index)
            if np.array_equal(origin.weight(array), weight):
                return origin
    raise not_rearranged(
        f"layer {layer}",
        f"its {what} is computed from initializers, not one of them in another order",
    )


def not_rearranged(where: str, reason: str) -> UnsupportedError:
    """The error for weights that cannot be trained."""
    remedy = (
        "only weights that are used as they are stored, in any order, can be trained; "
        "multiply factors such as Gemm's alpha in"
    )
    return UnsupportedError(reason, where=where, remedy=remedy)
