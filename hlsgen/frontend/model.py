"""Reads an ONNX file and brings it to one opset with static shapes, using the ONNX project's own
libraries."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper, shape_inference, version_converter

from hlsgen.errors import ModelError, OutputError, UnsupportedError
from hlsgen.ops.importing import type_name
from hlsgen.ops.reduction import KEEPS_SHAPE
from hlsgen.ops.resize import keep_coordinates

# Every model below this opset is converted to it; newer ones are read as they are.
TARGET_OPSET = 17
OLDEST_OPSET = 7
# Constants above this size are taken out of the protobuf while ONNX's checker and converter work on
# it.
LARGE_CONSTANT = 1024


def read_model(path: str | Path) -> onnx.ModelProto:
    """Read an ONNX file, external data included. Raises ModelError."""
    path = Path(path)
    where = f"model {path}"
    if not path.is_file():
        raise ModelError("no such file", where=where, remedy="check the path")
    if path.stat().st_size == 0:
        raise ModelError(
            "the file is empty", where=where, remedy="export or copy the network again"
        )
    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except (DecodeError, ValueError, UnicodeDecodeError):
        raise ModelError(
            "this is not an ONNX file, or it is truncated",
            where=where,
            remedy="export or copy the network again",
        ) from None
    refuse_text(model, where)
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # the onnx package raises many kinds here, all about the data file
        raise ModelError(
            f"its external data cannot be read ({first_line(error)})",
            where=where,
            remedy="keep the data files beside it",
        ) from None
    return model


def write_model(model: onnx.ModelProto, name: str | Path) -> None:
    """Write an ONNX file, all of it or nothing. Raises OutputError."""
    path = Path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(model.SerializeToString(deterministic=True))
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", where=f"-o {name}") from None


def refuse_text(model: onnx.ModelProto, where: str) -> None:
    """Raise ModelError for names that are not valid UTF-8: protobuf hands them over as bytes."""
    graph = model.graph
    texts = [graph.name, *(o.domain for o in model.opset_import)]
    texts += [
        entry.name for entry in (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
    ]
    for node in graph.node:
        texts += [
            node.name,
            node.op_type,
            node.domain,
            *node.input,
            *node.output,
            *(a.name for a in node.attribute),
        ]
    for text in texts:
        if not isinstance(text, str):
            raise ModelError(
                f"a name is not text ({text!r})",
                where=where,
                remedy="export or copy the network again",
            )


def first_line(error: Exception) -> str:
    """The first line of an exception's text that says something."""
    return next(
        (line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__
    )


def without_dead_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without nodes, inputs and initializers that no output depends on. The given model
    is not changed.

    A model whose outputs no node computes stays as it is.
    """
    needed = {output.name for output in model.graph.output}
    nodes = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(names_read(node))
    if not nodes or (
        len(nodes) == len(model.graph.node)
        and all(value.name in needed for value in model.graph.input)
    ):
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    result.graph.node.extend(reversed(nodes))
    for field in (result.graph.input, result.graph.initializer):
        kept = [value for value in field if value.name in needed]
        del field[:]
        field.extend(kept)
    return result


def names_read(node: onnx.NodeProto) -> set[str]:
    """The values that a node reads, those of its subgraphs included."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            names.update(
                *(names_read(inner) for inner in graph.node),
                (output.name for output in graph.output),
            )
    return names


def node_label(node: onnx.NodeProto) -> str:
    """How a node is named in messages."""
    return f"node {node.name or next(iter(node.output), 'without a name')} ({node.op_type})"


