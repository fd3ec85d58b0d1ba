"""Weights that lie in memory as float16 or bfloat16: right on the emulator against onnxruntime on
rounded weights, half as wide wherever they lie or travel, refused where that cannot be."""

import json
import re
from dataclasses import replace

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import hlsgen
from hlsgen.cli.main import main
from hlsgen.errors import PlanError, UsageError
from hlsgen.host.design import HostDesign
from hlsgen.host.runner import run
from hlsgen.model.estimate import estimate
from hlsgen.model.pipelined_timing import streamed_bytes
from hlsgen.model.structure import structure
from hlsgen.plan import Plan
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.rewrites.weight_storage import with_storage
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.explain import explain
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.provenance import headline
from hlsgen.sparsify import sparsify
from hlsgen.stored_model import with_stored_weights
from tests.support.networks import assert_right, parse, random_inputs

# A plain, a strided, a grouped and a depthwise convolution, a scale and slopes a channel (which
# stay float32), a fully connected layer.
NETWORK = """(float[1,3,12,12] x, float[16,3,3,3] a, float[16] ab, float[16,1,3,3] d, float[16] db,
float[24,16,1,1] p, float[24,12,3,3] g, float[24] gb, float[24,1,1] slope, float[24] s,
float[24] b, float[24] m, float[24] var_v, float[10,864] f, float[10] fb) => (float[1,10] y) {
q = Conv<pads=[1,1,1,1]>(x, a, ab) r = Relu(q) t = Conv<pads=[1,1,1,1], group=16>(r, d, db)
u = Relu(t) v = Conv(u, p) w = PRelu(v, slope) z = BatchNormalization(w, s, b, m, var_v)
c = Conv<pads=[1,1,1,1], strides=[2,2], group=2>(z, g, gb) h = Flatten(c)
y = Gemm<transB=1>(h, f, fb) }"""
NUMPY = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
STORED = ("a", "d", "p", "g", "f")


def rounded_model(model, kind):
    """The model with the weights of its convolutions and matrices rounded by numpy."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for tensor in result.graph.initializer:
        if tensor.name in STORED:
            values = numpy_helper.to_array(tensor).astype(NUMPY[kind]).astype(np.float32)
            if kind == "float16":  # without its subnormal numbers
                values[np.abs(values) < 2.0**-14] = 0
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return result


def outputs_of(model, inputs):
    """What onnxruntime gives, image by image."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = [session.run(None, {k: v[i : i + 1] for k, v in inputs.items()})[0] for i in (0, 1)]
    return np.concatenate(found)


@pytest.fixture(scope="module")
def model():
    return parse(NETWORK)


# Weights on chip, or from memory: a convolution in row tiles, alone and with words of several
# vectors, and the fully connected layer.
PINS = {
    "pipelined": {},
    "streamed": {("v", "row_tiles"): 3, ("q", "row_tiles"): 1, ("y", "row_tiles"): 1},
    "folded": {},
    "hybrid": {("prefix", "layers"): 3},
}


@pytest.mark.emulator
@pytest.mark.parametrize("kind", NUMPY)
@pytest.mark.parametrize("way", PINS)
def test_right_on_the_emulator(way, kind, model, tmp_path):
    graph, style = hlsgen.load_graph(model), "pipelined" if way == "streamed" else way
    plan = hlsgen.schedule(graph, style=style, goal=Goal(weights=kind, pins=PINS[way]))
    assert sum(kernel.row_tiles > 0 for kernel in plan.kernels) == 3 * (way == "streamed")
    design = HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path)
    inputs = random_inputs(model, 2)
    own, other = outputs_of(rounded_model(model, kind), inputs), outputs_of(model, inputs)
    scale = np.abs(own).max()
    for strict in (False, True):
        assert_right(design, images=2, strict=strict)
        found = run(design, inputs, strict=strict).outputs["y"]
        assert np.abs(found - own).max() < 2e-6 * scale
    assert np.abs(other - own).max() > 1e-4 * scale  # so that the rounding shows


