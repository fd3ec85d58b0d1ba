"""Kernels of folded designs as the compiler's guides want them: arrays, ends of channels and
distances in the text are the model's."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from onnx import numpy_helper

import hlsgen
from hlsgen.boards import board
from hlsgen.codegen.folded import FoldedGenerator, generate_folded
from hlsgen.codegen.folded_text import steps_by_engine
from hlsgen.engines import arrays, is_array
from hlsgen.errors import Infeasible, PlanError
from hlsgen.kernel.memory import MEMORY_DISTANCE, SUM_DISTANCE
from hlsgen.model.estimate import estimate
from hlsgen.model.finishing import engines_used, finish
from hlsgen.model.folded_structure import shared_kernels
from hlsgen.model.step_time import step_time
from hlsgen.model.structure import structure
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.rewrites.prefix import halves
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.folded.shapes import bursts
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.scheduler import schedule
from tests.schedule.test_structure import NETWORKS, designed, kernels_of
from tests.support.networks import parse
from tests.support.quantised import joined_network, quantised_statically

# Kernels of a hybrid design's prefix are not spoken of here.
STYLES = ("folded", "hybrid")
# Arrays that are no larger stay in registers, however they are addressed.
SMALL = 64
SIZES = {"float": 4, "int": 4, "ushort": 2, "ulong": 8}


@pytest.fixture(params=sorted(set(NETWORKS) - {"branches"}))
def name(request):
    return request.param


@cache
def engine_kernels(name, style):
    """The plan, and each kernel of the engines with its text."""
    graph, plan, source = designed(name, style)
    texts, prefix = kernels_of(source), {kernel.layer for kernel in plan.kernels}
    kernels = structure(reshaped(graph, plan), plan).kernels
    ours = [k for k in kernels if k.name in texts and k.name.removesuffix("_1") not in prefix]
    return plan, [
        (kernel, texts[kernel.name]) for kernel in ours if "STEP_WORDS" in texts[kernel.name]
    ]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.slow
def test_arrays_are_declared_as_charged(style, name):
    plan, kernels = engine_kernels(name, style)
    assert kernels
    for kernel, text in kernels:
        for memory in kernel.body.memories:
            found = re.findall(rf"^ +(\w+ {memory.name}\[.*;)", text, re.M)
            assert len(found) == 1 and found[0] == memory.declaration(found[0].split()[0]), (
                kernel.name,
                memory,
            )
            element = SIZES.get(found[0].split()[0]) or 4 * plan.engines.width
            assert 8 * element == memory.bits
        kept = {memory.name for memory in kernel.body.memories}
        for kind, others in re.findall(
            r"^ +(vec|float|int|ushort|ulong) (\w+\[[^=;]*);", text, re.M
        ):
            for array in others.split(", "):
                lengths = [int(length) for length in re.findall(r"\[(\d+)\]", array)]
                size = np.prod(lengths) * (SIZES.get(kind) or 4 * plan.engines.width)
                assert array.split("[")[0] in kept or array.endswith("REGISTERS") or size <= SMALL


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.slow
def test_a_channel_end_stands_once_in_a_kernel(style, name):
    for kernel, text in engine_kernels(name, style)[1]:
        ends = re.findall(r"(read_channel_intel|write_channel_intel)\((\w+)", text)
        assert len(ends) == len(set(ends)), kernel.name


@pytest.mark.parametrize("style", STYLES)
def test_ends_of_channels_and_arguments_are_those_described(style, name):
    """What a kernel is charged for is what its text has, and no more."""
    graph, plan, source = designed(name, style)
    if style == "hybrid":
        _, (graph, plan) = halves(graph, plan) if plan.kernels else (None, (graph, plan))
    assert_ends_and_arguments(reshaped(graph, plan), plan, kernels_of(source))


def test_ends_and_arguments_of_kernels_on_integers():
    """With float32 beside, joins and averages."""
    graph = hlsgen.load_graph(joined_network()[0])
    plan = hlsgen.schedule(graph, style="folded")
    source = generate_folded(graph, plan, board("pac_d5005")).source
    assert_ends_and_arguments(reshaped(graph, plan), plan, kernels_of(source))


def assert_ends_and_arguments(shaped, plan, texts):
    used, end = engines_used(shaped, plan), finish(shaped, plan)
    kernels = shared_kernels(shaped, plan, used, end)
    for known in used:
        kernels += [*known.described(shaped, plan), *known.readers(shaped, plan)]
    for kernel in kernels:
        text = texts[kernel.name]
        found = re.findall(r"(read|write)_channel_intel\((\w+)", text)
        said = [("write" if x.writes else "read", x.channel) for x in kernel.ends]
        assert sorted(found) == sorted(said), kernel.name
        arguments = re.findall(r"restrict (\w+)", text)
        assert arguments == [pointer.name for pointer in kernel.pointers]


@pytest.mark.parametrize("style", STYLES)
def test_no_load_through_a_chosen_pointer(style, name):
    """An element of a memory is loaded into a value of its own, and chosen then."""
    for kernel, text in engine_kernels(name, style)[1]:
        for memory in kernel.body.memories:
            for line in text.splitlines():
                assert not re.search(rf"\? .*\b{memory.name}\[|: {memory.name}\[", line), (
                    kernel.name,
                    line,
                )


WINDOWS = """(float[1,16,5,5] x, float[16,1,3,3] d, float[40,16,3,3] w,
float[16,40,1,1] p) => (float[1,16,2,2] y) {
    a = Conv<group=16, pads=[1,1,1,1]>(x, d) b = Conv<pads=[1,1,1,1]>(a, w) c = Conv(b, p)
    y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(c) }"""


@cache
def table(images):
    """The step table of a network of small planes, and its plan."""
    graph = hlsgen.load_graph(parse(WINDOWS))
    plan = check_plan(graph, hlsgen.schedule(graph, style="folded", goal=Goal(images=images)))
    generator = FoldedGenerator(reshaped(graph, plan), plan)
    return plan, generator, generator.steps()


@pytest.mark.parametrize("images", [1, 3])
def test_words_of_memories_rest_long_enough(images):
    """Rows of line buffers, phases of sums, and the turns between a store into one half of a buffer
    and the first load from it."""
    plan, generator, steps = table(images)
    serving = steps_by_engine(steps, generator.used, generator.numbers).serving
    rows = {}
    for known in generator.used:
        for kernel in known.described(generator.graph, plan, serving[known.name]):
            windows = [nest.window for nest in kernel.nests if nest.window]
            if windows:
                rows[known.name] = windows[0].row
    assert set(rows) == {"depthwise", "pooling"} and min(rows.values()) >= MEMORY_DISTANCE
    for step, fields in zip(plan.steps, steps, strict=True):
        if step.engine in ("depthwise", "pooling"):
            assert fields["in_columns"] >= rows[step.engine]
        if is_array(step.engine):
            assert fields["phase_turns"] >= SUM_DISTANCE
            for turns in ("first_turns", "pass_turns"):
                assert fields[turns] - fields["tile_loads"] >= MEMORY_DISTANCE
            assert fields["pass_turns"] - fields["send_turns"] >= MEMORY_DISTANCE
            assert (
                fields["group_turns"] - fields["pixels"] * fields["out_vectors"] == MEMORY_DISTANCE
            )


@pytest.mark.parametrize("images", [1, 3])
def test_who_hears_of_a_step(images):
    """Engines' bits are those of the step; all steps but the first wait."""
    _, generator, steps = table(images)
    bits = generator.listeners()
    assert len(set(bits.values())) == len(bits)
    for number, fields in enumerate(steps):
        hears = {name for name, bit in bits.items() if fields["listeners"] & bit}
        engine = {name for name, n in generator.numbers.items() if name and n == fields["engine"]}
        assert hears - {"after", "filter_reader"} == engine
        assert ("after" in hears) == bool(number)
        assert ("filter_reader" in hears) == ("depthwise" in engine)


