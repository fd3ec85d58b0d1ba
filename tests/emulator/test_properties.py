"""Random small networks over all operators and styles: the emulator against numpy and
onnxruntime."""

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hlsgen
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.model.simulate import simulate
from tests.support.networks import assert_right, build
from tests.support.random_networks import random_network

pytestmark = pytest.mark.emulator

STYLES = ("base", "pipelined", "folded", "auto")


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_networks(data, tmp_path_factory):
    model = random_network(lambda options: data.draw(st.sampled_from(options)))
    style = data.draw(st.sampled_from(STYLES))
    onnx.checker.check_model(model, full_check=True)
    try:
        design = build(model, tmp_path_factory.mktemp("random") / "design", style)
    except PlanError as error:
        assert style == "pipelined" and "cannot take it" in str(error)
        return
    assert_right(design)


def choice(seed):
    random = np.random.default_rng(seed)
    return lambda options: options[int(random.integers(len(options)))]


@pytest.mark.parametrize("seed", range(6))
def test_random_branches_at_true_fifo_depth(seed, tmp_path):
    """Neither the simulator nor the emulator, with all kernels at once over FIFOs of their true
    depth, sees a deadlock."""
    graph = hlsgen.load_graph(random_network(choice(seed), 9))
    plan = hlsgen.schedule(graph, style="pipelined")
    assert not simulate(graph, plan, 2).blocked
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    assert_right(HostDesign(design.path), images=2, strict=True)
