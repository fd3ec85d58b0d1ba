"""`load`: from an ONNX file to a normalised graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from hlsgen.errors import HlsgenError, ModelError, UnsupportedError
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
from hlsgen.frontend.fuse_quantised import CONTRIBUTED, fuse_quantised
from hlsgen.frontend.model import read_model
from hlsgen.frontend.prepare import PreparedModel
from hlsgen.frontend.refusals import REASONS, MissingOperator, joined
from hlsgen.frontend.scopes import scoped_names
from hlsgen.frontend.source import STANDARD, UNKNOWN_DOMAIN, open_model
from hlsgen.graph import Graph, Layer, Port
from hlsgen.ops import onnx_importers
from hlsgen.ops.broadcast import placed_constant
from hlsgen.ops.importing import GraphBuilder, NodeImporter, Value

# Values at which a part that can be built is said to end.
MOST_ENDS = 4


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
    model = source if isinstance(source, onnx.ModelProto) else read_model(source)
    name = name or ("network" if isinstance(source, onnx.ModelProto) else Path(source).stem)
    prepared = prepare(open_model(model), shapes)
    fuse_quantised(prepared)
    name = re.sub(r"\W+", "_", name, flags=re.ASCII) or "network"
    graph = import_nodes(prepared, name, scoped_names(model.graph.node))
    folds = (fold_pad, fold_scale, fold_preparation)
    fusions = (fuse_gate, fuse_function, fuse_lookup, fuse_gather, fuse_activation)
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
    used = {value for node in model.nodes for value in node.input} | set(model.outputs)
    builder = GraphBuilder(model.constants, model.inputs, used, training, names, model.types)
    problems: list[HlsgenError] = []
    for node in model.nodes:
        if any(n not in builder.values and n not in builder.constants for n in node.input if n):
            # Its inputs come from a node that was refused; of its own an operator that is missing
            # alone can be told.
            problems += missing(node, model.label(node))
            continue
        try:
            import_node(node, model, builder)
        except UnsupportedError as error:
            problems.append(error)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            problems.append(
                UnsupportedError(
                    f"its attributes or shapes make no sense ({error})", where=model.label(node)
                )
            )
    if not problems:
        return finish(builder, model, name)
    reading = f"model, {model.mixing}" if model.mixing else ""
    raise joined(problems, reading, buildable_part(model, builder))


def buildable_part(model: PreparedModel, builder: GraphBuilder) -> str:
    """How to cut the part out that can be built, up to the values that others need or that are
    results; empty where that has no weights or ends in many places."""
    left = {
        name for node in model.nodes if node.output[0] not in builder.values for name in node.input
    } | set(model.outputs)
    ends = [name for name in builder.values if name in left and name not in model.inputs]
    weighty = any(layer.weights for layer in builder.layers)
    if not weighty or not 0 < len(ends) <= MOST_ENDS or model.labels.keys() & set(ends):
        return ""
    return f"onnx.utils.extract_model(MODEL, PART, {list(model.inputs)}, {ends})"


def import_node(node: onnx.NodeProto, model: PreparedModel, builder: GraphBuilder) -> None:
    """Translate one node. Raises UnsupportedError."""
    label = model.label(node)
    if node.output[0] in model.refused:
        raise model.refused[node.output[0]]
    for problem in missing(node, label):
        raise problem
    importer = onnx_importers()[node.op_type]
    importer.import_node(NodeImporter(builder, node, label, importer.types))


def missing(node: onnx.NodeProto, label: str) -> list[MissingOperator]:
    """What is wrong with a node whose operator no module imports."""
    importer = onnx_importers().get(node.op_type)
    domains: tuple[str, ...] = STANDARD
    if importer is not None and node.op_type in importer.contributed:
        domains = (CONTRIBUTED,)
    if importer is not None and node.domain in domains:
        return []
    prefix = "" if node.domain in (*STANDARD, UNKNOWN_DOMAIN) else f"{node.domain}."
    reason = f", {REASONS[node.op_type]}" if node.op_type in REASONS else ""
    text = f"operator {prefix}{node.op_type} is not supported{reason}"
    return [MissingOperator(text, where=label)]


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
