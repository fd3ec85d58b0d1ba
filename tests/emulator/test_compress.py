"""Compressed weights of convolutions: packed as documented, expanded on the chip, right on the
emulator, counted by the model."""

import re
from dataclasses import replace
from math import ceil

import numpy as np
import pytest

import hlsgen
from hlsgen.engines.convolution import compressed_rows
from hlsgen.host.design import HostDesign
from hlsgen.model.estimate import estimate
from hlsgen.model.structure import structure
from hlsgen.ops.compress import BLOCK, block_rows, blocks_of, compressed
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.explain import explain
from hlsgen.schedule.folded.shapes import OUTPUTS
from hlsgen.schedule.goal import Goal
from hlsgen.sparsify import sparsify
from hlsgen.zoo import network
from tests.support.faults import change_kernels
from tests.support.networks import assert_right, assert_right_in_both_modes, parse

NETWORKS = {
    "windows": "(float[1,40,6,6] x, float[70,40,3,3] w, float[70] b, float[5,70,1,1] v) => "
    "(float[1,5,4,4] y) "
    "{ t = Conv(x, w, b) r = Relu(t) y = Conv(r, v) }",
    "groups": "(float[1,64,9,9] x, float[64,32,3,3] w) => (float[1,64,7,7] y) { y = "
    "Conv<group=2, strides=[1,1]>(x, w) }",
    "pair": "(float[1,32,9,9] x, float[32,1,3,3] d, float[48,32,1,1] p) => (float[1,48,9,9] y) "
    "{ t = Conv<group=32, pads=[1,1,1,1]>(x, d) r = Relu(t) y = Conv(r, p) }",
}


def design_of(name, share, folder, style="folded", every=True):
    """A design whose convolutions are compressed: all, or every other one."""
    graph = hlsgen.load_graph(sparsify(parse(NETWORKS[name]), "relative", sparsity=share).model)
    plan = hlsgen.schedule(graph, style=style, goal=Goal(pins={("engines", "skipping.outputs"): 0}))
    number = iter(range(len(plan.steps)))
    steps = tuple(
        replace(s, compressed=s.engine == "convolution" and (next(number) % 2 == 0 or every))
        for s in plan.steps
    )
    plan = check_plan(graph, replace(plan, steps=steps))
    return graph, plan, HostDesign(hlsgen.generate(graph, plan, folder).path)


def test_packing_is_undone_by_its_definition():
    random = np.random.default_rng(0)
    words = random.standard_normal((3, 2 * 150, 4)).astype(np.float32) * (
        random.random((3, 300, 4)) < 0.2
    )
    rows = block_rows(words, 2)
    stream = compressed(words, 2, rows).reshape(3, 3, rows // 5, 5, 8)
    found = np.zeros((3, 3, BLOCK, 8), np.float32)
    for g, b, q, lane in np.ndindex(3, 3, rows // 5, 8):
        places = int(stream[g, b, q, 0, lane].view(np.int32))
        for entry in range(4):
            place = places >> 8 * entry & 255
            if place < BLOCK:
                found[g, b, place, lane] = stream[g, b, q, 1 + entry, lane]
    np.testing.assert_array_equal(found, blocks_of(words, 2))
    assert rows == ceil(np.count_nonzero(found, axis=2).max() / 4) * 5


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("name", "style"), [("windows", "folded"), ("groups", "folded"), ("pair", "hybrid")]
)
def test_right_on_the_emulator(name, style, tmp_path):
    for share in (0.0, 0.7, 0.97):  # even where it does not pay
        _, _, design = design_of(name, share, tmp_path / str(share), style)
        assert "weight_expander" in design.source
        assert_right_in_both_modes(design, images=2)


@pytest.mark.emulator
def test_dense_steps_pass_through(tmp_path):
    _, plan, design = design_of("windows", 0.8, tmp_path / "design", every=False)
    assert {step.compressed for step in plan.steps} == {True, False}
    assert_right(design, images=2)
    assert_right(design, images=1, strict=True)


@pytest.mark.emulator
def test_a_wrong_expander_is_found(tmp_path):
    _, _, design = design_of("windows", 0.8, tmp_path / "design")
    with pytest.raises(AssertionError):
        assert_right(change_kernels(design, "block_ends ? 0 : filled[0][i]", "filled[0][i]"))


@pytest.mark.emulator
def test_right_where_accumulators_are_in_memory(tmp_path):
    """All kernels of the engine are launched then, the expander too."""
    graph = hlsgen.load_graph(sparsify(parse(NETWORKS["windows"]), "relative", sparsity=0.8).model)
    plan = hlsgen.schedule(graph, style="folded", disable=["cached_writes"])
    steps = tuple(replace(step, compressed=True) for step in plan.steps)
    plan = check_plan(graph, replace(plan, steps=steps))
    design = HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path)
    assert_right(design, strict=True)


