"""The manifest of a design, `design.json`: the whole contract between compiler and host.

Documented in docs/design-directory.md. The compiler writes it with these classes, the host reads it
with them.

A field that is unknown is refused. What the manifest says are instructions, and a host that left
one out would run the design wrongly without a word. A field that is newer than some designs has a
default, so that a host reads designs that are older than itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import HostError
from .fields import FieldError, decoded, encoded
from .hashes import manifest_digest

SCHEMA = 1
REMEDY = "build the design again, or use the host of the version that built it"
# One of these, with its numbers: ("reshape", shape), ("transpose", axes),
# ("columns", (kernel, stride, dilation, left, count)).
Step = tuple[str, tuple[int, ...]]
STEPS = ("reshape", "transpose", "columns")


@dataclass(frozen=True)
class Section:
    """A part of the weights file: `offset` in bytes, numpy's name of its `dtype`."""

    name: str
    offset: int
    elements: int
    dtype: str
    meaning: str


@dataclass(frozen=True)
class Weights:
    """The file of all constants, so many bytes long. `type`: the one to which weights are rounded,
    by name."""

    file: str
    bytes: int
    sections: tuple[Section, ...]
    type: str = "float32"


@dataclass(frozen=True)
class Buffer:
    """A device buffer. `section` of the weights file fills it; it holds `elements` for each image
    of a launch (`per_image`), exists in tapped builds alone (`tap`), or twice where a run has
    launches `ahead` (`alternating`). On a board it lies in this `bank` of the memory, from 1 on (0:
    where the board's software puts it)."""

    elements: int
    dtype: str
    section: str | None = None
    per_image: bool = False
    tap: bool = False
    alternating: bool = False
    bank: int = 0


