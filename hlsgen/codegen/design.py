"""What code generation produces before it is written: kernel text, binary sections, and the
manifest's parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field

import numpy as np

from hlsgen.codegen.render import comment_text
from hlsgen.graph import Layer, Port, Tensor
from hlsgen.host.manifest import Argument, Buffer, Launch, Layout, Link, Result, Run, Section, Step
from hlsgen.host.manifest import Port as PortEntry
from hlsgen.ops import operator

ALIGNMENT = 64  # bytes: a 512-bit word of external memory
# The number of images of a batch, as an argument.
IMAGES = Argument(images=True)


@dataclass
class Weights:
    """The `weights` file under construction: little-endian sections, each aligned to `ALIGNMENT`
    bytes."""

    chunks: list[bytes] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    size: int = 0

    def add(self, name: str, array: np.ndarray, meaning: str) -> int:
        """Append a section and return its offset in bytes."""
        offset = self.size
        data = np.ascontiguousarray(array).tobytes()
        self.sections.append(Section(name, offset, int(array.size), str(array.dtype), meaning))
        self.chunks += [data, bytes(-len(data) % ALIGNMENT)]
        self.size += len(data) + -len(data) % ALIGNMENT
        return offset


@dataclass
class Generated:
    """One generated design: OpenCL text, weights, and the style's part of the manifest."""

    source: str
    weights: Weights
    buffers: dict[str, Buffer]
    inputs: list[PortEntry]
    outputs: list[PortEntry]
    layers: list[Result]
    runs: dict[str, Run]
    step_fields: dict[str, str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()


def filled(section: Section) -> Buffer:
    """A buffer that a section of the weights file fills."""
    return Buffer(section.elements, section.dtype, section.name)


def feature_layout(
    buffer: str, tensor: Tensor, lanes: int, base: int = 0, stride: int | None = None
) -> Layout:
    """Where a tensor lies in a buffer: by default its vectors follow each other."""
    vectors = -(-tensor.channels // lanes)
    return Layout(
        buffer,
        tensor.channels,
        tensor.height,
        tensor.width,
        lanes,
        base,
        vectors if stride is None else stride,
    )


def input_entry(port: Port, layout: Layout) -> PortEntry:
    """A network input in the manifest: `steps` lead from the ONNX value to the canonical (1, C, H,
    W) array."""
    steps: list[Step] = [("reshape", tuple(port.view.value_shape))] * (
        port.image_shape != port.view.value_shape
    )
    steps += [(kind, tuple(argument)) for kind, argument in port.view.inverse.steps]
    if port.columns is not None:
        steps.append(("columns", astuple(port.columns)))
    return port_entry(port, steps, layout)


def output_entry(port: Port, layout: Layout) -> PortEntry:
    """A network output in the manifest: `steps` lead from the canonical (1, C, H, W) array to the
    ONNX value."""
    steps: list[Step] = [(kind, tuple(argument)) for kind, argument in port.view.steps]
    steps += [("reshape", tuple(port.image_shape))] * (port.image_shape != port.view.value_shape)
    return port_entry(port, steps, layout)


def port_entry(port: Port, steps: list[Step], layout: Layout) -> PortEntry:
    """What inputs and outputs have in common."""
    return PortEntry(
        port.name,
        tuple(port.image_shape),
        tuple(port.view.value_shape),
        port.dtype,
        tuple(steps),
        layout,
        port.preparation,
    )


def layer_entry(layer: Layer, layout: Layout) -> Result:
    """A layer whose result can be checked."""
    return Result(layer.name, layer.op, tuple(layer.nodes), layer.output, layout)


def launch(kernel: str, *arguments: str | int | Argument, queue: str | None = None) -> Launch:
    """One kernel launch of the manifest, with buffers by name and numbers."""
    return Launch(kernel, tuple(map(argument, arguments)), queue or kernel)


def argument(given: str | int | Argument) -> Argument:
    """An argument of a launch."""
    if isinstance(given, Argument):
        return given
    return Argument(buffer=given) if isinstance(given, str) else Argument(number=given)


def run_mode(
    launches: Sequence[Launch],
    *,
    options: Sequence[str] = (),
    once: Sequence[Launch] = (),
    autorun: Sequence[str] = (),
) -> Run:
    """One way of running a design: build options, launches after programming and for each batch,
    self-starting kernels."""
    return Run(tuple(options), tuple(once), tuple(launches), tuple(autorun))


def title(layer: Layer) -> str:
    """How a layer is introduced in a comment: its operator and the ONNX nodes it stands for."""
    note = operator(layer.op).note(layer)
    return comment_text(f"{layer.name}, {', '.join(layer.nodes)}{', ' * bool(note)}{note}")[:160]
