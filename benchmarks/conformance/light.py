"""ONNX's nine light models: real topologies whose weights are one constant. With seeded He weights
they prove something."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from hlsgen.codegen.generate import generate
from hlsgen.frontend.load import load
from hlsgen.host.design import HostDesign
from hlsgen.host.validation import validate
from hlsgen.schedule.scheduler import schedule
from hlsgen.validation import Reference


@dataclass(frozen=True)
class Verdict:
    """What became of a model: the style that was chosen, layers compared, the outputs' worst
    relative error against onnxruntime."""

    name: str
    ok: bool
    style: str
    layers: int
    error: float


def names() -> list[str]:
    """The models in the onnx package."""
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    return sorted(path.stem.removeprefix("light_") for path in folder.glob("light_*.onnx"))


def model(name: str, seed: int = 0) -> onnx.ModelProto:
    """A model with He-normal weights in place of its constants, and without its final Softmax
    (which would hide differences).

    Vectors become small biases; scales and variances of normalisations are near 1.
    """
    found = onnx.load(
        Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx"
    )
    random, graph = np.random.default_rng(seed), found.graph
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            shapes[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    positive = {n.input[i] for n in graph.node if n.op_type == "BatchNormalization" for i in (1, 4)}
    for node in [node for node in graph.node if node.op_type == "ConstantOfShape"]:
        shape = tuple(int(n) for n in shapes[node.input[0]])
        array = random.standard_normal(shape, dtype=np.float32) * np.float32(
            np.sqrt(2 / max(1, int(np.prod(shape[1:]))))
        )
        if len(shape) == 1:
            array = (
                (1 + 0.1 * random.random(shape))
                if node.output[0] in positive
                else 0.1 * random.standard_normal(shape)
            )
        graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), node.output[0]))
        graph.node.remove(node)
    last = graph.node[-1]
    if last.op_type == "Softmax":
        output = onnx.helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, None)
        graph.node.remove(last)
        del graph.output[:]
        graph.output.append(output)
    return found


def run(name: str) -> Verdict:
    """Build a model for PAC D5005 and validate it on the emulator, every layer and the outputs."""
    graph = load(model(name))
    plan = schedule(graph)
    with tempfile.TemporaryDirectory(prefix="hlsgen-") as folder:
        generate(graph, plan, Path(folder) / "design")
        design = HostDesign(Path(folder) / "design")
        entry = design.manifest.inputs[0]
        inputs = {
            entry.name: np.random.default_rng(1).standard_normal(
                (1, *entry.shape[1:]), dtype=np.float32
            )
        }
        reference = Reference(design, inputs)
        verdict, outputs = validate(design, inputs, reference, timeout=600.0)
        against = reference.against_onnxruntime(outputs) or {}
    ok = bool(verdict["ok"] and against.get("ok"))
    return Verdict(
        name, ok, plan.style, len(verdict["layers"]), against.get("max_rel_error", float("nan"))
    )


if __name__ == "__main__":
    for each in names():
        print(run(each), flush=True)
