"""Reads and writes ONNX files."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from hlsgen.errors import ModelError
from hlsgen.files import write_output

# Every model below this opset is converted to it; newer ones are read as they are.
TARGET_OPSET = 17
OLDEST_OPSET = 7
# Endings of what PyTorch saves, and how a network becomes ONNX.
PYTORCH = (".pt", ".pth", ".ckpt", ".safetensors")
EXPORT = """export the network to ONNX where its class is defined:
    import torch
    module = ...  # your network, with its weights loaded
    torch.onnx.export(module.eval(), (torch.zeros(1, 3, 224, 224),), "{}.onnx", dynamo=False)"""


def read_model(path: str | Path) -> onnx.ModelProto:
    """Read an ONNX file, external data included. Raises ModelError."""
    path = Path(path)
    where = f"model {path}"
    if not path.is_file():
        raise ModelError("no such file", where=where, remedy="check the path")
    if path.suffix in PYTORCH:
        raise ModelError(
            "this is PyTorch's, and hlsgen reads ONNX", where=where, remedy=EXPORT.format(path.stem)
        )
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
    write_output(Path(name), model.SerializeToString(deterministic=True), f"-o {name}")


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


def first_line(error: BaseException) -> str:
    """The first line of an exception's text that says something."""
    return next(
        (line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__
    )


def node_label(node: onnx.NodeProto) -> str:
    """How a node is named in messages."""
    return f"node {node.name or next(iter(node.output), 'without a name')} ({node.op_type})"


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the default operator set."""
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
