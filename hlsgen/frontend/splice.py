"""Bodies of nodes, as nodes of the graph around them: a branch of `If`, a turn of `Loop`, the
definition of one of ONNX's function operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

Names = Mapping[str, str]


def body_nodes(
    graph: onnx.GraphProto, prefix: str, given: Names
) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray], list[str]]:
    """The nodes and constants of a subgraph and the names of its results. Values inside get names
    that begin with `prefix`, its inputs those that are `given`."""
    inside = [name for node in graph.node for name in node.output if name]
    inside += [tensor.name for tensor in graph.initializer]
    names = {name: f"{prefix}/{name}" for name in inside} | dict(given)
    nodes = [renamed(node, names) for node in graph.node]
    constants = {names[t.name]: numpy_helper.to_array(t) for t in graph.initializer}
    return nodes, constants, [names.get(output.name, output.name) for output in graph.output]


def copies(sources: Sequence[str], results: Sequence[str]) -> list[onnx.NodeProto]:
    """Nodes that pass values on under other names."""
    return [
        onnx.helper.make_node("Identity", [source], [result])
        for source, result in zip(sources, results, strict=True)
        if result
    ]


def function_nodes(
    node: onnx.NodeProto, version: int, types: Sequence[onnx.TypeProto] | None
) -> list[onnx.NodeProto]:
    """A standard node in the words of its operator's definition; empty where ONNX has none at this
    version. `types`: of its inputs, None where they are not all known."""
    schema: Any = onnx.defs.get_schema(node.op_type, version, "")
    body = definition(schema, node, version, types)
    if body is None:
        return []
    names = dict(zip(body.input, (*node.input, *("",) * len(body.input)), strict=False))
    names |= {inner: outer for inner, outer in zip(body.output, node.output, strict=False) if outer}
    base = node.output[0]
    for inner in body.node:
        for name in inner.output:
            names.setdefault(name, f"{base}/{name}" if name else "")
    given = {a.name: a for a in node.attribute}
    defaults = {
        name: attribute.default_value
        for name, attribute in schema.attributes.items()
        if attribute.default_value.name
    }
    return [renamed(inner, names, {**defaults, **given}) for inner in body.node]


def definition(
    schema: Any, node: onnx.NodeProto, version: int, types: Sequence[onnx.TypeProto] | None
) -> onnx.FunctionProto | None:
    """The definition of an operator at an opset: the latest one up to it, else the first after it
    if its words mean the same before."""
    plain = schema.function_opset_versions
    by_types = schema.context_dependent_function_opset_versions if types is not None else []
    earlier = [v for v in (*plain, *by_types) if v <= version]
    chosen = max(earlier) if earlier else min((*plain, *by_types), default=0)
    if chosen in plain:
        content = schema.get_function_with_opset_version(chosen)
    elif chosen in by_types and types is not None:
        content = schema.get_context_dependent_function_with_opset_version(
            chosen, node.SerializeToString(), [t.SerializeToString() for t in types]
        )
    else:
        return None
    body = onnx.FunctionProto.FromString(content)
    same = chosen <= version or all(
        onnx.defs.has(inner.op_type, version)
        and since(inner.op_type, version) == since(inner.op_type, chosen)
        for inner in body.node
    )
    return body if same else None


def since(op_type: str, version: int) -> int:
    """The opset in which an operator became what it is at a version."""
    found: int = onnx.defs.get_schema(op_type, version, "").since_version
    return found


def renamed(
    node: onnx.NodeProto, names: Names, attributes: Mapping[str, onnx.AttributeProto] | None = None
) -> onnx.NodeProto:
    """A copy of a node under other names of values, in its subgraphs too. `attributes`: what
    references to a function's attributes stand for; those of absent ones are left out."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for field in (copy.input, copy.output):
        field[:] = [names.get(name, name) for name in field]
    del copy.attribute[:]
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            copy.attribute.append(attribute)
        elif attributes and attribute.ref_attr_name in attributes:
            copy.attribute.append(attributes[attribute.ref_attr_name])
            copy.attribute[-1].name = attribute.name
    for attribute in copy.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            rename_inside(graph, names, attributes)
    return copy


def rename_inside(
    graph: onnx.GraphProto, names: Names, attributes: Mapping[str, onnx.AttributeProto] | None
) -> None:
    """The same for the nodes and results of a subgraph, in place."""
    nodes = [renamed(inner, names, attributes) for inner in graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    for output in graph.output:
        output.name = names.get(output.name, output.name)
