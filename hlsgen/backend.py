"""hlsgen as an ONNX backend: `onnx.backend.base.Backend`, so that ONNX's own test runner and other
people's scripts can drive it.

`Backend` computes with the numpy references on device "CPU", and with a generated design on the
Intel FPGA emulator on device "EMULATOR". `EmulatorBackend` does the latter whatever the device is
called, for runners that know "CPU" and "CUDA" alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.base import Backend as OnnxBackend
from onnx.backend.base import BackendRep, namedtupledict

from hlsgen.codegen.generate import generate
from hlsgen.errors import ModelError, UnsupportedError
from hlsgen.files import Scratch
from hlsgen.frontend.load import load
from hlsgen.graph import Graph
from hlsgen.host.design import HostDesign
from hlsgen.host.finite import check_finite, non_finite, warning
from hlsgen.host.runner import run
from hlsgen.ops import onnx_importers
from hlsgen.reference import run_network
from hlsgen.schedule.scheduler import schedule

DEVICES = ("CPU", "EMULATOR")


class Prepared(BackendRep):
    """A network that is ready to run. Inputs that hardware needs as constants (weights, shapes) are
    bound at the first run."""

    def __init__(self, model: onnx.ModelProto, device: str, style: str, board: str):
        self.model, self.device, self.style, self.board = model, device, style, board
        known = {tensor.name for tensor in model.graph.initializer}
        self.inputs = [value.name for value in model.graph.input if value.name not in known]
        self.constants, self.graph = find_constants(model, self.inputs)
        self._bound: dict[str, bytes] = {}
        self._built: tuple[Graph, Scratch] | None = None

    def run(self, inputs: Any, **kwargs: Any) -> tuple[np.ndarray, ...]:
        """Results of the network's outputs in order, as a named tuple. `inputs`: arrays in the
        order of the network's inputs.

        Warns of NaN and infinities in them. Raises UnsupportedError, ModelError, and HostError:
        what the emulator run raises, and for NaN and infinities in inputs.
        """
        values = dict(zip(self.inputs, [np.asarray(value) for value in inputs], strict=True))
        graph = self._graph(values)
        images = batch(graph, values)
        check_finite(images)
        outputs = (
            reference(graph, images)
            if self.device == "CPU"
            else run(self._design(graph), images).outputs
        )
        found = non_finite(outputs)
        if found:
            warnings.warn(warning(found), RuntimeWarning, stacklevel=2)
        shapes = {port.name: port.view.value_shape for port in graph.outputs}
        names = [output.name for output in self.model.graph.output]
        results = (
            outputs[n] if len(outputs[n]) > 1 else outputs[n].reshape(shapes[n]) for n in names
        )
        return namedtupledict("Outputs", names)(*results)

    def _graph(self, values: dict[str, np.ndarray]) -> Graph:
        """The normalised network, with the constants of this run."""
        wanted = {name: values[name].tobytes() for name in self.constants}
        while self.graph is None or wanted != self._bound:
            try:
                self.graph = load(bind(self.model, {name: values[name] for name in self.constants}))
                self._bound = wanted = {name: values[name].tobytes() for name in self.constants}
            except UnsupportedError as error:
                more = [
                    name
                    for name in self.inputs
                    if name in error.needs_constant and name not in self.constants
                ]
                if not more:
                    raise
                self.constants += more
        return self.graph

    def _design(self, graph: Graph) -> HostDesign:
        """The network's design, built once in a directory that lives as long as this object."""
        if self._built is None or self._built[0] is not graph:
            folder = Scratch()
            generate(graph, schedule(graph, self.board, self.style), Path(folder.name) / "design")
            self._built = graph, folder
        return HostDesign(Path(self._built[1].name) / "design")


