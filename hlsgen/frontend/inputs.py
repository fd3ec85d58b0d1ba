"""Gives every input of a network its static shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import onnx

from hlsgen.errors import HlsgenError, ModelError, UnsupportedError
from hlsgen.frontend.element_types import FLOAT, INTEGERS, OTHER_FLOATS
from hlsgen.frontend.refusals import joined
from hlsgen.ops.importing import type_name

INPUT_TYPES = (FLOAT, *OTHER_FLOATS, *INTEGERS)


def bind_shapes(
    model: onnx.ModelProto, constants: Collection[str], shapes: Mapping[str, Sequence[int]]
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
    found, problems = {}, []
    for value in runtime:
        try:
            found[value.name] = bind_shape(value, shapes.get(value.name))
        except HlsgenError as error:
            problems.append(error)
    if problems:
        raise joined(problems)
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
    if tensor.elem_type not in INPUT_TYPES:
        raise UnsupportedError(
            f"it is of type {type_name(tensor.elem_type)}",
            where=where,
            remedy="feed floating-point numbers or integers",
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
    sizes = [
        bind_size(value.name, axis, dims[axis] if dims else None, given)
        for axis in range(len(dims) or len(given or ()))
    ]
    del tensor.shape.dim[:]
    for size in sizes:
        tensor.shape.dim.add().dim_value = size
    return tuple(sizes)


def bind_size(
    name: str,
    axis: int,
    dimension: onnx.TensorShapeProto.Dimension | None,
    given: Sequence[int] | None,
) -> int:
    """The size of one axis of an input: that of the network, a given one, or 1 of a batch."""
    where = f"input {name}"
    size = None if dimension is None else fixed_size(dimension)
    wanted = None if given is None else int(given[axis])
    if size is not None and wanted is not None and size != wanted:
        raise ModelError(
            f"--shape gives {wanted} for axis {axis}, the network fixes {size}", where=where
        )
    size = wanted if wanted is not None else size
    if size is None and axis == 0:
        size = 1
    if size is None:
        assert dimension is not None
        fixed = dimension.HasField("dim_value")
        label = dimension.dim_value if fixed else dimension.dim_param or "?"
        raise ModelError(
            f"axis {axis} ({label}) is dynamic; hardware needs a fixed size",
            where=where,
            remedy=f"give the shape with --shape {name}=1,...",
        )
    if size < 1:
        raise ModelError(
            f"--shape gives {size} for axis {axis}", where=where, remedy="give sizes of 1 and more"
        )
    return size
