"""Networks exported with a fixed batch above 1: the same network for one image, where images do not
mix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from hlsgen.errors import HlsgenError
from hlsgen.frontend.prepare import PreparedModel, Shapes, resolved
from hlsgen.frontend.source import Source
from hlsgen.ops.arguments import NodeArguments
from hlsgen.ops.first_axis import TARGETS, keeps_images_apart


def prepare(source: Source, shapes: Shapes | None = None) -> PreparedModel:
    """The network, ready to be imported; for one image if all its inputs share a larger batch.

    A design streams one image after another, so a batch is a number of images. Where an operator
    mixes images the batch stays, and `mixing` of the result says where. Raises ModelError or
    UnsupportedError.
    """
    given = dict(shapes or {})
    batch = common_batch(source)
    if batch is None:
        return resolved(source, given)
    try:
        whole = resolved(source, with_batch(given, batch, batch))
        single = resolved(one_image(source, batch, whole.constants), with_batch(given, batch, 1))
    except HlsgenError:  # for one image it makes no sense
        return batched(resolved(source, given), batch, "its shapes do not follow it")
    if [node.op_type for node in whole.nodes] != [node.op_type for node in single.nodes]:
        return batched(resolved(source, given), batch, "it computes otherwise with another")
    along = nodes_along(whole, single, batch)
    if not along:
        return single
    reason = f"{next(iter(along.values()))} works along it"
    prepared = batched(resolved(source, given), batch, reason)
    prepared.alone, prepared.along = single, along
    return prepared


def batched(network: PreparedModel, batch: int, reason: str) -> PreparedModel:
    """A network whose batch stays, with the reason."""
    network.mixing = f"its batch of {batch} cannot be taken image by image ({reason})"
    return network


def common_batch(source: Source) -> int | None:
    """The first dimension that all run-time inputs share, where it is above 1."""
    sizes = set()
    for value in source.skeleton.graph.input:
        if value.name not in source.constants:
            dims = value.type.tensor_type.shape.dim
            sizes.add(dims[0].dim_value if len(dims) > 1 and dims[0].HasField("dim_value") else 1)
    return sizes.pop() if len(sizes) == 1 and max(sizes) > 1 else None


def with_batch(shapes: Shapes, batch: int, wanted: int) -> dict[str, tuple[int, ...]]:
    """Given shapes of inputs, of one image or of the batch, with the wanted batch."""
    return {
        name: (wanted, *shape[1:]) if len(shape) > 1 and shape[0] in (1, batch) else tuple(shape)
        for name, shape in shapes.items()
    }


def one_image(source: Source, batch: int, constants: Mapping[str, np.ndarray]) -> Source:
    """The network with 1 in place of the batch: in its inputs, and in constant target shapes that
    begin with the batch."""
    single, added = onnx.ModelProto(), {}
    single.CopyFrom(source.skeleton)
    for value in single.graph.input:
        if value.name not in source.constants:
            value.type.tensor_type.shape.dim[0].dim_value = 1
    for output in single.graph.output:
        dims = output.type.tensor_type.shape.dim
        if dims and dims[0].dim_value == batch:
            dims[0].dim_value = 1
    for number, node in enumerate(single.graph.node):
        place = TARGETS.get(node.op_type, len(node.input))
        target = constants.get(node.input[place]) if place < len(node.input) else None
        if (
            target is not None
            and node.input[0] not in constants
            and target.size
            and target.ravel()[0] == batch
        ):
            name = f"{node.input[place]}_for_one_image_{number}"
            changed = np.concatenate([[1], target.ravel()[1:]]).astype(target.dtype)
            single.graph.initializer.append(numpy_helper.from_array(changed, name))
            node.input[place], added[name] = name, changed
    return Source(single, {**source.constants, **added})


def nodes_along(whole: PreparedModel, single: PreparedModel, batch: int) -> dict[str, str]:
    """The nodes that do not work on each image by itself, by their first output: labels of those
    that work along the batch, an empty one of those that read their results."""
    maps, behind = set(whole.inputs), set[str]()
    found: dict[str, str] = {}
    for node, alone in zip(whole.nodes, single.nodes, strict=True):
        operands = [name for name in node.input if name in maps]
        if not operands and same_constants(whole, single, node, alone):
            continue  # a constant that layers may take as integers
        if behind.intersection(node.input):
            found[node.output[0]] = ""
        elif not stays_apart(whole, single, batch, (node, alone), operands):
            found[node.output[0]] = whole.label(node)
        (behind if node.output[0] in found else maps).update(node.output)
    return found


def stays_apart(
    whole: PreparedModel,
    single: PreparedModel,
    batch: int,
    pair: tuple[onnx.NodeProto, onnx.NodeProto],
    operands: Sequence[str],
) -> bool:
    """Whether a node works on every image of `operands` by itself; `pair`: it in both networks."""
    node, alone = pair
    results = [(name, other) for name, other in zip(node.output, alone.output, strict=True) if name]
    per_image = all(
        whole.shapes.get(name, ())[:1] == (batch,)
        and single.shapes.get(other) == (1, *whole.shapes[name][1:])
        for name, other in results
    )
    ranks = [len(whole.shapes[name]) for name in (*operands, *node.output) if name in whole.shapes]
    arguments = NodeArguments(node, whole.constants, whole.label(node))
    return (
        per_image
        and same_constants(whole, single, node, alone)
        and keeps_images_apart(arguments, ranks)
    )


def same_constants(
    whole: PreparedModel, single: PreparedModel, node: onnx.NodeProto, alone: onnx.NodeProto
) -> bool:
    """Whether a node's constants, its target shape apart, do not depend on the batch."""
    return all(
        np.array_equal(whole.constants[name], single.constants.get(other, ()))
        for place, (name, other) in enumerate(zip(node.input, alone.input, strict=True))
        if name in whole.constants and place != TARGETS.get(node.op_type)
    )