def find_constants(model: onnx.ModelProto, inputs: Sequence[str]) -> tuple[list[str], Graph | None]:
    """The inputs that must be constants, and the normalised network if there are none. Raises
    UnsupportedError, ModelError.

    Inputs that stand for weights are taken for such. Else importing the network fails for want of
    them and tells their names; more may turn up when these are bound.
    """
    weights = {
        node.input[place]
        for node in model.graph.node
        if node.op_type in onnx_importers()
        for place in onnx_importers()[node.op_type].weight_places
        if place < len(node.input)
    }
    if given := [name for name in inputs if name in weights]:
        return given, None
    try:
        return [], load(model)
    except UnsupportedError as error:
        needed = [name for name in inputs if name in error.needs_constant]
        if not needed:
            raise
        return needed, None


def bind(model: onnx.ModelProto, values: dict[str, np.ndarray]) -> onnx.ModelProto:
    """The model with inputs bound to values."""
    bound = onnx.ModelProto()
    bound.CopyFrom(model)
    del bound.graph.input[:]
    bound.graph.input.extend(value for value in model.graph.input if value.name not in values)
    bound.graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in values.items()
    )
    return bound


def batch(graph: Graph, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inputs as images `(N, ...)`: one that is the whole value, or as many as a batch holds.
    Raises ModelError."""
    images = {}
    for port in graph.inputs:
        value, shape = values[port.name].astype(port.dtype), port.view.value_shape
        if value.shape == shape:
            value = value.reshape(port.image_shape)
        elif (
            value.ndim != len(shape)
            or value.shape[1:] != shape[1:]
            or shape[0] != 1
            or not len(value)
        ):
            raise ModelError(
                f"shape {list(value.shape)} given, {list(shape)} needed", where=f"input {port.name}"
            )
        if not np.isfinite(value).all() and np.isfinite(values[port.name]).all():
            raise ModelError(
                "it holds numbers beyond float32, in which designs compute",
                where=f"input {port.name}",
                remedy="scale it",
            )
        images[port.name] = value
    if len({len(value) for value in images.values()}) > 1:
        raise ModelError("its inputs hold different numbers of images", where="model")
    return images


def reference(graph: Graph, images: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of all images by the numpy references, `(N, ...)`."""
    count = len(next(iter(images.values())))
    runs = [
        run_network(graph, {name: value[i : i + 1] for name, value in images.items()})
        for i in range(count)
    ]
    return {
        port.name: np.concatenate([found[port.name].reshape(port.image_shape) for found in runs])
        for port in graph.outputs
    }


class Backend(OnnxBackend):
    """The ONNX backend interface."""

    emulated: tuple[str, ...] = ("EMULATOR",)

    @classmethod
    def prepare(
        cls,
        model: onnx.ModelProto,
        device: str = "CPU",
        style: str = "auto",
        board: str = "pac_d5005",
        **kwargs: Any,
    ) -> Prepared:
        """Make a network ready to run. Raises UnsupportedError, ModelError."""
        return Prepared(model, "EMULATOR" if device in cls.emulated else "CPU", style, board)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Any = None,
        **kwargs: Any,
    ) -> tuple[np.ndarray, ...]:
        """Run one node. Its outputs' shapes are inferred."""
        opset = kwargs.pop("opset_version", onnx.defs.onnx_opset_version())
        arrays = dict(
            zip([name for name in node.input if name], [np.asarray(a) for a in inputs], strict=True)
        )
        typed = [
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape
            )
            for name, a in arrays.items()
        ]
        results = [
            onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None)
            for n in node.output
            if n
        ]
        graph = onnx.helper.make_graph([node], "node", typed, results)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
        return cls.prepare(model, device, **kwargs).run(list(arrays.values()))

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """ "CPU" (numpy references) and "EMULATOR"."""
        return device in DEVICES

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether `prepare` takes the model."""
        try:
            cls.prepare(model, device, **kwargs)
        except (UnsupportedError, ModelError):
            return False
        return True


class EmulatorBackend(Backend):
    """The same, on the emulator whatever the device."""

    emulated = DEVICES
