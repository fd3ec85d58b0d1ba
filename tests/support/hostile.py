"""Hostile ONNX files: mutations of small good ones, from a source of choices; and what a build may
do with them."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hlsgen.cli.main import main
from tests.support.cases import CASES, case

Choose = Callable[[Sequence[Any]], Any]
# Names that would do harm in OpenCL, in jinja2 or in a path.
NAMES = (
    "*/ } evil(1+1); /*",
    "{{ 7*7 }}",
    "{% raw %}",
    "a\nb",
    "a\\\n#define int float",
    "//",
    "/*",
    "../../../tmp/evil",
    "",
    "x" * 3000,
    "kernel",
    "float16",
    "conv1_weights",
    "é",
    "\x00",
    "y",
    "0",
    "__attribute__((x))",
    "#pragma",
    "a_to_b",
)
NUMBERS = (-1, 0, 1, 2, 3, 7, 1 << 15, (1 << 31) - 1, 1 << 31, (1 << 62), -(1 << 62), -(1 << 31))
FLOATS = (float("nan"), float("inf"), float("-inf"), 0.0, -1.0, 1e38, 1e-45)


def hostile_bytes(choose: Choose) -> bytes:
    """The content of a hostile file."""
    model = case(choose(sorted(CASES)))
    for _ in range(choose((0, 1, 1, 1, 2, 3))):
        with contextlib.suppress(
            Exception
        ):  # a second mutation may not know what to make of the first
            choose(MUTATIONS)(choose, model)
    data = bytearray(model.SerializeToString())
    damage = choose(("none", "none", "none", "flip", "cut", "insert"))
    for _ in range(choose((1, 2, 8)) if damage == "flip" else 0):
        data[choose(range(len(data)))] ^= 1 << choose(range(8))
    if damage == "cut":
        del data[choose(range(len(data))) :]
    if damage == "insert":
        at = choose(range(len(data)))
        data[at:at] = bytes(choose(range(256)) for _ in range(choose((1, 4, 20))))
    return bytes(data)


def some_node(choose: Choose, model: onnx.ModelProto) -> onnx.NodeProto:
    """Any node."""
    return choose(list(model.graph.node))


def rename(choose: Choose, model: onnx.ModelProto) -> None:
    """A harmful name for a node, a value, the graph or an input."""
    name, kind = choose(NAMES), choose(("node", "value", "graph", "input", "op"))
    if kind == "node":
        some_node(choose, model).name = name
    elif kind == "graph":
        model.graph.name = name
    elif kind == "op":
        some_node(choose, model).op_type = name
    else:
        names = (
            [i.name for i in model.graph.input]
            if kind == "input"
            else [o for n in model.graph.node for o in n.output]
        )
        old = choose(names)
        for node in model.graph.node:
            for field in (node.input, node.output):
                for i, value in enumerate(field):
                    if value == old:
                        field[i] = name
        for entry in (*model.graph.input, *model.graph.output, *model.graph.initializer):
            if entry.name == old:
                entry.name = name


def change_attribute(choose: Choose, model: onnx.ModelProto) -> None:
    """An attribute of another value or type."""
    node = some_node(choose, model)
    if not node.attribute:
        node.attribute.append(
            helper.make_attribute(
                choose(("axis", "group", "pads", "strides", "alpha")), choose(NUMBERS)
            )
        )
        return
    attribute = choose(list(node.attribute))
    if attribute.ints and choose((0, 1)):
        attribute.ints[choose(range(len(attribute.ints)))] = choose(NUMBERS)
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = choose(FLOATS)
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = choose(NUMBERS)
    else:
        name = attribute.name
        attribute.CopyFrom(
            helper.make_attribute(name, choose((3, 1.5, "text", [1, 2, 3], [0.5], [-1] * 8)))
        )


def change_shape(choose: Choose, model: onnx.ModelProto) -> None:
    """An input dimension that is negative, huge or missing."""
    dims = choose(list(model.graph.input)).type.tensor_type.shape.dim
    if not dims:
        return
    dim = choose(list(dims))
    if choose((0, 1)):
        dim.dim_value = choose(NUMBERS)
    else:
        dim.dim_param = "N"


def change_weights(choose: Choose, model: onnx.ModelProto) -> None:
    """An initializer with other dims, another type, values that are not finite, or gone."""
    if not model.graph.initializer:
        return
    tensor = choose(list(model.graph.initializer))
    how = choose(("dims", "type", "values", "gone", "external", "shape"))
    if how == "dims" and tensor.dims:
        tensor.dims[choose(range(len(tensor.dims)))] = choose(NUMBERS)
    elif how == "type":
        tensor.data_type = choose(
            (TensorProto.DOUBLE, TensorProto.INT64, TensorProto.FLOAT16, TensorProto.STRING, 99, 0)
        )
    elif how == "values":
        array = numpy_helper.to_array(tensor).astype(np.float32).copy()
        if array.size:
            array.ravel()[choose(range(array.size))] = choose(FLOATS)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    elif how == "gone":
        model.graph.initializer.remove(tensor)
    elif how == "shape":
        array = numpy_helper.to_array(tensor)
        tensor.CopyFrom(numpy_helper.from_array(array.reshape(-1), tensor.name))
    else:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        del tensor.external_data[:]
        for key, value in (
            ("location", choose(("../secret", "/etc/passwd", "missing", "..", ""))),
            ("length", str(choose(NUMBERS))),
        ):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value


def rewire(choose: Choose, model: onnx.ModelProto) -> None:
    """An input of a node bound to any value: cycles, wrong shapes, missing tensors."""
    node = some_node(choose, model)
    if not node.input:
        return
    names = (
        [o for n in model.graph.node for o in n.output]
        + [i.name for i in model.graph.initializer]
        + ["nowhere", ""]
    )
    node.input[choose(range(len(node.input)))] = choose(names)


def swap_operator(choose: Choose, model: onnx.ModelProto) -> None:
    """Another operator in a node's place."""
    from hlsgen.ops import onnx_importers

    some_node(choose, model).op_type = choose(sorted(onnx_importers()))


