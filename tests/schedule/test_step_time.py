"""What the folded search remembers of a step is what working it out anew gives, and no two layers
share it that differ in what it reads."""

from dataclasses import replace
from math import ceil

import numpy as np
import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.engines.array import ArrayShape
from hlsgen.errors import PlanError
from hlsgen.graph import Tensor
from hlsgen.model import step_time as module
from hlsgen.model.kinds import layer_kinds
from hlsgen.model.step_time import step_time, timed, times_on
from hlsgen.ops.conv_steps import conv_tile
from hlsgen.ops.window import Window
from hlsgen.placement import place_tensors
from hlsgen.plan import Engines, EngineSizes, Plan
from hlsgen.schedule.folded.shapes import aligned, with_needed
from hlsgen.schedule.folded.steps import models, plan_steps, uses
from hlsgen.schedule.folded.tiling import tilings, timed_ways
from tests.support.networks import parse
from tests.support.random_networks import random_network

BOARD = board("pac_d5005")
LATENCY = BOARD.device.load_latency


def choice(seed):
    random = np.random.default_rng(seed)
    return lambda options: options[int(random.integers(len(options)))]


def engines_for(graph, width, burst, group, **arrays):
    sized = {name: ArrayShape(*sizes)._asdict() for name, sizes in arrays.items()}
    return with_needed(Engines(width, burst, group), graph).sized(**sized)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "sizes",
    [
        {"burst": 1, "group": 2, "convolution": (1, 2, 4096, 64)},
        {"burst": 1, "group": 5, "convolution": (3, 5, 512, 1024)},
        {"burst": 2, "group": 3, "skipping": (2, 3, 4096, 64)},
    ],
)  # fmt: skip
def test_remembered_times_are_those_worked_out_anew(seed, sizes):
    graph = hlsgen.load_graph(random_network(choice(seed), 9))
    for width in (2, 8):
        for images in (1, 3):
            plan = Plan("random", "pac_d5005", "folded", images=images)
            engines = engines_for(graph, width, **sizes)
            if not aligned(graph, width):
                continue
            try:
                steps = plan_steps(graph, engines, plan)
            except PlanError:  # a window of some seed needs more than the smaller buffers hold
                continue
            for option in (option for step in steps for option in tilings(step, graph, engines)):
                assert step_time(graph, option, engines, BOARD) == timed(
                    graph, option, engines, LATENCY
                )


TWINS = """(float[1,16,12,12] x, float[16,16,3,3] v,
float[{filters},{inputs},{ky},{kx}] w) => (float[1,{filters},?,?] y)
{{ t = Conv<pads=[1,1,1,1]>(x, v) y = Conv<{attributes}>(t, w) }}"""


def twins(filters=16, inputs=16, kernel=(3, 3), attributes="pads=[1,1,1,1]"):
    text = TWINS.format(
        filters=filters, inputs=inputs, ky=kernel[0], kx=kernel[1], attributes=attributes
    )
    return hlsgen.load_graph(parse(text.replace("?,?", "N,M")))


def test_equal_layers_are_of_one_kind():
    assert len(set(layer_kinds(twins()).values())) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"filters": 32},
        {"inputs": 8, "attributes": "group=2, pads=[1,1,1,1]"},
        {"kernel": (1, 1), "attributes": "pads=[0,0,0,0]"},
        {"attributes": "pads=[1,1,1,1], strides=[2,2]"},
        {"attributes": "pads=[2,2,2,2], dilations=[2,2]"},
        {"attributes": "pads=[0,0,2,2]"},
    ],
)
def test_layers_that_differ_are_of_two_kinds(changed):
    assert len(set(layer_kinds(twins(**changed)).values())) == 2


def test_layers_that_differ_in_zeros_are_of_two_kinds():
    graph = twins()
    weight = graph.layers[1].weights["weight"].copy()
    weight[:, :8] = 0
    sparse = replace(graph.layers[1], weights={**graph.layers[1].weights, "weight": weight})
    assert len(set(layer_kinds(replace(graph, layers=(graph.layers[0], sparse))).values())) == 2


def test_networks_of_the_same_names_share_nothing():
    small, large = (
        hlsgen.load_graph(
            parse(
                f"(float[1,4,{n},{n}] x, float[4,4,1,1] w) => (float[1,4,{n},{n}] y) {{ y = "
                f"Conv(x, w) }}"
            )
        )
        for n in (4, 8)
    )
    assert place_tensors(large, 4).size == 4 * place_tensors(small, 4).size


def test_as_many_steps_are_timed_for_many_equal_layers_as_for_two(monkeypatch):
    counted = []
    monkeypatch.setattr(module, "timed", lambda *arguments: counted.append(1) or timed(*arguments))

    def timings(layers):
        lines = " ".join(f"t{i + 1} = Conv<pads=[1,1,1,1]>(t{i}, w{i})" for i in range(layers))
        weights = ", ".join(f"float[16,16,3,3] w{i}" for i in range(layers))
        text = f"(float[1,16,16,16] t0, {weights}) => (float[1,16,16,16] t{layers}) {{ {lines} }}"
        graph = hlsgen.load_graph(parse(text, inputs=("t0",)))
        assert len(set(models(graph, Plan("c", "pac_d5005", "folded")).values())) == 1
        counted.clear()
        hlsgen.schedule(graph, board="de5_net", style="folded")
        return len(counted)

    assert 0 < timings(8) <= 2 * timings(2)


def test_tiles_are_those_that_trying_all_cuts_finds():
    random = np.random.default_rng(0)

    def number(most):
        return int(random.integers(1, most + 1))

    def tried(window, result, depth, engines):
        for columns in (ceil(result.width / n) for n in range(1, result.width + 1)):
            for rows in (ceil(result.height / n) for n in range(1, result.height + 1)):
                sides = zip((rows, columns), window.stride, window.extent, strict=True)
                down, across = ((n - 1) * stride + extent for n, stride, extent in sides)
                if (
                    rows * columns <= engines.tile_pixels
                    and down * across * depth <= engines.tile_vectors
                ):
                    return rows, columns
        return None

    for _ in range(1000):
        window = Window((number(4), number(4)), (number(3), number(3)), (number(3), number(3)))
        result, depth = Tensor("t", 1, number(24), number(24)), number(5)
        engines = EngineSizes(1, 1, {"tile_vectors": 1 << number(10), "tile_pixels": number(100)})
        assert conv_tile(window, result, depth, engines) == tried(window, result, depth, engines)


def test_engines_that_differ_in_taps_share_steps():
    """How many taps an array multiplies at once changes the time of a step, not how a layer is cut
    into steps."""
    graph = twins()
    plan = Plan("twins", "pac_d5005", "folded")
    one, four = (
        engines_for(graph, 8, burst=1, group=2, convolution=(inputs, 2, 512, 64))
        for inputs in (1, 4)
    )
    name = graph.layers[0].name
    assert uses(name, graph, one, plan) == uses(name, graph, four, plan)
    ways = [timed_ways(name, graph, e, plan, times_on(graph, e, BOARD)) for e in (one, four)]
    assert ways[0] != ways[1]
