"""`load`: from an ONNX file to a normalised graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from hlsgen.errors import ModelError
from hlsgen.frontend.batch import prepare
from hlsgen.frontend.element_types import FLOAT
from hlsgen.frontend.fold_pad import fold_pad
from hlsgen.frontend.fold_preparation import fold_preparation
from hlsgen.frontend.fold_scale import fold_scale
from hlsgen.frontend.fuse_activation import fuse_activation
from hlsgen.frontend.fuse_function import fuse_function
from hlsgen.frontend.fuse_gate import fuse_gate
from hlsgen.frontend.fuse_gather import fuse_gather
from hlsgen.frontend.fuse_lookup import fuse_lookup
from hlsgen.frontend.fuse_quantised import fuse_quantised
from hlsgen.frontend.fuse_softmax import fuse_softmax
from hlsgen.frontend.model import read_model
from hlsgen.frontend.prepare import PreparedModel
from hlsgen.frontend.refusals import joined
from hlsgen.frontend.scopes import scoped_names
from hlsgen.frontend.source import open_model
from hlsgen.frontend.translate import translate
from hlsgen.graph import Graph, Layer, Port
from hlsgen.ops.broadcast import placed_constant
from hlsgen.ops.importing import GraphBuilder, NodeImporter, Value


def load(
    source: str | Path | onnx.ModelProto,
    shapes: Mapping[str, Sequence[int]] | None = None,
    name: str = "",
) -> Graph:
    """Read a network and normalise it for hardware.

    `source` is a path or a loaded model; `shapes` fixes dynamic input shapes by input name; `name`
    is the network's, else the file's. BatchNormalization is folded, bias and activation are fused,
    pads are absorbed, relabelling operators are gone. A fixed batch becomes one image where images
    do not mix. `graph.model` is the model as it was given. Raises ModelError or UnsupportedError.
    """
    model, name = read(source, name)
    return built(model, prepared(model, shapes), name)


def read(source: str | Path | onnx.ModelProto, name: str) -> tuple[onnx.ModelProto, str]:
    """A model and what its network is called. Raises ModelError."""
    model = source if isinstance(source, onnx.ModelProto) else read_model(source)
    name = name or ("network" if isinstance(source, onnx.ModelProto) else Path(source).stem)
    return model, re.sub(r"\W+", "_", name, flags=re.ASCII) or "network"


def prepared(
    model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]] | None = None
) -> PreparedModel:
    """A model, ready to be translated. Raises ModelError or UnsupportedError."""
    network = prepare(open_model(model), shapes)
    fuse_quantised(network)
    if network.alone is not None:
        fuse_quantised(network.alone)
    return network


def built(model: onnx.ModelProto, network: PreparedModel, name: str) -> Graph:
    """The graph of a model that is ready. Raises ModelError or UnsupportedError."""
    graph = import_nodes(network, name, scoped_names(model.graph.node))
    folds = (fold_pad, fold_scale, fold_preparation)
    fusions = (fuse_gate, fuse_function, fuse_lookup, fuse_softmax, fuse_gather, fuse_activation)
    for normalise in (*folds, *fusions, drop_unused):
        graph = normalise(graph)
    if not graph.layers:
        graph = with_copies(graph)
    return replace(graph, model=model)


def import_nodes(
    model: PreparedModel, name: str, names: Mapping[str, str], training: bool = False
) -> Graph:
    """Translate all nodes. What cannot be built is collected and reported together. `names` and
    `training`: see `GraphBuilder`."""
    found = translate(model, names, training)
    if not found.problems:
        return finish(found.builder, model, name)
    reading = f"model, {model.mixing}" if model.mixing else ""
    raise joined(list(found.problems.values()), reading)


def with_copies(graph: Graph) -> Graph:
    """A network that only relabels its inputs, with a layer that copies each output."""
    tensors, layers, outputs = dict(graph.tensors), [], []
    for number, port in enumerate(graph.outputs, start=1):
        copy = replace(tensors[port.tensor], name=f"t_copy_{number}")
        tensors[copy.name] = copy
        layers.append(
            Layer(
                f"copy_{number}", "activation", None, (port.tensor,), copy.name, nodes=(port.name,)
            )
        )
        outputs.append(replace(port, tensor=copy.name))
    return replace(graph, tensors=tensors, layers=tuple(layers), outputs=tuple(outputs))


def finish(builder: GraphBuilder, model: PreparedModel, name: str) -> Graph:
    """Make the graph from what the builder collected. Raises ModelError for outputs that no node
    computes."""
    outputs = []
    for output in model.outputs:
        if output in builder.constants and output not in builder.values:
            builder.values[output] = constant_output(builder, output)
        if output not in builder.values:
            raise ModelError(
                "no node computes it",
                where=f"output {output}",
                remedy="take it out of the network's outputs",
            )
        value = builder.values[output]
        kind = value.tensor.type.array
        outputs.append(Port(output, value.tensor.name, value.view, dtype=kind))
    inputs = tuple(
        Port(n, v.tensor.name, v.view, dtype=input_type(model, n)) for n, v in builder.ports
    )
    values = tuple(Port(n, v.tensor.name, v.view) for n, v in builder.values.items())
    return Graph(
        name,
        builder.tensors,
        tuple(builder.layers),
        inputs,
        tuple(outputs),
        precision=model.precision,
        values=values,
    )


def input_type(model: PreparedModel, name: str) -> str:
    """numpy's name of the type of an input."""
    if name in model.types:
        return model.types[name].array
    kind = model.integers.get(name, FLOAT)
    found: str = onnx.helper.tensor_dtype_to_np_dtype(kind).name
    return found


def constant_output(builder: GraphBuilder, output: str) -> Value:
    """An output that is a constant, as a feature map beside the first input."""
    _, beside = builder.ports[0]
    node = onnx.helper.make_node("Constant", [], [output])
    importer = NodeImporter(builder, node, f"output {output}")
    return placed_constant(importer, builder.constants[output], beside)


def drop_unused(graph: Graph) -> Graph:
    """Remove layers, inputs and tensors that no output depends on."""
    needed = {port.tensor for port in graph.outputs}
    layers = []
    for layer in reversed(graph.layers):
        if layer.output in needed:
            layers.append(layer)
            needed.update(layer.inputs)
    inputs = tuple(port for port in graph.inputs if port.tensor in needed)
    tensors = {name: tensor for name, tensor in graph.tensors.items() if name in needed}
    return replace(graph, tensors=tensors, layers=tuple(reversed(layers)), inputs=inputs)
