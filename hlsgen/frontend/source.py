"""A network as it is taken in: a small skeleton and its constants beside it, without what no output
needs and without functions of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import inliner, numpy_helper

from hlsgen.errors import ModelError, UnsupportedError
from hlsgen.frontend.model import OLDEST_OPSET, first_line, opset_of

# Constants above this size are taken out of the protobuf while ONNX's checker and converter work on
# it.
LARGE_CONSTANT = 1024
# The domain of nodes that ONNX's tools must pass over: they call for operators that the network's
# opset lacks.
UNKNOWN_DOMAIN = "unknown"
STANDARD = ("", "ai.onnx")


@dataclass(frozen=True)
class Source:
    """`skeleton` is the model with each large constant declared as an input of that shape, so that
    checker, converter and shape inference handle a few kilobytes in place of all weights;
    `constants` are the arrays of all initializers by name."""

    skeleton: onnx.ModelProto
    constants: dict[str, np.ndarray]


def open_model(model: onnx.ModelProto) -> Source:
    """Take a model in; it is not changed itself. Raises ModelError or UnsupportedError for what no
    pass can repair."""
    refuse_structure(model)
    skeleton, constants = detach_constants(model)
    if skeleton.functions:
        skeleton = inlined(skeleton)
    mark_unknown(skeleton)
    drop_dead(skeleton.graph)
    return Source(skeleton, constants)


def refuse_structure(model: onnx.ModelProto) -> None:
    """Raise for files without a network, and for old opsets."""
    if not model.graph.node:
        raise ModelError(
            "it holds no nodes: this is not an ONNX network",
            where="model",
            remedy="export the network again",
        )
    if not model.graph.output:
        raise ModelError(
            "the network has no outputs", where="model", remedy="export the network again"
        )
    version = opset_of(model)
    if version < OLDEST_OPSET:
        raise UnsupportedError(
            f"opset {version} is older than {OLDEST_OPSET}",
            where="model",
            remedy="export the network with a newer opset",
        )
    for function in model.functions:
        domain = "" if function.domain in STANDARD else function.domain
        if onnx.defs.has(function.name, domain=domain):
            raise ModelError(
                f"its function {function.name} has the name of one of ONNX's operators: which one "
                "is meant is for every program to guess",
                where="model",
                remedy="rename the function, or take it out",
            )


def detach_constants(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Skeleton and constants of a model, as `Source` holds them. Raises ModelError."""
    constants: dict[str, np.ndarray] = {}
    skeleton = onnx.ModelProto()
    skeleton.ir_version = max(
        model.ir_version, 8
    )  # before 4, initializers had to be graph inputs too
    skeleton.opset_import.extend(model.opset_import)
    skeleton.functions.extend(model.functions)
    graph = skeleton.graph
    graph.name = model.graph.name or "network"
    graph.node.extend(model.graph.node)
    graph.output.extend(model.graph.output)
    initialised = {tensor.name for tensor in model.graph.initializer}
    initialised |= {tensor.values.name for tensor in model.graph.sparse_initializer}
    graph.input.extend(i for i in model.graph.input if i.name not in initialised)
    for tensor in (*model.graph.initializer, *map(dense, model.graph.sparse_initializer)):
        try:
            array = numpy_helper.to_array(tensor)
        except Exception as error:
            raise ModelError(
                f"its data do not fit its shape ({first_line(error)})",
                where=f"initializer {tensor.name}",
                remedy="export the network again",
            ) from None
        if array.nbytes < LARGE_CONSTANT:
            graph.initializer.append(tensor)
        else:
            graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, array.shape)
            )
        constants[tensor.name] = array
    return skeleton, constants


def dense(sparse: onnx.SparseTensorProto) -> onnx.TensorProto:
    """A sparse initializer with its zeros written out. Raises ModelError."""
    name, shape = sparse.values.name, tuple(sparse.dims)
    try:
        array = np.zeros(shape, numpy_helper.to_array(sparse.values).dtype)
        places = numpy_helper.to_array(sparse.indices)
        at = places if places.ndim == 1 else np.ravel_multi_index(tuple(places.T), shape)
        array.reshape(-1)[at] = numpy_helper.to_array(sparse.values)
    except Exception as error:
        raise ModelError(
            f"its places do not fit its shape ({first_line(error)})",
            where=f"initializer {name}",
            remedy="export the network again",
        ) from None
    return numpy_helper.from_array(array, name)


def inlined(skeleton: onnx.ModelProto) -> onnx.ModelProto:
    """The skeleton with calls of its own functions replaced by their nodes. Raises ModelError."""
    try:
        return inliner.inline_local_functions(skeleton)
    except Exception as error:
        raise ModelError(
            f"its functions cannot be inlined ({first_line(error)})",
            where="model",
            remedy="export the network without functions of its own",
        ) from None


def mark_unknown(skeleton: onnx.ModelProto) -> None:
    """Move nodes whose operator the network's opset lacks into a domain that ONNX's tools pass
    over: they are refused with all others that cannot be built."""
    version = min(opset_of(skeleton), onnx.defs.onnx_opset_version())
    marked = False
    for node in skeleton.graph.node:
        if node.domain in STANDARD and not onnx.defs.has(node.op_type, version):
            node.domain, marked = UNKNOWN_DOMAIN, True
    if marked:
        skeleton.opset_import.append(onnx.helper.make_opsetid(UNKNOWN_DOMAIN, 1))


def drop_dead(graph: onnx.GraphProto) -> None:
    """Remove nodes, inputs and initializers that no output depends on, in place.

    A graph whose outputs no node computes stays as it is.
    """
    outputs = [output.name for output in graph.output]
    nodes = live_nodes(graph.node, outputs)
    if not nodes:
        return
    needed = set(outputs).union(*map(names_read, nodes))
    if len(nodes) < len(graph.node):
        kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(kept)
    for field in (graph.input, graph.initializer):
        for place in reversed(range(len(field))):
            if field[place].name not in needed:
                del field[place]


def live_nodes(nodes: Sequence[onnx.NodeProto], outputs: Iterable[str]) -> list[onnx.NodeProto]:
    """Of nodes in topological order those that outputs depend on."""
    needed, found = set(outputs), []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            found.append(node)
            needed.update(names_read(node))
    return found[::-1]


def names_read(node: onnx.NodeProto) -> set[str]:
    """The values that a node reads, those of its subgraphs included."""
    names = set(node.input) - {""}  # of inputs that are left out
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            names.update(
                *(names_read(inner) for inner in graph.node),
                (output.name for output in graph.output),
            )
    return names
