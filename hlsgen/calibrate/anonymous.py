"""A comparison that its owner can send: nothing in it names their network, layers, tensors or
files."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hlsgen.boards import board_names
from hlsgen.calibrate.comparison import Comparison
from hlsgen.graph import Graph
from hlsgen.version import __version__

FORMAT = 1


def anonymous(compared: Comparison, style: str, graph: Graph, board: str) -> dict[str, Any]:
    """What is compared, with kernels numbered by what they compute. Names that are hlsgen's own, of
    other kernels and of arrays, stay where nothing in them is called like something of the
    network."""
    owned = owned_names(graph)
    kernels = kernel_labels(compared, graph, owned)
    data = compared.to_dict()
    for area in data["areas"]:
        area["kernel"] = kernels[area["kernel"]]
    for check in data["checks"]:
        check["kernel"] = kernels.get(check["kernel"], "")
        check["what"] = "array" if contains(check["what"], owned) else check["what"]
    return {
        "format": FORMAT,
        "hlsgen": __version__,
        "board": board if board in board_names() else "a board file",
        "style": style,
        **data,
    }


def kernel_labels(compared: Comparison, graph: Graph, owned: set[str]) -> dict[str, str]:
    """A label for each kernel of both sides: the operator where it is a layer's, else its own name
    or "kernel"; with a number unless it is a name."""
    operators = {layer.name: layer.op for layer in graph.layers}
    counts: Counter[str] = Counter()
    labels = {}
    for name in dict.fromkeys(check.kernel for check in compared.checks if check.kernel):
        if name not in operators and not contains(name, owned):
            labels[name] = name
            continue
        kind = operators.get(name, "kernel")
        counts[kind] += 1
        labels[name] = f"{kind} {counts[kind]}"
    return labels


def owned_names(graph: Graph) -> set[str]:
    """Everything of a network that its owner named."""
    ports = {port.name for port in (*graph.inputs, *graph.outputs)}
    tensors = {name.removeprefix("t_") for name in graph.tensors}
    return {graph.name, *(layer.name for layer in graph.layers), *ports, *tensors} - {""}


def contains(name: str, owned: set[str]) -> bool:
    """Whether something of the network is part of a name."""
    return any(part in name for part in owned)