class PreparedModel:
    """A checked model at one opset with static shapes: `nodes` in topological order, `constants` by
    name.

    `inputs` maps the names of the run-time inputs to their shapes; `outputs` lists the names of the
    results. `mixing` says why a fixed batch could not be taken image by image.
    """

    mixing = ""

    def __init__(self, model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]] | None = None):
        self.name = model.graph.name or "network"
        if not model.graph.node:
            raise ModelError(
                "it holds no nodes: this is not an ONNX network",
                where="model",
                remedy="export the network again",
            )
        refuse_structure(model)
        skeleton, self.constants = detach_constants(model)
        self.inputs = bind_shapes(skeleton, self.constants, shapes or {})
        skeleton = check_and_convert(skeleton)
        self.opset = opset_of(skeleton)
        self.shapes = infer_shapes(skeleton)
        self.nodes = list(skeleton.graph.node)
        for tensor in skeleton.graph.initializer:
            self.constants.setdefault(tensor.name, numpy_helper.to_array(tensor))
        self.outputs = [output.name for output in skeleton.graph.output]


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the default operator set."""
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)


def refuse_structure(model: onnx.ModelProto) -> None:
    """Raise for what no pass can repair: old opsets, foreign domains, control flow, missing
    tensors' data types."""
    version = opset_of(model)
    if version < OLDEST_OPSET:
        raise UnsupportedError(
            f"opset {version} is older than {OLDEST_OPSET}",
            where="model",
            remedy="export the network with a newer opset",
        )
    for tensor in model.graph.initializer:
        if tensor.data_type in (
            onnx.TensorProto.FLOAT16,
            onnx.TensorProto.DOUBLE,
            onnx.TensorProto.BFLOAT16,
        ):
            kind = type_name(tensor.data_type)
            raise UnsupportedError(
                f"it is of type {kind}",
                where=f"initializer {tensor.name}",
                remedy="export the network in float32",
            )


