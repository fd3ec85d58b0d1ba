"""What the model counts is what the generator writes: load-store units, channels, products of
integers. The audit counts memories; trip counts and units of pipelined kernels are printed from the
description that the model reads (see test_nest.py)."""

import re
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.descriptors import record_fields, step_fields
from hlsgen.engines import arrays
from hlsgen.engines.array import NO_ARRAY
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.kernel.hardware import COLLECTED_FIFO
from hlsgen.model.estimate import estimate
from hlsgen.model.structure import structure
from hlsgen.ops import operator
from hlsgen.placement import place_tensors
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.rewrites.prefix import prefixes
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.choices import Choice, tensor_classes
from hlsgen.schedule.pipelined.planner import complete
from hlsgen.sparsify import sparsify
from hlsgen.zoo import network
from tests.emulator.test_ablation import MOVEMENT, NETWORK
from tests.emulator.test_skip import NETWORK as SKIPPING
from tests.emulator.test_sparse_engine import NETWORK as SPARSE
from tests.support.cases import case
from tests.support.networks import assert_right, parse
from tests.support.plans import pipeline, shared

SEVERAL = """(float[1,3,4,4] x, float[1,3,4,4] z) => (float[1,3,4,4] y, float[1,3,4,4] u)
{ y = Add(x, z) u = Relu(y) }"""
NETWORKS = {
    "lenet": lambda: network("lenet5"),
    "mixed": lambda: parse(NETWORK),
    "mobilenet": lambda: network("mobilenetv1", size=32, width=0.25),
    "sparse": lambda: sparsify(parse(SPARSE), "relative", sparsity=0.9).model,
    "skipping": lambda: sparsify(parse(SKIPPING), "relative", sparsity=0.85).model,
    "movement": lambda: parse(MOVEMENT),
    "branches": lambda: case("branches_of_different_length"),
}


@pytest.fixture(params=NETWORKS)
def name(request):
    return request.param


@cache
def designed(name, style, images=1):
    """Graph, plan and OpenCL text of a network in a style: several tests count in the same text."""
    graph, plan = planned(name, style, images)
    with tempfile.TemporaryDirectory() as folder:
        return graph, plan, hlsgen.generate(graph, plan, Path(folder) / "design").source


def planned(name, style, images=1):
    """Graph and plan of a network in a style."""
    graph, goal = hlsgen.load_graph(NETWORKS[name]()), Goal(images=images)
    return graph, shared(
        f"{name} {style} {images}",
        lambda: (
            of_style(graph, style)
            if images == 1
            else hlsgen.schedule(graph, style=style, goal=goal)
        ),
    )


def of_style(graph, style):
    """A plan of a style; a hybrid one has a prefix if it can, else pairs of layers if there are
    any, else it is folded."""
    if style != "hybrid":
        return hlsgen.schedule(graph, style=style)
    for layers in (*[count for count in prefixes(graph) if count > 1][:1], 0):
        try:
            return hlsgen.schedule(
                graph, style=style, goal=Goal(images=2, pins={("prefix", "layers"): layers})
            )
        except PlanError:
            continue
    return hlsgen.schedule(graph, style="folded")


def kernels_of(source):
    """The text of every kernel by name."""
    return {
        m.group(1): m.group(0)
        for m in re.finditer(r"__kernel void (\w+)\(.*?^}", source, re.S | re.M)
    }


def words_of_vectors(source):
    """Bits of the words of input vectors that kernels of their own put together, by type."""
    found = re.findall(r"^typedef struct { (\w+) v\[(\d+)\]; } (\w+_vectors);", source, re.M)
    return {
        name: 32 * int(vector.removeprefix("float") or 1) * int(count)
        for vector, count, name in found
    }


def global_accesses(text):
    """Loads and stores of every `__global` parameter of a kernel: how often it is indexed, in an
    unrolled loop once a turn."""
    names = re.findall(
        r"__global (?:const )?(?:volatile )?\w+ \*restrict (\w+)", text.split("{")[0]
    )
    body = text[text.index("{") :]
    unrolled = re.compile(
        r"^( *)#pragma unroll\n *for \(int \w+ = 0; \w+ < (\d+); \+\+\w+\) {\n(.*?)\n\1}",
        re.S | re.M,
    )
    found = 0
    for name in names:
        loops = [(int(m.group(2)) - 1, m.group(3)) for m in unrolled.finditer(body)]
        found += len(re.findall(rf"\b{name}\[", body))
        found += sum(more * len(re.findall(rf"\b{name}\[", inner)) for more, inner in loops)
    return found


@pytest.mark.parametrize("network", ["lenet", "two inputs and outputs"])
def test_names_of_pipelined_kernels(network, monkeypatch):
    monkeypatch.setitem(NETWORKS, "two inputs and outputs", lambda: parse(SEVERAL, inputs="xz"))
    graph, plan, source = designed(network, "pipelined")
    names = [kernel.name for kernel in structure(graph, plan).kernels]
    assert sorted(kernels_of(source)) == sorted(names)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["pipelined", "folded", "hybrid"])
def test_load_store_units(style, name):
    graph, plan, source = designed(name, style)
    design = structure(reshaped(graph, plan), plan)
    texts = kernels_of(source)
    assert len(texts) == len(design.kernels)
    for kernel in design.kernels:
        name = kernel.name if kernel.name in texts else f"{kernel.name}_1"
        assert global_accesses(texts[name]) == len(kernel.lsus), kernel.name
        before = source[: source.index(f"__kernel void {name}(")].rstrip().rsplit("\n", 1)[-1]
        assert kernel.autorun == (before in ("STREAMING_KERNEL", "ENGINE")), kernel.name


