"""Networks for tests: ONNX text in, a model with seeded weights out; and the whole way to a
verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import hlsgen
from hlsgen.host.design import HostDesign
from hlsgen.host.runner import run
from hlsgen.host.validation import validate
from hlsgen.schedule.goal import Goal
from hlsgen.validation import Reference

NO_PINS: Mapping[tuple[str, str], int] = {}
# A hybrid design without a prefix: with pairs of layers alone.
NO_PREFIX = {("prefix", "layers"): 0}

# The network of the ONNX model zoo's MNIST: two convolutions, maxima, a fully connected layer.
MNIST = """(float[1,1,28,28] x, float[8,1,5,5] a, float[8] ab, float[16,8,5,5] b, float[16] bb,
float[256,10] f, float[10] fb) => (float[1,10] y) {
  first = Conv<auto_pad="SAME_UPPER">(x, a, ab) first_relu = Relu(first)
  first_pool = MaxPool<kernel_shape=[2,2], strides=[2,2]>(first_relu)
  second = Conv<auto_pad="SAME_UPPER">(first_pool, b, bb) second_relu = Relu(second)
  second_pool = MaxPool<kernel_shape=[3,3], strides=[3,3]>(second_relu)
  flat = Flatten(second_pool) y = Gemm(flat, f, fb) }"""


def parse(
    text: str, opset: int = 17, inputs: Sequence[str] = ("x",), seed: int = 0
) -> onnx.ModelProto:
    """A model from ONNX graph text `(inputs) => (outputs) {nodes}`.

    Graph inputs that are not named in `inputs` become float initializers: He-normal weights,
    positive where the name starts with "var".
    """
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> network {text}')
    random = np.random.default_rng(seed)
    runtime = [value for value in model.graph.input if value.name in inputs]
    for value in model.graph.input:
        if value.name in inputs:
            continue
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
        array = random.standard_normal(shape, dtype=np.float32)
        if value.name.startswith("var"):
            array = np.abs(array) + np.float32(0.5)
        elif len(shape) > 1:
            array *= np.float32(np.sqrt(2 / max(1, np.prod(shape[1:]))))
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
    del model.graph.input[:]
    model.graph.input.extend(runtime)
    return model


def random_inputs(model: onnx.ModelProto, images: int = 1, seed: int = 1) -> dict[str, np.ndarray]:
    """Standard normal inputs `(images, ...)` for every input of a static model."""
    random = np.random.default_rng(seed)
    names = {t.name for t in model.graph.initializer}
    return {
        value.name: random.standard_normal(
            (images, *(d.dim_value for d in value.type.tensor_type.shape.dim[1:])), dtype=np.float32
        )
        for value in model.graph.input
        if value.name not in names
    }


def run_onnxruntime(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """onnxruntime's outputs of one image, by name."""
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def build(
    model: onnx.ModelProto | str | Path,
    out: Path,
    style: str = "auto",
    board: str = "pac_d5005",
    disable: Sequence[str] = (),
    images: int = 1,
    pins: Mapping[tuple[str, str], int] = NO_PINS,
):
    """Build a design and return it for the host."""
    graph = hlsgen.load_graph(model)
    goal = Goal(images=images, pins=pins)
    hlsgen.generate(
        graph, hlsgen.schedule(graph, board=board, style=style, disable=disable, goal=goal), out
    )
    return HostDesign(out)


def images_for(design: HostDesign, images: int = 1) -> dict[str, np.ndarray]:
    """Random images for every input of a design."""
    random = np.random.default_rng(7)
    return {
        e.name: random.standard_normal((images, *e.shape[1:]), dtype=np.float32)
        for e in design.manifest.inputs
    }


def verdict_of(
    design: HostDesign,
    *,
    images: int = 1,
    inputs: dict[str, np.ndarray] | None = None,
    device: str = "emulator",
    strict: bool = False,
    timeout: float = 60.0,
    optimise: bool | None = None,
) -> dict:
    """Validate a design on random images, or on `inputs`, with onnxruntime's comparison in it."""
    inputs = images_for(design, images) if inputs is None else inputs
    reference = Reference(design, inputs)
    verdict, outputs = validate(
        design, inputs, reference, device=device, strict=strict, timeout=timeout, optimise=optimise
    )
    verdict["onnxruntime"] = reference.against_onnxruntime(outputs) if outputs else None
    return verdict


def assert_right(design: HostDesign, **options) -> dict:
    """Validate and assert that all layers and the output agree with numpy and with onnxruntime."""
    verdict = verdict_of(design, **options)
    assert verdict["ok"], verdict
    assert len(verdict["layers"]) == len(design.manifest.layers) > 0
    assert verdict["onnxruntime"]["ok"], verdict["onnxruntime"]
    return verdict


def assert_right_in_both_modes(design: HostDesign, **options) -> None:
    """`assert_right` with one kernel after another, then with all at once over FIFOs of their true
    depth."""
    for strict in (False, True):
        assert_right(design, strict=strict, **options)


def lines_printed(design: HostDesign, word: str, images: int = 1) -> list[list[str]]:
    """Run a design, and return the words behind `word` of each line of its kernels' printf that
    begins with it."""
    printed = run(design, images_for(design, images)).printed
    return [line.split()[1:] for line in printed.splitlines() if line.startswith(f"{word} ")]