def detach_constants(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Split a model into a small skeleton and its large constants.

    The skeleton declares each detached constant as an input of that shape, so that checker,
    converter and shape inference handle a few kilobytes in place of all weights. The given model is
    not changed.
    """
    constants: dict[str, np.ndarray] = {}
    skeleton = onnx.ModelProto()
    skeleton.ir_version = max(
        model.ir_version, 8
    )  # before 4, initializers had to be graph inputs too
    skeleton.opset_import.extend(model.opset_import)
    graph = skeleton.graph
    graph.name = model.graph.name or "network"
    graph.node.extend(model.graph.node)
    graph.output.extend(model.graph.output)
    initialised = {tensor.name for tensor in model.graph.initializer}
    graph.input.extend(i for i in model.graph.input if i.name not in initialised)
    for tensor in model.graph.initializer:
        try:
            array = numpy_helper.to_array(tensor)
        except Exception as error:
            raise ModelError(
                f"its data do not fit its shape ({first_line(error)})",
                where=f"initializer {tensor.name}",
                remedy="export the network again",
            ) from None
        if array.nbytes < LARGE_CONSTANT:
            graph.initializer.append(tensor)
        else:
            graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, array.shape)
            )
        constants[tensor.name] = array
    return skeleton, constants


def bind_shapes(
    model: onnx.ModelProto, constants: Mapping[str, np.ndarray], shapes: Mapping[str, Sequence[int]]
) -> dict[str, tuple[int, ...]]:
    """Make every input static in place: given shapes first, then a batch of 1. Returns the run-time
    inputs.

    Raises ModelError for other unknown dimensions, for given ones below 1, and for names that do
    not exist.
    """
    runtime = [i for i in model.graph.input if i.name not in constants]
    names = [i.name for i in runtime]
    for name in shapes:
        if name not in names:
            raise ModelError(
                f"the network has no input {name!r}",
                where="--shape",
                remedy=f"its inputs: {', '.join(names)}",
            )
    found = {}
    for value in runtime:
        found[value.name] = bind_shape(value, shapes.get(value.name))
    if not found:
        raise ModelError(
            "no input of type float32 is left: the network computes a constant", where="model"
        )
    return found


def fixed_size(dimension: onnx.TensorShapeProto.Dimension) -> int | None:
    """The size of a dimension, None where it is free: exporters write a name, nothing, -1 or 0."""
    return dimension.dim_value if dimension.dim_value > 0 else None


def bind_shape(value: onnx.ValueInfoProto, given: Sequence[int] | None) -> tuple[int, ...]:
    """Make one input static in place and return its shape."""
    where, tensor = f"input {value.name}", value.type.tensor_type
    if not value.type.HasField("tensor_type") or tensor.elem_type != onnx.TensorProto.FLOAT:
        kind = type_name(tensor.elem_type)
        raise UnsupportedError(
            f"it is of type {kind}",
            where=where,
            remedy="only float32 tensors are supported",
            needs_constant=[value.name],
        )
    dims = list(tensor.shape.dim) if tensor.HasField("shape") else []
    if given is not None and dims and len(given) != len(dims):
        raise ModelError(
            f"--shape gives {len(given)} dimensions, the network has {len(dims)}", where=where
        )
    if not tensor.HasField("shape") and given is None:
        raise ModelError(
            "its shape is not known",
            where=where,
            remedy=f"give it with --shape {value.name}=1,3,224,224",
        )
    sizes: list[int] = []
    for axis in range(len(dims) or len(given or ())):
        size = fixed_size(dims[axis]) if dims else None
        wanted = None if given is None else int(given[axis])
        if size is not None and wanted is not None and size != wanted:
            raise ModelError(
                f"--shape gives {wanted} for axis {axis}, the network fixes {size}", where=where
            )
        size = wanted if wanted is not None else size
        if size is None and axis == 0:
            size = 1
        if size is None:
            size_given = dims[axis].HasField("dim_value")
            label = dims[axis].dim_value if size_given else dims[axis].dim_param or "?"
            raise ModelError(
                f"axis {axis} ({label}) is dynamic; hardware needs a fixed size",
                where=where,
                remedy=f"give the shape with --shape {value.name}=1,...",
            )
        if size < 1:
            raise ModelError(
                f"--shape gives {size} for axis {axis}",
                where=where,
                remedy="give sizes of 1 and more",
            )
        sizes.append(size)
    del tensor.shape.dim[:]
    for size in sizes:
        tensor.shape.dim.add().dim_value = size
    return tuple(sizes)


def check_and_convert(model: onnx.ModelProto) -> onnx.ModelProto:
    """Run ONNX's checker and bring the model to `TARGET_OPSET`. Raises ModelError."""
    if not all(output.type.tensor_type.HasField("shape") for output in model.graph.output):
        # Many tools leave the shapes of outputs out, which the checker alone minds.
        inferred = shape_inference.infer_shapes(inferable(model))
        model.graph.ClearField("output")
        model.graph.output.extend(inferred.graph.output)
    try:
        onnx.checker.check_model(model)
    except Exception as error:  # beside its own ValidationError, errors of decoding text
        raise ModelError(
            first_line(error),
            where="model",
            remedy="export the network again with a current exporter",
        ) from None
    if opset_of(model) >= TARGET_OPSET:
        return model
    try:
        converted = version_converter.convert_version(model, TARGET_OPSET)
    except Exception as error:
        raise UnsupportedError(
            f"ONNX's version converter cannot bring it from opset {opset_of(model)} to "
            f"{TARGET_OPSET} ({first_line(error)})",
            where="model",
            remedy=f"export the network with opset {TARGET_OPSET}",
        ) from None
    if opset_of(model) < 11:
        keep_coordinates(converted.graph.node)
    return converted


def inferable(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with Identity in place of operators that keep a shape without ONNX's inference
    knowing it."""
    if not any(node.op_type in KEEPS_SHAPE for node in model.graph.node):
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for node in result.graph.node:
        if node.op_type in KEEPS_SHAPE:
            node.op_type = "Identity"
            del node.input[1:], node.attribute[:]
    return result


def infer_shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """All shapes that ONNX's inference can tell, by value name. Raises ModelError on
    contradictions."""
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    try:
        inferred = shape_inference.infer_shapes(
            inferable(model), check_type=True, strict_mode=True, data_prop=True
        )
    except Exception as error:
        raise ModelError(
            f"its shapes contradict each other ({first_line(error)})", where="model"
        ) from None
    found = {}
    for value in (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input):
        dims = value.type.tensor_type.shape.dim
        if all(d.HasField("dim_value") for d in dims) and value.type.tensor_type.HasField("shape"):
            found[value.name] = tuple(d.dim_value for d in dims)
    return found
