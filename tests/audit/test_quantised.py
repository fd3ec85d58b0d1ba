"""Integer kernels: the model charges what the text has, and half the multipliers of float32."""

from dataclasses import replace

import numpy as np
import pytest

from hlsgen.accelerator import summary
from hlsgen.audit.design import audit
from hlsgen.boards import board
from hlsgen.codegen.generate import generate
from hlsgen.descriptors import own_fields, step_counts
from hlsgen.frontend.load import load
from hlsgen.kernel.hardware import Arithmetic, Body
from hlsgen.model.resources import body_cost
from hlsgen.model.step_time import step_time
from hlsgen.plan import Plan
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.scheduler import schedule
from tests.support.quantised import Builder, joined_network


def test_dsps_of_the_text_are_those_of_the_model(tmp_path):
    graph = load(joined_network()[0])
    plan = schedule(graph, "pac_d5005", "pipelined", goal=Goal(pins={("conv", "unroll_window"): 1}))
    generate(graph, plan, tmp_path / "design")
    found = audit(tmp_path / "design")
    assert [f for f in found.findings if f.rule in ("dsps", "model", "intervals")] == []
    conv = next(k for k in found.kernels if k.name == "conv")
    lanes = plan.kernel("conv").output_width
    products = 9 * plan.kernel("conv").input_width * lanes
    assert conv.arithmetic.narrow_products == products
    assert conv.arithmetic.dsps == products / 2 + lanes  # and a factor a lane


def test_engines_on_integers(tmp_path):
    """Two products a DSP and a factor a lane; bytes in memory where float32 takes four times as
    many."""
    graph = load(joined_network()[0])
    plan = schedule(graph, "pac_d5005", "folded")
    generate(graph, plan, tmp_path / "design")
    found = audit(tmp_path / "design")
    assert not [f for f in found.findings if f.severity != "note"]
    array = next(k for k in found.kernels if k.name == "convolution_engine")
    own = plan.engines.of("convolution")
    products = own.width**2 * own.inputs * own.outputs
    assert array.arithmetic.narrow_products == products
    assert array.arithmetic.dsps == products / 2
    step = next(step for step in plan.steps if step.engine == "convolution")
    moved = step_time(graph, step, plan.engines, board("pac_d5005")).bytes
    fields = step_counts(graph, step, plan.engines, own_fields(graph, step, plan.engines))
    vectors = fields["loads"] + 2 * fields["results"]  # with what is joined
    parameters = (
        fields["tiles"] * step.groups * (fields["taps"] * fields["tap_words"] * own.burst + 8)
    )
    assert moved == own.width * (vectors + parameters)


def test_the_type_of_weights_is_told():
    """Integers, and float32 of a layer that is not quantised."""
    b = Builder(1, np.uint8)
    x = b.quantised(b.input((1, 8, 4, 4)))
    weight, _ = b.weight((8, 8, 3, 3), 0)
    y = b.quantised(b.node("Conv", [x, weight]))
    w = b.constant("w", b.rng.normal(size=(8, 8, 1, 1)).astype(np.float32))
    for model, told in (
        (b.model(y), ", int8"),
        (b.model(b.node("ConvTranspose", [y, w])), ", float32 and int8"),
    ):
        graph = load(model)
        assert summary.weights(graph, Plan("net", "pac_d5005", "pipelined")).endswith(told)


@pytest.mark.parametrize(("name", "share"), [("pac_d5005", 2), ("de10_nano", 2)])
def test_products_of_bytes_share_dsps(name, share):
    target = board(name)
    assert target.device.int8_macs_per_dsp == share
    dsps = body_cost(Body(Arithmetic(narrow_products=48)), target)[3]
    assert dsps == 48 / share < body_cost(Body(Arithmetic(multiply_adds=48)), target)[3] + 1


def test_sums_of_integers_do_not_rest():
    """A fully connected layer with one output vector adds every iteration to the same sum."""
    b = Builder(1, np.int8)
    x = b.quantised(b.input((1, 64)))
    weight, _ = b.weight((64, 4), 1)
    b.node("MatMul", [x, weight])
    b.nodes[-1].name = "fc"
    graph = load(b.model(b.quantised(b.nodes[-1].output[0])))
    plan = schedule(graph, "pac_d5005", "pipelined")
    assert plan.kernel("fc").partial_sums == 1


@pytest.mark.parametrize(
    ("sdk", "words"),
    [
        ("16.1", ""),
        ("18.1", "builds them from logic; --dsps"),
        ("19.4", "of aoc 19.4 it is unknown"),
    ],
)
def test_products_that_aoc_may_build_from_logic_are_told_of(sdk, words, monkeypatch):
    """Beyond half of the DSPs, and of versions that do so, or of which nobody knows."""
    graph = load(joined_network()[0])
    plan = schedule(graph, "pac_d5005", "pipelined")
    assert summary.products(graph, plan) == ""
    whole = board("pac_d5005")
    target = replace(whole, sdk=sdk, reserved_dsps=whole.device.dsps - 100)
    monkeypatch.setattr(summary, "find_board", lambda name: target)
    found = summary.products(graph, plan)
    assert words in found and bool(words) == bool(found)


@pytest.mark.parametrize("zeros", [0.0, 0.9])
def test_float_layers_beside_integers_take_products_and_additions_apart(zeros, tmp_path):
    """All rounding stays where it is: no multiply-adds, and sums one after another."""
    b = Builder(3, np.int8)
    given = b.quantised(b.quantised(b.input((1, 16, 4, 4))))
    values = b.rng.standard_normal((16, 16, 1, 1)).astype(np.float32)
    values[b.rng.random(values.shape) < zeros] = 0
    result = b.node("Conv", [given, b.constant("w", values)])
    graph = load(b.model(result))
    layer = next(layer for layer in graph.layers if layer.op == "conv")
    skips = {(layer.name, "nonzeros_per_lane"): 2} if zeros else {}
    plan = schedule(graph, "pac_d5005", "pipelined", goal=Goal(pins=skips))
    generate(graph, plan, tmp_path / "design")
    found = audit(tmp_path / "design")
    assert not [f for f in found.findings if f.rule in ("dsps", "depth", "model")]
    floats = next(k for k in found.kernels if k.name == layer.name).arithmetic.floats
    assert floats["fmul"] >= 16 and "multiply_add" not in floats
