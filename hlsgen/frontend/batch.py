"""Networks exported with a fixed batch above 1: the same network for one image, where images do not
mix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from hlsgen.errors import HlsgenError
from hlsgen.frontend.fold_constants import fold_constants
from hlsgen.frontend.model import PreparedModel, node_label
from hlsgen.ops.arguments import NodeArguments
from hlsgen.ops.first_axis import TARGETS, keeps_images_apart

Shapes = Mapping[str, Sequence[int]]


def prepare(model: onnx.ModelProto, shapes: Shapes | None = None) -> PreparedModel:
    """The model, checked, with static shapes and constants folded; for one image if all its inputs
    share a larger batch.

    A design streams one image after another, so a batch is a number of images. Where an operator
    mixes images the batch stays, and `mixing` of the result says where. The given model is not
    changed. Raises ModelError or UnsupportedError.
    """
    given = dict(shapes or {})
    batch = common_batch(model)
    if batch is None:
        return folded(model, given)
    mixing = "its shapes do not follow it"
    try:
        whole = folded(model, with_batch(given, batch, batch))
        single = folded(one_image(model, batch, whole.constants), with_batch(given, batch, 1))
        mixing = first_mixing(whole, single, batch)
        if not mixing:
            return single
    except HlsgenError:
        pass  # for one image it makes no sense
    prepared = folded(model, given)
    prepared.mixing = f"its batch of {batch} cannot be taken image by image ({mixing})"
    return prepared


def folded(model: onnx.ModelProto, shapes: Shapes) -> PreparedModel:
    """The prepared model with constants folded."""
    prepared = PreparedModel(model, shapes)
    prepared.nodes = fold_constants(prepared)
    return prepared


def common_batch(model: onnx.ModelProto) -> int | None:
    """The first dimension that all run-time inputs share, where it is above 1."""
    known = {tensor.name for tensor in model.graph.initializer}
    sizes = set()
    for value in model.graph.input:
        if value.name not in known:
            dims = value.type.tensor_type.shape.dim
            sizes.add(dims[0].dim_value if len(dims) > 1 and dims[0].HasField("dim_value") else 1)
    return sizes.pop() if len(sizes) == 1 and max(sizes) > 1 else None


def with_batch(shapes: Shapes, batch: int, wanted: int) -> dict[str, tuple[int, ...]]:
    """Given shapes of inputs, of one image or of the batch, with the wanted batch."""
    return {
        name: (wanted, *shape[1:]) if len(shape) > 1 and shape[0] in (1, batch) else tuple(shape)
        for name, shape in shapes.items()
    }


def one_image(
    model: onnx.ModelProto, batch: int, constants: Mapping[str, np.ndarray]
) -> onnx.ModelProto:
    """The model with 1 in place of the batch: in its inputs, and in constant target shapes that
    begin with the batch."""
    single = onnx.ModelProto()
    single.CopyFrom(model)
    known = {tensor.name for tensor in single.graph.initializer}
    for value in single.graph.input:
        if value.name not in known:
            value.type.tensor_type.shape.dim[0].dim_value = 1
    del single.graph.value_info[:]
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
            node.input[place] = name
    return single


def first_mixing(whole: PreparedModel, single: PreparedModel, batch: int) -> str:
    """What works along the batch first; empty where every node works on each image by itself."""
    if [node.op_type for node in whole.nodes] != [node.op_type for node in single.nodes]:
        return "it computes otherwise with another"
    maps = set(whole.inputs)
    for node, alone in zip(whole.nodes, single.nodes, strict=True):
        operands = [name for name in node.input if name in maps]
        results = [
            (name, other) for name, other in zip(node.output, alone.output, strict=True) if name
        ]
        per_image = all(
            whole.shapes.get(name, ())[:1] == (batch,)
            and single.shapes.get(other) == (1, *whole.shapes[name][1:])
            for name, other in results
        )
        ranks = [
            len(whole.shapes[name]) for name in (*operands, *node.output) if name in whole.shapes
        ]
        arguments = NodeArguments(node, whole.constants, node_label(node))
        if not (
            per_image
            and same_constants(whole, single, node, alone)
            and keeps_images_apart(arguments, ranks)
        ):
            return f"{arguments.label} works along it"
        maps.update(node.output)
    return ""


def same_constants(
    whole: PreparedModel, single: PreparedModel, node: onnx.NodeProto, alone: onnx.NodeProto
) -> bool:
    """Whether a node's constants, its target shape apart, do not depend on the batch."""
    return all(
        np.array_equal(whole.constants[name], single.constants.get(other, ()))
        for place, (name, other) in enumerate(zip(node.input, alone.input, strict=True))
        if name in whole.constants and place != TARGETS.get(node.op_type)
    )