@pytest.mark.parametrize("images", [1, 3])
def test_a_step_takes_no_less_than_its_kernels_loops(images):
    """Predicted cycles against the trip counts in the table."""
    plan, generator, steps = table(images)
    target, found = board(plan.board), 0
    for step, fields in zip(plan.steps, steps, strict=True):
        cycles = step_time(generator.graph, step, plan.engines, target).cycles
        assert cycles >= fields["loads"] and cycles >= fields["results"]
        for turns in ("tile_turns", "array_turns", "result_turns"):
            found += fields[turns] > 0
            assert cycles >= fields[turns], (step.layer, turns)
    assert found


def test_words_of_weights_that_may_be():
    """Of integers longer than a vector, and powers of two: turns are counted by shifts."""
    floats = hlsgen.load_graph(
        parse("(float[1,8,6,6] x, float[8,8,3,3] w) => (float[1,8,4,4] y) { y = Conv(x, w) }")
    )
    integers = hlsgen.load_graph(joined_network()[0])
    assert bursts(floats, 4) == (4, 2, 1) and 16 in bursts(integers, 4)
    for graph, burst in ((floats, 3), (floats, 8), (integers, 12)):
        plan = schedule(graph, style="folded", goal=Goal(pins={("engines", "width"): 4}))
        check_plan(graph, plan)
        with pytest.raises(PlanError, match=f"burst {burst} must be one of"):
            check_plan(graph, replace(plan, engines=replace(plan.engines, burst=burst)))
    with pytest.raises(Infeasible):
        pins = {("engines", "width"): 2, ("engines", "burst"): 8}
        schedule(floats, style="folded", goal=Goal(pins=pins))


def test_integers_with_many_zeros_have_no_array_that_skips_them(tmp_path):
    """A sparsified network can be quantised and built."""
    model = parse("""(float[1,32,12,12] x, float[32,32,3,3] a, float[32,32,3,3] b)
        => (float[1,32,8,8] y) { p = Conv(x, a) q = Relu(p) y = Conv(q, b) }""")
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).copy()
        values[np.random.default_rng(0).random(values.shape) < 0.9] = 0
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    _, skipping = arrays()
    plan = schedule(hlsgen.load_graph(model), style="folded")
    assert skipping.name in plan.engines.sizes
    plan = schedule(hlsgen.load_graph(quantised_statically(model, tmp_path)), style="folded")
    assert skipping.name not in plan.engines.sizes


def test_integers_take_several_taps_at_once_in_narrow_vectors(tmp_path):
    """A small board has logic for few lanes, and multipliers for many products of bytes: more taps
    at once are quicker than one."""
    model = parse("""(float[1,16,28,28] x, float[64,16,3,3] a, float[64,64,3,3] b)
        => (float[1,64,24,24] y) { p = Conv(x, a) q = Relu(p) y = Conv(q, b) }""")
    graph = hlsgen.load_graph(quantised_statically(model, tmp_path))

    def found(**pins):
        goal = Goal(pins={("engines", name): value for name, value in pins.items()})
        plan = schedule(graph, "de1_soc", "folded", goal=goal)
        return plan.engines, estimate(graph, plan).throughput

    chosen, rate = found()
    assert chosen.width < 16 and chosen.sizes["convolution"]["inputs"] > 1
    assert rate > found(**{"convolution.inputs": 1})[1]
