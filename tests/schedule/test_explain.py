"""Sentences come from the plan at hand and its estimate; what the search showed is said of the plan
that it chose alone."""

import json
from dataclasses import replace

import numpy as np
import pytest

import hlsgen
from hlsgen.cli.main import main
from hlsgen.errors import Infeasible
from hlsgen.evidence import Evidence
from hlsgen.model.calibration import default_calibration
from hlsgen.model.estimate import estimate
from hlsgen.model.resources import Caps
from hlsgen.model.times import rate
from hlsgen.plan import Plan
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.explain import CHANGED, explain, within_shown
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.provenance import headline, sealed
from hlsgen.zoo import network


@pytest.fixture(scope="module")
def lenet():
    return hlsgen.load_graph(network("lenet5"))


@pytest.fixture(scope="module")
def plan(lenet):
    return hlsgen.schedule(lenet, style="pipelined")


def edited(plan):
    """One window that is not unrolled: a tenth of the rate."""
    kernels = tuple(
        replace(k, unroll_window=False, partial_sums=1) if k.layer == "conv2" else k
        for k in plan.kernels
    )
    return replace(plan, kernels=kernels)


def told(graph, plan):
    return explain(graph, plan, estimate(graph, plan))


def test_as_searched(lenet, plan):
    text = told(lenet, plan)
    assert f"Predicted: {rate(estimate(lenet, plan).throughput)} (" in text
    assert "proven" in text and "simulator" in text and CHANGED not in text


def test_an_edited_plan_keeps_no_claim(lenet, plan):
    changed = edited(plan)
    text, before = told(lenet, changed), rate(estimate(lenet, plan).throughput)
    assert before not in text and "proven" not in text and "simulator" not in text
    assert f"Predicted: {rate(estimate(lenet, changed).throughput)} (" in text and CHANGED in text


def test_what_the_search_showed_survives_a_file(lenet, plan, tmp_path):
    plan.save(tmp_path / "plan.json")
    loaded = check_plan(lenet, Plan.load(tmp_path / "plan.json"))
    assert loaded == plan and told(lenet, loaded) == told(lenet, plan)


def test_another_network_or_calibration_is_not_what_was_searched(lenet, plan):
    conv1, *others = lenet.layers
    weights = {**conv1.weights, "weight": np.zeros_like(conv1.weights["weight"])}
    other = replace(lenet, layers=(replace(conv1, weights=weights), *others))
    assert CHANGED in told(other, plan)
    calibration = replace(default_calibration(), packing=2.0)
    assert CHANGED in explain(lenet, plan, estimate(lenet, plan, calibration), calibration)


def test_the_network_may_have_another_name(lenet, plan):
    assert CHANGED not in told(lenet, check_plan(replace(lenet, name="other"), plan))


def test_sentences_of_earlier_versions_are_not_read(lenet, plan, tmp_path):
    data = json.loads(plan.to_json()) | {"reason": "Predicted: 417,746 images a second (proven)."}
    data["schema"] = 1
    del data["evidence"]
    (tmp_path / "plan.json").write_text(json.dumps(data))
    text = told(lenet, check_plan(lenet, Plan.load(tmp_path / "plan.json")))
    assert "proven" not in text and CHANGED not in text


def test_kernels_carry_no_figures(lenet, plan, tmp_path):
    source = hlsgen.generate(lenet, plan, tmp_path / "design").source
    assert "images a second" not in source and "proven" not in source


def test_a_design_that_is_too_large_says_so(lenet, plan):
    wide = replace(plan, board="de10_nano")
    assert "does not fit" in told(lenet, wide) and "does not fit" not in told(lenet, plan)


def test_the_rate_is_that_of_the_design_with_its_fifos(lenet, plan):
    """A simulation that is slower than the slowest kernel is what counts, of the plan that was
    simulated alone."""
    slow = sealed(
        lenet,
        replace(plan, evidence=replace(plan.evidence, interval=1568.0)),
        default_calibration(),
    )
    found = headline(lenet, slow, default_calibration())
    assert found.throughput == pytest.approx(found.resources.fmax * 1e6 / 1568)
    assert (
        headline(lenet, plan, default_calibration()).throughput == estimate(lenet, plan).throughput
    )
    changed = replace(edited(plan), evidence=slow.evidence)
    assert headline(lenet, changed, default_calibration()) == estimate(lenet, changed)


def test_a_proof_is_of_what_pins_leave(lenet):
    pinned = hlsgen.schedule(
        lenet, style="pipelined", goal=Goal(pins={("conv2", "output_width"): 1})
    )
    assert "within the caps and --set conv2.unroll_oc=1 has a" in told(lenet, pinned)


def test_why_the_style(lenet):
    choice = hlsgen.schedule(lenet, goal=Goal(images=2))
    text = told(lenet, choice)
    assert text.startswith(f"The {choice.style} design was chosen: it reaches ")
    assert "The pipelined design was ruled out: it has no --images." in text
    rates = [other.throughput for other in choice.evidence.alternatives if not other.refusal]
    assert max(rates) == estimate(lenet, choice).throughput


def test_fewest_resources_at_the_lowest_clock(lenet):
    plan = hlsgen.schedule(lenet, style="pipelined", goal=Goal("resources", fps=20000.0))
    assert "the fewest resources for 20,000 images a second, even at the lowest clock" in told(
        lenet, plan
    )


def test_caps_are_the_users(lenet, tmp_path, capsys):
    """A small board's smallest pipeline takes 80 % of its ALMs, at the upper quartile."""
    with pytest.raises(Infeasible):
        hlsgen.schedule(lenet, "de10_nano", "pipelined", goal=Goal(caps=Caps(alms=0.7)))
    goal = Goal(caps=Caps(alms=0.9))
    plan = hlsgen.schedule(lenet, "de10_nano", "pipelined", goal=goal)
    assert plan.evidence.caps == (0.9, 0.8, 0.9) and "does not fit" not in told(lenet, plan)
    assert "does not fit" in told(lenet, replace(plan, evidence=Evidence()))
    plan.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan
    assert main(["build", str(tmp_path / "no.onnx"), "--dsps", "2"]) == 2
    assert "--dsps: 2 is no share of a device" in capsys.readouterr().err


def test_more_dsps_than_were_ever_shown_are_said_with_a_price(lenet, plan):
    """63 % of 5,760 are 3,628; what is bound by multipliers pays their share, and gets 0.37 MHz for
    each percent that is free."""
    predicted = estimate(lenet, plan)
    assert within_shown(plan, predicted) is None and "--dsps" not in told(lenet, plan)
    resources = replace(predicted.resources, dsps=5000, fmax=200.0)
    cap, images = within_shown(plan, replace(predicted, resources=resources))
    fewer = 0.63 * 5760
    faster = 1 + 0.37 * 100 * (5000 - fewer) / 5760 / 200
    assert cap == 0.63
    assert images == pytest.approx(predicted.throughput * fewer / 5000 * faster)