def double(choose: Choose, model: onnx.ModelProto) -> None:
    """A node, an output or an initializer twice."""
    kind = choose(("node", "output", "initializer"))
    field = getattr(model.graph, kind)
    if field:
        field.append(choose(list(field)))


def change_constant(choose: Choose, model: onnx.ModelProto) -> None:
    """Constant nodes (shapes, pads, scales, sizes) with other numbers."""
    nodes = [n for n in model.graph.node if n.op_type == "Constant"]
    if not nodes:
        return
    attribute = choose(nodes).attribute[0]
    if attribute.ints:
        attribute.ints[choose(range(len(attribute.ints)))] = choose(NUMBERS)
    elif attribute.floats:
        attribute.floats[choose(range(len(attribute.floats)))] = choose((*FLOATS, 1e9, 1e-9))
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = choose(FLOATS)


def change_version(choose: Choose, model: onnx.ModelProto) -> None:
    """Another opset or IR version."""
    if choose((0, 1)):
        model.opset_import[0].version = choose((0, 1, 5, 6, 7, 11, 13, 22, 99, -1, 1 << 40))
    else:
        model.ir_version = choose((0, 1, 3, 99, -1))


MUTATIONS = (
    rename,
    change_attribute,
    change_attribute,
    change_shape,
    change_weights,
    change_weights,
    rewire,
    swap_operator,
    double,
    change_constant,
    change_constant,
    change_version,
)


def build_hostile(data: bytes, folder: Path, style: str, memory: int = 3 << 30) -> str | None:
    """Build a file in a folder; what was wrong with the way it ended, or None. The process may not
    take more than `memory` bytes.

    Allowed: a design with status 0, or one message with status 2 and nothing written.
    """
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(data)
    resource.setrlimit(resource.RLIMIT_AS, (memory, resource.getrlimit(resource.RLIMIT_AS)[1]))
    outside = snapshot(folder)
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(
                [
                    "build",
                    str(folder / "model.onnx"),
                    "--out",
                    str(folder / "design"),
                    "--style",
                    style,
                ]
            )
    except BaseException:
        return f"traceback:\n{traceback.format_exc()}"
    if status not in (0, 2):
        return f"status {status}"
    if "Traceback" in err.getvalue():
        return f"traceback in the message:\n{err.getvalue()}"
    written = snapshot(folder) - outside
    allowed = {"design"} if status == 0 else set()
    if {name.split("/")[0] for name in written} - allowed:
        return f"wrote {sorted(written)[:5]}"
    if status == 0:
        return injected(folder / "design")
    return None if "what to do" in err.getvalue() or "error" in err.getvalue() else "no message"


def snapshot(folder: Path) -> set[str]:
    """All paths below a folder."""
    return {
        os.path.relpath(Path(root) / name, folder)
        for root, dirs, files in os.walk(folder)
        for name in (*dirs, *files)
    }


def injected(design: Path) -> str | None:
    """What of a file's text became code: comments are cut off, and what is left must not hold
    it."""
    source = next((design / "kernels").glob("*.cl")).read_text()
    code = "\n".join(line.split("//")[0] for line in source.splitlines())
    for word in ("evil(1+1)", "7*7", "/*", "*/", "define int", "x" * 60):
        if word in code:
            return f"{word!r} is in the kernels' code"
    return None