@dataclass(frozen=True)
class Layout:
    """Where a canonical `(channels, height, width)` tensor lies in a buffer: pixel p's vector c of
    `lanes` channels at element `(base + p * stride + c) * lanes`."""

    buffer: str
    channels: int
    height: int
    width: int
    lanes: int
    base: int
    stride: int

    @property
    def pixels(self) -> int:
        """Pixels of the tensor."""
        return self.height * self.width

    @property
    def vectors(self) -> int:
        """Vectors of a pixel."""
        return -(-self.channels // self.lanes)

    @property
    def first(self) -> int:
        """The tensor's first element in the buffer."""
        return self.base * self.lanes

    @property
    def span(self) -> int:
        """Elements from the tensor's first to its last."""
        return ((self.pixels - 1) * self.stride + self.vectors) * self.lanes


@dataclass(frozen=True)
class Preparation:
    """What the host does to an integer input: it converts it to float32, multiplies by `scale` and
    adds `shift`, numbers along an `axis` of `(1, ...)`."""

    axis: int
    scale: tuple[float, ...]
    shift: tuple[float, ...]


@dataclass(frozen=True)
class Value:
    """An ONNX value. `shape` is led by a 1 that stands for the images, `model_shape` is the ONNX
    model's; a size that depends on the data is -1."""

    name: str
    shape: tuple[int, ...]
    model_shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Port(Value):
    """An input or output of the design. `steps` lead from the ONNX value, after its `preparation`,
    to the canonical array, of outputs the other way."""

    steps: tuple[Step, ...]
    layout: Layout
    preparation: Preparation | None = None


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What the host computes of a network of which the design is a part: `head` and `tail` are the
    files of ONNX models for one image that run before and behind it, None where there is none.

    `inputs` and `outputs` are the network's. The design reads `Manifest.inputs` of the network's
    inputs and the head's outputs; the tail reads what it names of all of these and of
    `Manifest.outputs`; the network's outputs are found among all values by their names. `host_macs`
    of `macs` multiply-accumulates are the host's; `reasons` say why. `images`: of the design, that
    are one of the network, where the design takes a batch image by image and the host does not.
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    head: str | None = None
    tail: str | None = None
    macs: int
    host_macs: int
    reasons: tuple[str, ...] = ()
    images: int = 1

    @property
    def files(self) -> tuple[str, ...]:
        """The models' files."""
        return tuple(name for name in (self.head, self.tail) if name is not None)


@dataclass(frozen=True)
class Result:
    """A layer whose result can be checked: the ONNX nodes it stands for, and its tensor."""

    name: str
    op: str
    nodes: tuple[str, ...]
    tensor: str
    layout: Layout


@dataclass(frozen=True)
class Link:
    """An end of a link to another board: the kernel there, the I/O channels that it uses side by
    side, and the bytes that an image takes on each."""

    kernel: str
    channels: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class Argument:
    """What a kernel is passed: a buffer, a number, or the number of images of the batch; where
    `tap` is set, in tapped builds alone."""

    buffer: str | None = None
    number: int | None = field(default=None, metadata={"json": "int"})
    images: bool = False
    tap: bool = False

    def value(self, images: int) -> int:
        """The number that is passed with a batch of so many images."""
        return images if self.number is None else self.number


@dataclass(frozen=True)
class Launch:
    """One launch of a kernel as a single work-item. Launches of one `queue` follow each other."""

    kernel: str
    arguments: tuple[Argument, ...]
    queue: str


@dataclass(frozen=True)
class Run:
    """One way of running a design: build options, launches `once` after programming, for each
    batch, and (`ahead`) for the next batch meanwhile; kernels that start by themselves."""

    options: tuple[str, ...]
    once: tuple[Launch, ...]
    launches: tuple[Launch, ...]
    autorun: tuple[str, ...]
    ahead: tuple[Launch, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All that the host needs to know of a design. `images` a launch takes, unless `batched`: then
    any number. A board of a system has `links` to others, and the system's manifest lies in the
    folder above (`part`). `sha256`: of the design's files, and of the descriptions of the `board`
    and of the `calibration` by which the plan was found; `digest`: of the manifest without it."""

    schema: int
    generator: str
    name: str
    board: str
    style: str
    dtype: str
    files: tuple[str, ...]
    kernels: tuple[str, ...]
    options: tuple[str, ...]
    weights: Weights
    buffers: Mapping[str, Buffer]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    layers: tuple[Result, ...]
    images: int = 1
    multiply_accumulates: int | None = None
    batched: bool
    runs: Mapping[str, Run]
    step_fields: Mapping[str, str] = field(default_factory=dict)
    cut: Cut | None = None
    part: bool = False
    links: tuple[Link, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    @property
    def network_inputs(self) -> tuple[Value, ...]:
        """The inputs of the network, of which the design may be a part."""
        return self.cut.inputs if self.cut else self.inputs

    @property
    def network_outputs(self) -> tuple[Value, ...]:
        """The outputs of the network."""
        return self.cut.outputs if self.cut else self.outputs

    def to_json(self) -> str:
        """The text of design.json with its digest; `checked(json.loads(text))` gives the manifest
        back."""
        content = encoded(self)
        return json.dumps(content | {"digest": manifest_digest(content)}, indent=1) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a design directory. Raises HostError where there is none, or where it is not
    one that this host reads."""
    try:
        data = json.loads((folder / "design.json").read_text())
    except FileNotFoundError:
        raise HostError(
            f"{folder}: no design.json there", remedy="give a directory that build wrote"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise HostError(
            f"{folder}: design.json cannot be read ({error})", remedy="build the design again"
        ) from None
    return checked(data, str(folder))


def checked(data: Any, where: str) -> Manifest:
    """A manifest from the content of design.json. Raises HostError, which names the field."""
    if isinstance(data, dict) and data.get("schema") != SCHEMA:
        raise HostError(
            f"{where}: manifest schema {data.get('schema')}, this host reads {SCHEMA}",
            remedy=REMEDY,
        )
    try:
        found: Manifest = decoded(Manifest, data, "")
        check(found)
    except FieldError as error:
        raise HostError(f"{where}: design.json, {error}", remedy=REMEDY) from None
    if found.digest not in ("", manifest_digest(data)):
        raise HostError(
            f"{where}: design.json is not what build wrote (its digest is another)",
            remedy="edit plan.json and build it with --plan; a manifest by hand has no digest",
        )
    return found


def check(found: Manifest) -> None:
    """Raise FieldError for references to what is not there."""
    results: tuple[Port | Result, ...] = (*found.inputs, *found.outputs, *found.layers)
    for result in results:
        name = result.layout.buffer
        if name not in found.buffers:
            raise FieldError(f"layout of {result.name}: there is no buffer {name!r}")
    for port in found.inputs:
        check_preparation(port)
    for port in (*found.inputs, *found.outputs):
        for kind, _ in port.steps:
            if kind not in STEPS:
                raise FieldError(f"steps of {port.name}: {kind!r} is not one of {', '.join(STEPS)}")
    sections = {section.name for section in found.weights.sections}
    for name, buffer in found.buffers.items():
        if buffer.section is not None and buffer.section not in sections:
            raise FieldError(f"buffers.{name}: there is no section {buffer.section!r}")
    for mode, run in found.runs.items():
        for launch in (*run.once, *run.launches, *run.ahead):
            for argument in launch.arguments:
                check_argument(argument, found, f"runs.{mode}, {launch.kernel}")


def check_preparation(port: Port) -> None:
    """Raise FieldError for numbers that do not fit an input."""
    p = port.preparation
    if p is None:
        return
    if not 0 <= p.axis < len(port.shape):
        raise FieldError(f"preparation of {port.name}: there is no axis {p.axis}")
    if not len(p.scale) == len(p.shift) == port.shape[p.axis]:
        raise FieldError(
            f"preparation of {port.name}: axis {p.axis} has {port.shape[p.axis]} places"
        )


def check_argument(argument: Argument, found: Manifest, place: str) -> None:
    """Raise FieldError for an argument that is not one thing, or not there."""
    given = (argument.buffer is not None) + (argument.number is not None) + argument.images
    if given != 1:
        raise FieldError(f"{place}: an argument is one of buffer, int, images")
    if argument.buffer is not None and argument.buffer not in found.buffers:
        raise FieldError(f"{place}: there is no buffer {argument.buffer!r}")
