"""Products of two feature maps on their engine: at true FIFO depth, for several images a launch,
counted by the model as generated; wrong kernels are found."""

from dataclasses import replace

import pytest

import hlsgen
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.model.structure import structure
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.goal import Goal
from tests.schedule.test_structure import global_accesses, kernels_of, products
from tests.support.cases import case
from tests.support.faults import change_kernels
from tests.support.networks import assert_right
from tests.support.plans import resized

CASES = ("attention", "matmul_of_two_inputs", "matmul_of_two_inputs_shared")


def planned(name, **goal):
    graph = hlsgen.load_graph(case(name))
    return graph, hlsgen.schedule(graph, style="folded", goal=Goal(**goal))


def generated(name, folder, **goal):
    graph, plan = planned(name, **goal)
    return graph, plan, HostDesign(hlsgen.generate(graph, plan, folder).path)


@pytest.mark.emulator
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("width", [4, 16])
def test_right_at_true_depths_and_for_several_images(name, width, tmp_path):
    pins = {("engines", "width"): width}
    _, plan, design = generated(name, tmp_path / "d", images=2, pins=pins)
    assert "matmul" in plan.engines.sizes
    assert_right(design, images=3, strict=True)


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("b < s.right_loads", "b < 1"),
        ("k * s.right_stride", "b * s.right_stride"),
        ("[k * s.out_vectors + t]", "[k * s.out_vectors]"),
        ("l == k % 16", "l == 0"),
        ("k == s.channels - 1", "k == s.channels - 2"),
    ],
)
def test_a_wrong_kernel_is_found(old, new, tmp_path):
    _, _, design = generated(
        "matmul_of_two_inputs", tmp_path / "d", pins={("engines", "width"): 16}
    )
    with pytest.raises(AssertionError):
        assert_right(change_kernels(design, old, new))


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_the_model_counts_what_is_generated(name, images, tmp_path):
    graph, plan, design = generated(name, tmp_path / "d", images=images)
    text = kernels_of(design.source)["matmul_engine"]
    (kernel,) = (k for k in structure(graph, plan).kernels if k.name == "matmul_engine")
    assert len(products(text)) == kernel.products
    assert global_accesses(text) == len(kernel.lsus)
    for memory in kernel.body.memories:
        assert memory.declaration("vec") in text


def test_engines_too_small_are_refused():
    graph, plan = planned("matmul_of_two_inputs")
    for size in ("words", "vectors"):
        own = plan.engines.sizes["matmul"][size]
        small = resized(plan.engines, "matmul", **{size: own - 1})
        with pytest.raises(PlanError, match=f"{size} must be at least {own}|must be positive"):
            check_plan(graph, replace(plan, engines=small))


@pytest.mark.parametrize(
    ("x", "z"), [("1,4,20", "1,19,18"), ("1,3,4,20", "1,2,20,18"), ("20", "19,4")]
)
def test_matrices_that_do_not_fit(x, z):
    """numpy refuses them, and so do we."""
    from tests.support.networks import parse

    text = f"(float[{x}] x, float[{z}] z) => (float[n] y) {{ y = MatMul(x, z) }}"
    with pytest.raises(hlsgen.errors.HlsgenError):
        hlsgen.load_graph(parse(text, inputs=("x", "z")))
