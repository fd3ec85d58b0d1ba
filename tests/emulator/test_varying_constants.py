"""Constants that vary within a channel, where steps take several images and kernels run at once."""

from dataclasses import replace

import pytest

import hlsgen
from hlsgen.errors import PlanError
from hlsgen.frontend.load import load
from hlsgen.schedule.folded.check import check_folded
from hlsgen.schedule.goal import Goal
from tests.support.cases import case
from tests.support.networks import assert_right, build

NAME = "constant_a_value_in_a_concat"


@pytest.mark.emulator
def test_images_of_a_launch_share_them(tmp_path):
    assert_right(build(case(NAME), tmp_path / "design", "folded", images=3), images=3)


@pytest.mark.emulator
@pytest.mark.parametrize("style", ["folded", "pipelined"])
def test_at_true_fifo_depth(style, tmp_path):
    assert_right(build(case(NAME), tmp_path / "design", style), images=2, strict=True)


@pytest.mark.emulator
@pytest.mark.parametrize("style", ["folded", "pipelined"])
def test_apart_from_other_layers(style, tmp_path):
    assert_right(build(case(NAME), tmp_path / "design", style, disable=["fuse"]))


def test_a_step_of_several_images_is_refused():
    graph = load(case(NAME))
    plan = hlsgen.schedule(graph, board="pac_d5005", style="folded", goal=Goal(images=2))
    assert any(step.first_image for step in plan.steps)
    steps = [replace(s, images=2) if s.tile_height == 1 else s for s in plan.steps]
    with pytest.raises(PlanError, match="constants are those of one image"):
        check_folded(graph, replace(plan, steps=tuple(steps)))
