"""Moves a Transpose up to the network's input, or another Transpose, through what prepares pictures
value by value: there it costs nothing, since the host packs an input in any order, and what follows
finds its channels.

Transpose(Sub(Div(x, 255), mean)) -> Sub(Div(Transpose(x), 255), Transpose(mean))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx

# Operators that work value by value, and broadcast constants.
EACH = frozenset(("Add", "Cast", "Clip", "Div", "Identity", "Mul", "Sub"))


def hoist_transposes(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    inputs: Mapping[str, int],
    outputs: Collection[str],
) -> list[onnx.NodeProto]:
    """The nodes with every such Transpose at its input; constants that were turned are added.
    `inputs`: the network's, with their ranks."""
    ends = dict(inputs)
    ends |= {n.output[0]: len(order_of(n, ())) for n in nodes if n.op_type == "Transpose"}
    readers = Counter(name for node in nodes for name in node.input)
    readers.update(outputs)
    producers = {node.output[0]: node for node in nodes}
    found: dict[str, list[onnx.NodeProto]] = {}
    gone: set[str] = set()
    for node in nodes:
        if node.op_type != "Transpose":
            continue
        chain = chain_above(node, producers, readers, constants, ends)
        if chain:
            rank = ends[runtime_input(chain[0], constants)]
            order = order_of(node, tuple(reversed(range(rank))))
            found[chain[0].output[0]] = turned(node, chain, order, constants)
            gone |= {link.output[0] for link in (*chain[1:], node)}
    result = []
    for node in nodes:
        if node.output[0] not in gone:
            result += found.get(node.output[0], [node])
    return result


def order_of(node: onnx.NodeProto, default: tuple[int, ...]) -> tuple[int, ...]:
    """The order of axes that a Transpose gives."""
    return next((tuple(a.ints) for a in node.attribute if a.name == "perm"), default)


def runtime_input(node: onnx.NodeProto, constants: Collection[str]) -> str:
    """The one input of a node that is no constant; empty where there are several."""
    names = [name for name in node.input if name and name not in constants]
    return names[0] if len(names) == 1 else ""


def chain_above(
    node: onnx.NodeProto,
    producers: Mapping[str, onnx.NodeProto],
    readers: Mapping[str, int],
    constants: Mapping[str, np.ndarray],
    inputs: Mapping[str, int],
) -> list[onnx.NodeProto]:
    """The nodes from an input of the network, or a Transpose, to a Transpose, in order; none where
    another reads between them, or one of them does more than work value by value. `inputs`: where
    to end, with ranks, 0 where a rank is not known."""
    chain: list[onnx.NodeProto] = []
    name = node.input[0]
    while name not in inputs:
        above = producers.get(name)
        if above is None or above.op_type not in EACH or readers[name] != 1:
            return []
        chain.append(above)
        name = runtime_input(above, constants)
    ranks = [constants[n].ndim for link in chain for n in link.input if n in constants]
    return chain[::-1] if max(ranks, default=0) <= inputs[name] > 0 else []


def turned(
    node: onnx.NodeProto,
    chain: Sequence[onnx.NodeProto],
    order: tuple[int, ...],
    constants: dict[str, np.ndarray],
) -> list[onnx.NodeProto]:
    """The Transpose first, then the chain, whose last result is the Transpose's."""
    current = f"{node.output[0]}/turned"
    result: list[onnx.NodeProto] = []
    for place, link in enumerate(chain):
        copy = onnx.NodeProto()
        copy.CopyFrom(link)
        for at, name in enumerate(link.input):
            if name in constants and constants[name].size > 1:
                array = constants[name]
                whole = array.reshape((1,) * (len(order) - array.ndim) + array.shape)
                copy.input[at] = f"{current}/{at}"
                constants[copy.input[at]] = whole.transpose(order)
            elif name and name not in constants:
                copy.input[at] = current
        if not result:
            source = runtime_input(link, constants)
            result.append(
                onnx.helper.make_node("Transpose", [source], [current], node.name, perm=order)
            )
        current = f"{node.output[0]}/{place}" if place < len(chain) - 1 else node.output[0]
        copy.output[0] = current
        result.append(copy)
    return result