@pytest.mark.parametrize("kind", NUMPY)
def test_half_the_bytes_of_weights_that_stream(kind, model):
    graph = hlsgen.load_graph(model)
    plan = hlsgen.schedule(graph, style="pipelined", goal=Goal(pins=PINS["streamed"]))
    found = []
    for weights in ("float32", kind):
        changed = replace(plan, weights=weights)
        shaped = with_storage(graph, weights)
        design = structure(shaped, changed)
        widths = {f.name: f.bits for f in design.fifos if f.name.endswith("streamed")}
        units = [u.bits for k in design.kernels for u in k.lsus if u.argument == "filters"]
        found.append((streamed_bytes(shaped, changed), widths, units))
    (before, wide, units), (after, narrow, halves) = found
    assert len(wide) == 3 and before == 2 * after > 0
    assert wide == {name: 2 * bits for name, bits in narrow.items()}
    assert units == [2 * bits for bits in halves]


def memories(graph, plan):
    """Bits of the memories of weights, by kernel."""
    graph = reshaped(with_storage(graph, plan.weights), plan)
    return {
        kernel.name: memory.depth * memory.parts * memory.bits
        for kernel in structure(graph, plan).kernels
        for memory in kernel.body.memories
        if memory.name == "weights"
    }


@pytest.mark.parametrize("kind", NUMPY)
def test_half_as_wide_on_chip(kind, model):
    graph = hlsgen.load_graph(model)
    plan = hlsgen.schedule(graph, style="pipelined")
    wide, narrow = memories(graph, plan), memories(graph, replace(plan, weights=kind))
    assert wide and {name: bits // 2 for name, bits in wide.items()} == narrow
    before, after = (estimate(graph, p) for p in (plan, replace(plan, weights=kind)))
    assert before.timing.layers == after.timing.layers
    assert before.resources.dsps == after.resources.dsps


@pytest.mark.parametrize("kind", NUMPY)
def test_half_the_bytes_of_weights_from_memory(kind, model):
    """The weights of a folded design, all of them, twice as wide or not; the rest stays."""
    graph = hlsgen.load_graph(model)
    plan = hlsgen.schedule(graph, style="folded")
    designs = [structure(reshaped(with_storage(graph, w), p), p)
               for w in ("float32", kind) for p in (replace(plan, weights=w),)]  # fmt: skip
    widths = [{(k.name, u.argument): u.bits for k in d.kernels for u in k.lsus} for d in designs]
    halved = {name for name in widths[0] if widths[0][name] == 2 * widths[1][name]}
    assert halved == {name for name in widths[0] if name[1] == "weights"} and halved
    assert all(widths[0][name] == widths[1][name] for name in widths[0].keys() - halved)
    before, after = (estimate(graph, p).timing.bytes for p in (plan, replace(plan, weights=kind)))
    weights = sum(
        layer.weights["weight"].nbytes for layer in graph.layers if "weight" in layer.weights
    )
    assert before - after >= weights / 2  # and what pads their words


def test_weights_that_overflow_are_refused(model):
    large = onnx.ModelProto()
    large.CopyFrom(model)
    tensor = next(t for t in large.graph.initializer if t.name == "p")
    values = numpy_helper.to_array(tensor).copy()
    values[3, 2] = 1e5
    tensor.CopyFrom(numpy_helper.from_array(values, "p"))
    graph = hlsgen.load_graph(large)
    with pytest.raises(UsageError, match=r"float16: layer v: has a weight beyond.*\n.*bfloat16"):
        hlsgen.schedule(graph, goal=Goal(weights="float16"))
    assert hlsgen.schedule(graph, goal=Goal(weights="bfloat16")).weights == "bfloat16"


def test_styles_without_narrow_weights_refuse_them(model):
    graph = hlsgen.load_graph(model)
    with pytest.raises(UsageError, match=r"--weights.*no base design takes it"):
        hlsgen.schedule(graph, style="base", goal=Goal(weights="float16"))
    plan = hlsgen.schedule(graph, style="base")
    with pytest.raises(PlanError, match="a base design has no weights"):
        check_plan(graph, replace(plan, weights="float16"))
    with pytest.raises(UsageError, match="unknown type 'bfloat'; did you mean 'bfloat16'"):
        hlsgen.schedule(graph, goal=Goal(weights="bfloat"))


def test_what_does_not_decode_is_not_chosen_and_is_refused(model):
    sparse = sparsify(model, "relative", sparsity=0.9).model
    graph = hlsgen.load_graph(sparse)
    for style in ("pipelined", "folded"):
        plan = hlsgen.schedule(graph, style=style, goal=Goal(weights="bfloat16"))
        assert not any(kernel.nonzeros_per_lane for kernel in plan.kernels)
        assert not any(step.compressed or step.feeder for step in plan.steps)
        assert not {step.engine for step in plan.steps} & {"skipping", "sparse"}
    step = next(step for step in plan.steps if step.engine == "convolution")
    edited = tuple(replace(s, compressed=True) if s == step else s for s in plan.steps)
    with pytest.raises(PlanError, match="its weights are bfloat16"):
        check_plan(graph, replace(plan, steps=edited))


def test_onnxruntime_gets_the_model_as_it_is_where_nothing_is_rounded(model):
    graph = hlsgen.load_graph(model)
    assert with_stored_weights(graph) is graph.model
    changed = with_stored_weights(with_storage(graph, "bfloat16"))
    assert changed is not graph.model
    assert len(changed.graph.initializer) > len(graph.model.graph.initializer)


@pytest.mark.parametrize("style", ["pipelined", "folded"])
def test_what_is_said_is_of_the_plan_as_searched(style, model):
    """The printed band holds the printed rate, and the proof is of this plan."""
    graph, goal = hlsgen.load_graph(model), Goal(weights="float16")
    plan = hlsgen.schedule(graph, style=style, goal=goal)
    text = explain(graph, plan, headline(graph, plan, goal.calibration), goal.calibration)
    rate, low, high = (
        float(n.replace(",", ""))
        for n in re.search(
            r"Predicted: ([\d,.]+) \(([\d,.]+) to ([\d,.]+)\) images a second", text
        ).groups()
    )
    assert low <= rate <= high and "not as the search left it" not in text


@pytest.mark.emulator
@pytest.mark.slow
def test_the_audit_finds_what_the_model_charges(model, tmp_path):
    pytest.importorskip("llvmlite")
    graph = hlsgen.load_graph(model)
    for style in ("pipelined", "folded"):
        plan = hlsgen.schedule(graph, style=style, goal=Goal(weights="float16"))
        found = hlsgen.audit(hlsgen.generate(graph, plan, tmp_path / style).path)
        assert [f for f in found.findings if f.severity != "note"] == []
        memories = [m for p in found.promises.values() for m in p.memories]
        assert style == "folded" or "weights" in memories


@pytest.mark.emulator
def test_the_command(model, tmp_path, capsys):
    """Builds, validates against onnxruntime with rounded weights, and an edited plan keeps them."""
    path, out = tmp_path / "m.onnx", tmp_path / "d"
    onnx.save(model, path)
    options = ["--style", "pipelined", "--out", str(out)]
    assert main(["build", str(path), *options, "--weights", "bfloat16"]) == 0
    capsys.readouterr()
    assert main(["validate", str(out), "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["ok"] and verdict["onnxruntime"]["max_rel_error"] < 2e-6
    assert Plan.load(out / "plan.json").weights == "bfloat16"
    assert json.loads((out / "design.json").read_text())["weights"]["type"] == "bfloat16"
    again = tmp_path / "again"
    assert main(["build", str(path), "--plan", str(out / "plan.json"), "--out", str(again)]) == 0
    kernels = "kernels/m.cl"
    assert (again / kernels).read_text() == (out / kernels).read_text()
    assert (again / "weights").read_bytes() == (out / "weights").read_bytes()
