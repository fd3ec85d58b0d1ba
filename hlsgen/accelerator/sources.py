"""What may be compiled: an ONNX file, a model in memory, a PyTorch module."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnx

from hlsgen.errors import ModelError
from hlsgen.files import Scratch

if TYPE_CHECKING:
    import torch

Source: TypeAlias = "str | Path | onnx.ModelProto | torch.nn.Module"
EXAMPLE = "hlsgen.compile(module, example=torch.zeros(1, 3, 224, 224))"


def as_onnx(source: Source, example: Any = None) -> str | Path | onnx.ModelProto:
    """A source as the front end takes it. `example` is an input of a PyTorch module, a tensor or an
    array, or a tuple of them. Raises ModelError."""
    if isinstance(source, (str, Path, onnx.ModelProto)):
        return source
    if not is_module(source):
        raise ModelError(
            f"{type(source).__name__} is no model",
            remedy="give an ONNX file, an onnx.ModelProto or a torch.nn.Module",
        )
    if example is None:
        raise ModelError(
            "a PyTorch module needs an example input",
            where=f"model {type(source).__name__}",
            remedy=f"for example {EXAMPLE}",
        )
    return exported(source, example)


def name_of(source: Source) -> str:
    """What the network is called: after the file, the graph, the class."""
    if isinstance(source, (str, Path)):
        return Path(source).stem
    if isinstance(source, onnx.ModelProto):
        return source.graph.name or "network"
    return type(source).__name__.lower()


def is_module(source: Any) -> bool:
    """Whether something is a PyTorch module: who has one has imported torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.nn.Module)


def exported(module: Any, example: Any) -> onnx.ModelProto:
    """A PyTorch module as ONNX, as it computes in evaluation. Raises ModelError."""
    import torch

    given = example if isinstance(example, tuple) else (example,)
    inputs = tuple(torch.from_numpy(x) if isinstance(x, np.ndarray) else x for x in given)
    names = ["input"] if len(inputs) == 1 else [f"input_{n}" for n in range(1, len(inputs) + 1)]
    with evaluating(module), Scratch() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of exporters, which users cannot act on
        path = Path(folder) / "model.onnx"
        try:
            # The newer exporter needs a package of its own.
            dynamo = find_spec("onnxscript") is not None
            torch.onnx.export(module, inputs, str(path), input_names=names, dynamo=dynamo)
        except Exception as error:  # exporters raise many kinds
            raise ModelError(
                f"PyTorch cannot export it ({error})",
                where=f"model {type(module).__name__}",
                remedy="export it to ONNX yourself, and compile the file",
            ) from error
        return onnx.load(path)


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """The module in evaluation mode; every part gets its own mode back."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
