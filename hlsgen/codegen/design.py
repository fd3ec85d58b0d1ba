"""What code generation produces before it is written: kernel text, binary sections, and the
manifest's parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

import numpy as np

from hlsgen.codegen.render import comment_text
from hlsgen.graph import Layer, Port, Tensor
from hlsgen.types import FLOAT32

ALIGNMENT = 64  # bytes: a 512-bit word of external memory


@dataclass
class Weights:
    """The `weights` file under construction: little-endian sections, each aligned to `ALIGNMENT`
    bytes."""

    chunks: list[bytes] = field(default_factory=list)
    sections: list[dict[str, Any]] = field(default_factory=list)
    size: int = 0

    def add(self, name: str, array: np.ndarray, meaning: str) -> int:
        """Append a section and return its offset in bytes."""
        offset = self.size
        data = np.ascontiguousarray(array).tobytes()
        self.sections.append(
            {
                "name": name,
                "offset": offset,
                "elements": int(array.size),
                "dtype": str(array.dtype),
                "meaning": meaning,
            }
        )
        self.chunks += [data, bytes(-len(data) % ALIGNMENT)]
        self.size += len(data) + -len(data) % ALIGNMENT
        return offset


@dataclass
class Generated:
    """One generated design: OpenCL text, weights, and the style's part of the manifest."""

    source: str
    weights: Weights
    buffers: dict[str, dict[str, Any]]
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    layers: list[dict[str, Any]]
    runs: dict[str, dict[str, Any]]
    documentation: dict[str, Any] = field(default_factory=dict)


def feature_layout(
    buffer: str, tensor: Tensor, lanes: int, base: int = 0, stride: int | None = None
) -> dict[str, Any]:
    """Where a tensor lies in a buffer: pixel p, vector c at element `(base + p * stride + c) *
    lanes`."""
    count = -(-tensor.channels // lanes)
    return {
        "buffer": buffer,
        "channels": tensor.channels,
        "height": tensor.height,
        "width": tensor.width,
        "lanes": lanes,
        "base": base,
        "stride": count if stride is None else stride,
    }


def input_entry(port: Port, layout: dict[str, Any]) -> dict[str, Any]:
    """A network input in the manifest: `steps` lead from the ONNX value to the canonical (1, C, H,
    W) array."""
    steps: list[list[Any]] = [["reshape", list(port.view.value_shape)]] * (
        port.image_shape != port.view.value_shape
    )
    steps += [[kind, list(argument)] for kind, argument in port.view.inverse.steps]
    if port.columns is not None:
        steps.append(["columns", list(astuple(port.columns))])
    return port_entry(port, steps, layout)


def output_entry(port: Port, layout: dict[str, Any]) -> dict[str, Any]:
    """A network output in the manifest: `steps` lead from the canonical (1, C, H, W) array to the
    ONNX value."""
    steps: list[list[Any]] = [[kind, list(argument)] for kind, argument in port.view.steps]
    steps += [["reshape", list(port.image_shape)]] * (port.image_shape != port.view.value_shape)
    return port_entry(port, steps, layout)


def port_entry(port: Port, steps: list[list[Any]], layout: dict[str, Any]) -> dict[str, Any]:
    """What inputs and outputs have in common."""
    return {
        "name": port.name,
        "shape": list(port.image_shape),
        "model_shape": list(port.view.value_shape),
        "dtype": FLOAT32.name,
        "steps": steps,
        "layout": layout,
    }


def layer_entry(layer: Layer, layout: dict[str, Any]) -> dict[str, Any]:
    """A layer whose result can be checked."""
    return {
        "name": layer.name,
        "op": layer.op,
        "nodes": list(layer.nodes),
        "tensor": layer.output,
        "layout": layout,
    }


def launch(kernel: str, *arguments: dict[str, Any], queue: str | None = None) -> dict[str, Any]:
    """One kernel launch of the manifest. Arguments are {"buffer": name}, {"int": n} or {"images":
    true}."""
    return {"kernel": kernel, "arguments": list(arguments), "queue": queue or kernel}


def run_mode(
    launches: list[dict[str, Any]],
    *,
    options: Sequence[str] = (),
    once: Sequence[dict[str, Any]] = (),
    autorun: Sequence[str] = (),
) -> dict[str, Any]:
    """One way of running a design: build options, launches after programming and for each batch,
    self-starting kernels."""
    return {
        "options": list(options),
        "once": list(once),
        "launches": launches,
        "autorun": list(autorun),
    }


def title(layer: Layer) -> str:
    """How a layer is introduced in a comment: its operator and the ONNX nodes it stands for."""
    return comment_text(f"{layer.name}, {', '.join(layer.nodes)}")[:160]
