"""The three ways in which a module of torch becomes an ONNX file."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import onnx
import torch

from benchmarks.exporters.nhwc import channels_last
from benchmarks.exporters.patterns import Pattern


def example(pattern: Pattern) -> tuple[torch.nn.Module, torch.Tensor]:
    """The seeded module with statistics that are not those of an untrained one, and an input."""
    torch.manual_seed(0)
    module = pattern.make().eval()
    for part in module.modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
            assert part.running_mean is not None and part.running_var is not None
            part.running_mean.uniform_(-0.5, 0.5)
            part.running_var.uniform_(0.5, 1.5)
    return module, torch.zeros(pattern.shape, dtype=pattern.dtype)


def torchscript(pattern: Pattern, free: bool = True) -> onnx.ModelProto:
    """By tracing, of opset 17, the batch left `free` as most people have it."""
    module, x = example(pattern)
    axes = {"x": {0: "batch"}, "y": {0: "batch"}} if free else None
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            module, (x,), str(path), input_names=["x"], output_names=["y"],
            opset_version=17, dynamo=False, dynamic_axes=axes,
        )  # fmt: skip
        return onnx.load(path)


def dynamo(pattern: Pattern) -> onnx.ModelProto:
    """By torch.export, at the opset that torch takes by itself. Needs onnxscript."""
    module, x = example(pattern)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        torch.onnx.export(module, (x,), str(path), dynamo=True, verbose=False)
        return onnx.load(path)


def tensorflow_like(pattern: Pattern) -> onnx.ModelProto:
    """Channels last, as tf2onnx writes it."""
    return channels_last(torchscript(pattern, free=False))


EXPORTERS: dict[str, Callable[[Pattern], onnx.ModelProto]] = {
    "TorchScript": torchscript,
    "dynamo": dynamo,
    "channels last": tensorflow_like,
}
