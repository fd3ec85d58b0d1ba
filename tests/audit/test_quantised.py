"""Integer kernels: the model charges what the text has, and half the multipliers of float32."""

import numpy as np
import pytest

from hlsgen.audit.design import audit
from hlsgen.boards import board
from hlsgen.codegen.generate import generate
from hlsgen.frontend.load import load
from hlsgen.kernel.hardware import Arithmetic, Body
from hlsgen.model.resources import body_cost
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.scheduler import schedule
from tests.support.quantised import Builder


def joined():
    """A convolution, its sum with the input, a product, averages of windows and of all."""
    b = Builder(3, np.uint8)
    x = b.quantised(b.input((1, 8, 8, 8)))
    weight, _ = b.weight((8, 8, 3, 3), 0)
    y = b.quantised(b.node("Conv", [x, weight], pads=[1] * 4), low=0.2, high=0.4)
    b.nodes[-3].name = "conv"
    total = b.quantised(b.node("Add", [y, x]), low=0.3, high=0.5)
    mean = b.quantised(b.node("AveragePool", [total], kernel_shape=[2, 2], strides=[2, 2]))
    whole = b.quantised(b.node("GlobalAveragePool", [mean]))
    return b.model(b.quantised(b.node("Mul", [mean, whole]), low=0.3, high=0.5))


def test_dsps_of_the_text_are_those_of_the_model(tmp_path):
    graph = load(joined())
    plan = schedule(graph, "pac_d5005", "pipelined", goal=Goal(pins={("conv", "unroll_window"): 1}))
    generate(graph, plan, tmp_path / "design")
    found = audit(tmp_path / "design")
    assert [f for f in found.findings if f.rule in ("dsps", "model", "intervals")] == []
    conv = next(k for k in found.kernels if k.name == "conv")
    lanes = plan.kernel("conv").output_width
    products = 9 * plan.kernel("conv").input_width * lanes
    assert conv.arithmetic.narrow_products == products
    assert conv.arithmetic.dsps == products / 2 + lanes  # and a factor a lane


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