@pytest.mark.emulator
def test_biases_never_hold_up_the_expander(tmp_path):
    """One block a group: it takes weights two groups ahead of the array, behind the biases of as
    many vectors as an array may have."""
    text = (
        "(float[1,4,5,5] x, float[400,4,1,1] w, float[400] b) => (float[1,400,5,5] y) { "
        "y = Conv(x, w, b) }"
    )
    graph = hlsgen.load_graph(sparsify(parse(text), "relative", sparsity=0.6).model)
    array = {"convolution.outputs": max(OUTPUTS), "convolution.inputs": 1}
    sizes = array | {"width": 4, "skipping.outputs": 0}
    plan = hlsgen.schedule(
        graph, style="folded", goal=Goal(pins={("engines", name): n for name, n in sizes.items()})
    )
    steps = tuple(replace(step, compressed=True) for step in plan.steps)
    plan = check_plan(graph, replace(plan, steps=steps))
    assert max(step.groups for step in plan.steps) > 4
    design = HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path)
    assert_right(design, images=1, strict=True)


def test_the_model_counts_what_is_generated(tmp_path):
    graph, plan, design = design_of("windows", 0.85, tmp_path / "design")
    shaped = reshaped(graph, plan)
    found = structure(shaped, plan)
    assert {k.name for k in found.kernels} == set(
        re.findall(r"__kernel void (\w+)\(", design.source)
    )
    declared = re.findall(r"^channel \w+ (\w+) __attribute__", design.source, re.M)
    assert len(declared) == len(found.fifos)
    expander = next(k for k in found.kernels if k.name == "weight_expander")
    memory = expander.body.memories[0]
    assert memory.declaration("float") in design.source
    fields = list(design.manifest.step_fields)
    table = design.section("table").reshape(-1, len(fields))
    for step, row in zip(plan.steps, table, strict=True):
        rows, blocks = row[fields.index("block_rows")], row[fields.index("blocks")]
        assert rows == compressed_rows(shaped, step, plan.engines)
        assert row[fields.index("weight_words")] == rows * blocks
        assert blocks == ceil(row[fields.index("group_words")] / BLOCK)


@pytest.mark.slow
def test_the_search_compresses_where_memory_is_the_limit(tmp_path):
    """A late layer of a residual network has many weights and few pixels."""
    dense, sparse = (
        hlsgen.load_graph(sparsify(network("resnet18"), "relative", sparsity=share).model)
        for share in (0.0, 0.85)
    )
    # All weights are multiplied: less to search.
    goal = Goal(pins={("engines", "skipping.outputs"): 0})
    plans = [hlsgen.schedule(graph, style="folded", goal=goal) for graph in (dense, sparse)]
    assert not any(step.compressed for step in plans[0].steps)
    assert sum(step.compressed for step in plans[1].steps) > 10
    assert "compressed in memory" in explain(sparse, plans[1], estimate(sparse, plans[1]))
    first, second = (
        estimate(graph, plan) for graph, plan in zip((dense, sparse), plans, strict=True)
    )
    assert second.throughput > 1.1 * first.throughput
    assert second.timing.bytes < 0.8 * first.timing.bytes


@pytest.mark.emulator
def test_a_sparse_residual_network_validates(tmp_path):
    graph = hlsgen.load_graph(
        sparsify(network("resnet18", size=64, width=0.5), "lamp", sparsity=0.8).model
    )
    # All weights are multiplied: less to search.
    goal = Goal(pins={("engines", "skipping.outputs"): 0})
    plan = hlsgen.schedule(graph, style="folded", goal=goal)
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    assert any(step.compressed for step in plan.steps)
    assert_right(HostDesign(design.path))
