"""`load`: from an ONNX file to a normalised graph."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from hlsgen.errors import ModelError, UnsupportedError
from hlsgen.frontend.batch import prepare
from hlsgen.frontend.fold_pad import fold_pad
from hlsgen.frontend.fold_scale import fold_scale
from hlsgen.frontend.fuse_activation import fuse_activation
from hlsgen.frontend.fuse_gate import fuse_gate
from hlsgen.frontend.fuse_gather import fuse_gather
from hlsgen.frontend.model import PreparedModel, node_label, read_model, without_dead_nodes
from hlsgen.graph import Graph, Layer, Port
from hlsgen.ops import onnx_importers
from hlsgen.ops.importing import GraphBuilder, NodeImporter


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
    needed = without_dead_nodes(model)
    refuse_unknown(needed.graph.node, [tensor.name for tensor in needed.graph.initializer])
    prepared = prepare(needed, shapes)
    graph = import_nodes(prepared, re.sub(r"\W+", "_", name, flags=re.ASCII) or "network")
    for normalise in (fold_pad, fold_scale, fuse_gate, fuse_gather, fuse_activation, drop_unused):
        graph = normalise(graph)
    if not graph.layers:
        graph = with_copies(graph)
    return replace(graph, model=model)


def import_nodes(model: PreparedModel, name: str, training: bool = False) -> Graph:
    """Translate all nodes. Unsupported ones are collected and reported together. `training`: see
    `GraphBuilder`."""
    importers = onnx_importers()
    refuse_unknown(model.nodes, model.constants)
    labels = [node_label(node) for node in model.nodes]
    used = {value for node in model.nodes for value in node.input} | set(model.outputs)
    builder = GraphBuilder(model.constants, model.inputs, used, training)
    problems: list[str] = []
    wanted: set[str] = set()
    for node, label in zip(model.nodes, labels, strict=True):
        if any(n not in builder.values and n not in builder.constants for n in node.input if n):
            continue  # fed by a node that was refused already
        try:
            if node.op_type not in importers:
                raise UnsupportedError("its result is not known while compiling", where=label)
            importers[node.op_type].import_node(NodeImporter(builder, node, label))
        except UnsupportedError as error:
            problems.append(str(error))
            wanted |= error.needs_constant
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            problems.append(f"{label}: its attributes or shapes make no sense ({error})")
    if problems:
        raise unsupported_nodes(problems, wanted, f"model, {model.mixing}" if model.mixing else "")
    return finish(builder, model, name)


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


def refuse_unknown(nodes: Iterable[onnx.NodeProto], constants: Collection[str]) -> None:
    """Raise one UnsupportedError that lists every node whose operator no module imports.

    Nodes that can be evaluated while compiling (all inputs known, or Shape of a static value) are
    no problem.
    """
    importers, known, unknown = onnx_importers(), set(constants), []
    for node in nodes:
        standard = node.domain in ("", "ai.onnx") and onnx.defs.has(node.op_type)
        if standard and (
            node.op_type == "Shape" or all(name in known for name in node.input if name)
        ):
            known.update(node.output)
        elif not standard or node.op_type not in importers:
            prefix = "" if node.domain in ("", "ai.onnx") else f"{node.domain}."
            unknown.append(f"{node_label(node)}: operator {prefix}{node.op_type}")
    if unknown:
        raise unsupported_nodes(unknown)


def unsupported_nodes(
    problems: list[str], wanted: Collection[str] = (), where: str = ""
) -> UnsupportedError:
    """One error that lists every node that cannot be built. `wanted`: values that should have been
    constants."""
    if len(problems) == 1 and "\n" in problems[0]:
        return UnsupportedError(problems[0], where=where, needs_constant=wanted)
    listing = "\n".join(f"  - {p}" for p in problems)
    return UnsupportedError(
        f"{len(problems)} node(s) of the network are not supported:\n{listing}",
        where=where,
        remedy="change or replace them; supported ONNX operators: "
        f"{', '.join(sorted(onnx_importers()))}",
        needs_constant=wanted,
    )


def finish(builder: GraphBuilder, model: PreparedModel, name: str) -> Graph:
    """Make the graph from what the builder collected. Raises ModelError for outputs that are not
    computed."""
    outputs = []
    for output in model.outputs:
        if output not in builder.values:
            raise ModelError(
                "it is a constant, or no node computes it",
                where=f"output {output}",
                remedy="take it out of the network's outputs",
            )
        value = builder.values[output]
        outputs.append(Port(output, value.tensor.name, value.view))
    if not outputs:
        raise ModelError(
            "the network has no outputs", where="model", remedy="export the network again"
        )
    inputs = tuple(Port(n, v.tensor.name, v.view) for n, v in builder.ports)
    return Graph(name, builder.tensors, tuple(builder.layers), inputs, tuple(outputs))


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