@pytest.mark.slow
@pytest.mark.parametrize("style", ["pipelined", "folded", "hybrid"])
def test_channels(style, name):
    graph, plan, source = designed(name, style)
    design = structure(reshaped(graph, plan), plan)
    declared = re.findall(r"^channel (\w+) \w+ __attribute__\(\(depth\((.+)\)\)\);", source, re.M)
    assert len(declared) == len(design.fifos)
    e = plan.engines
    whole, skipping = (known.shape(e) for known in arrays()) if e else (NO_ARRAY, NO_ARRAY)
    special = (
        {
            "int": 32,
            "float": 32,
            "vec": e.width * 32,
            "weight_word": e.width * e.burst * 32,
            "bias_word": 2 * e.width * 32,
            "convolution_word": e.width * whole.inputs * 32,
            "convolution_group": e.width * whole.outputs * 32,
            "skipping_group": e.width * skipping.outputs * 32,
        }
        if e
        else {}
    )
    special |= words_of_vectors(source)
    bits = [special.get(kind) or 32 * int(kind.removeprefix("float") or 1) for kind, _ in declared]
    assert sorted(bits) == sorted(fifo.bits for fifo in design.fifos)
    if plan.edges:
        stated = [re.match(r"STREAM_DEPTH\((\d+),", depth) for _, depth in declared]
        depths = [int(found.group(1)) for found in stated if found]
        collected = [COLLECTED_FIFO for kernel in plan.kernels if kernel.vectors_per_cycle > 1]
        assert sorted(depths) == sorted([*collected, *(edge.depth for edge in plan.edges)])


def products(text):
    """Products of integers in a kernel, each once: of fields of the step, and counts of
    turns. That of the counts of a pooling window is a narrow one; the size of an image is a
    constant."""
    found = re.finditer(r"(?=((?<![\w.])[\w.]+|\)) \* (s\.\w+|turns)\b)", text)
    return {(m.group(1), m.group(2)) for m in found if not m.group(2).startswith("s.constant")}


@pytest.mark.slow
@pytest.mark.parametrize(("style", "images"), [("folded", 1), ("folded", 3), ("hybrid", 1)])
def test_products_of_integers(style, images, name):
    graph, plan, source = designed(name, style, images)
    texts = kernels_of(source)
    for kernel in structure(reshaped(graph, plan), plan).kernels:
        text = texts.get(kernel.name) or texts[f"{kernel.name}_1"]
        assert len(products(text)) == kernel.products, kernel.name


@pytest.mark.slow
def test_folded_times_are_those_of_the_table(tmp_path):
    """The model's cycles of a convolution are the array's turns in the generated table, plus
    filling and draining."""
    graph = hlsgen.load_graph(network("resnet18", size=32, width=0.5))
    plan = hlsgen.schedule(graph, style="folded")
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    section = next(s for s in design.manifest.weights.sections if s.name == "table")
    fields = record_fields(graph, plan.steps)
    data = (design.path / "weights").read_bytes()[section.offset :][: 4 * section.elements]
    table = np.frombuffer(data, np.int32).reshape(len(plan.steps), len(fields))
    shaped = reshaped(graph, plan)
    placement = place_tensors(shaped, plan.engines.width)
    column = [field.name for field in fields].index("array_turns")
    for n, (step, time) in enumerate(
        zip(plan.steps, estimate(graph, plan).timing.layers, strict=True)
    ):
        found = step_fields(shaped, step, plan.engines, placement)
        assert table[n][column] == found["array_turns"]
        if step.engine == "convolution":
            assert time.cycles >= found["array_turns"] - found["tap_words"]
    assert f"#define STEP_WORDS {len(fields)}" in design.source


def test_dsps_closed_form():
    """9 taps x 4 x 2 lanes, an adder a lane for the sum of 2 input vectors; the bias joins it."""
    graph = hlsgen.load_graph(
        parse("(float[1,8,10,10] x, float[16,8,3,3] w) => (float[1,16,8,8] y) { y = Conv(x, w) }")
    )
    layer = graph.layers[0]
    kernel = hlsgen.plan.KernelPlan(layer.name, 4, 2, True, 1)
    arithmetic = operator("conv").pipelined_body(layer, graph, kernel).arithmetic
    assert arithmetic.multiply_adds == 9 * 4 * 2 and arithmetic.adds == 2
    assert board("pac_a10").device.multiply_add_dsps == 1


@pytest.mark.emulator
@pytest.mark.parametrize(("channels", "unroll"), [(3, True), (3, False), (5, False), (1, True)])
def test_lanes_that_hold_no_channel_have_no_multipliers(channels, unroll, tmp_path):
    """A vector of four lanes carries an image of three channels: 9 taps x 3 x 2 multipliers."""
    text = (
        f"(float[1,{channels},10,10] x, float[16,{channels},3,3] w, float[16] b) => "
        "(float[1,16,8,8] y)"
    )
    graph = hlsgen.load_graph(parse(f"{text} {{ y = Conv(x, w, b) }}"))
    plan = pipeline(graph)
    choice = Choice({"t_x": 4, "t_y": 2}, frozenset({"y"} if unroll else ()))
    plan = check_plan(graph, complete(graph, plan, tensor_classes(graph), choice))
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    multipliers = (9 if unroll else 1) * min(channels, 4) * 2
    assert f"; {multipliers} multipliers" in design.source
    kernel = next(kernel for kernel in structure(graph, plan).kernels if kernel.name == "y")
    assert kernel.body.arithmetic.multiply_adds == multipliers
    assert_right(HostDesign(design.path), images=2)
