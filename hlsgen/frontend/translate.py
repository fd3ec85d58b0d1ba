"""Nodes of ONNX to layers, one after another, and what keeps a node from that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import onnx

from hlsgen.errors import HlsgenError, UnsupportedError
from hlsgen.frontend.fuse_quantised import CONTRIBUTED
from hlsgen.frontend.prepare import PreparedModel
from hlsgen.frontend.refusals import REASONS, MissingOperator
from hlsgen.frontend.source import STANDARD, UNKNOWN_DOMAIN
from hlsgen.graph import Layer
from hlsgen.ops import onnx_importers
from hlsgen.ops.importing import GraphBuilder, NodeImporter


@dataclass
class Translation:
    """What became of the nodes of a network, each known by its first output: `layers` of those that
    were translated, `problems` of those that cannot be, and those `untold` that read their
    results."""

    builder: GraphBuilder
    layers: dict[str, list[Layer]] = field(default_factory=dict)
    problems: dict[str, HlsgenError] = field(default_factory=dict)
    untold: set[str] = field(default_factory=set)


def translate(
    model: PreparedModel,
    names: Mapping[str, str],
    training: bool = False,
    assumed: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
) -> Translation:
    """Translate what can be. Of values that cannot be had, those `assumed`, with their shapes, are
    taken for inputs, so that the nodes behind them are judged too."""
    used = {value for node in model.nodes for value in node.input} | set(model.outputs)
    builder = GraphBuilder(model.constants, model.inputs, used, training, names, model.types)
    found = Translation(builder)
    for node in model.nodes:
        result, before = node.output[0], len(builder.layers)
        if any(n not in builder.values and n not in builder.constants for n in node.input if n):
            # Its inputs come from a node that was refused; of its own an operator that is missing
            # alone can be told.
            found.untold.add(result)
            for lack in missing(node, model.label(node)):
                found.problems[result] = lack
        elif problem := refusal(node, model, builder):
            found.problems[result] = problem
        else:
            found.layers[result] = builder.layers[before:]
            continue
        for output in node.output:
            if output in assumed:
                builder.assume(output, assumed[output])
    return found


def refusal(
    node: onnx.NodeProto, model: PreparedModel, builder: GraphBuilder
) -> HlsgenError | None:
    """Translate one node; what keeps it from that, if anything does."""
    try:
        import_node(node, model, builder)
    except UnsupportedError as error:
        return error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return UnsupportedError(
            f"its attributes or shapes make no sense ({error})", where=model.label(node)
        )
    return None


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
