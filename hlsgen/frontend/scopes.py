"""What layers are called: by the modules of the program that a network was exported from, where the
file tells of them."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence

import onnx

# Where PyTorch's exporter by torch.export keeps the modules that a node is in, from the outermost.
SCOPES = "pkg.torch.onnx.name_scopes"


def scoped_names(nodes: Sequence[onnx.NodeProto]) -> dict[str, str]:
    """Names such as `b.0.b1`, by a node's first output, for nodes of PyTorch's exporters: the
    module, with the operator where it computes several nodes."""
    scopes = {
        node.output[0]: scope
        for node in nodes
        if node.output and node.op_type != "Constant" and (scope := scope_of(node))
    }
    inside = Counter(outer for scope in scopes.values() for outer in enclosing(scope))
    kinds = {node.output[0]: node.op_type for node in nodes if node.output}
    return {
        value: scope if inside[scope] == 1 else f"{scope}.{kinds[value]}"
        for value, scope in scopes.items()
    }


def scope_of(node: onnx.NodeProto) -> str:
    """The module that a node is in, empty where the file does not tell."""
    told = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), "")
    if told:
        return last_scope(told)
    parts = node.name.split("/")
    # The older exporter's names: /layer1/layer1.0/conv1/Conv, perhaps numbered.
    if len(parts) < 3 or parts[0] or not re.fullmatch(rf"{node.op_type}(_\d+)?", parts[-1]):
        return ""
    scope = ""
    for part in parts[1:-1]:
        scope = part if not scope or part.startswith(f"{scope}.") else f"{scope}.{part}"
    return scope


def last_scope(told: str) -> str:
    """The innermost module of a list of scopes, whose last is the node itself."""
    try:
        scopes = ast.literal_eval(told)
        return str(scopes[-2]) if len(scopes) > 1 else ""
    except (ValueError, SyntaxError, TypeError):
        return ""


def enclosing(scope: str) -> list[str]:
    """A module and those that it is in."""
    parts = scope.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
