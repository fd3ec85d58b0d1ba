"""What kernels wait for, as the report shows it, against what the simulator and the plan say."""

from dataclasses import replace

import pytest

import hlsgen
from hlsgen.model.estimate import estimate
from hlsgen.model.timeline import INPUT, ROOM, timeline
from hlsgen.zoo import network
from tests.support.networks import parse

SPANS = 50


@pytest.fixture(scope="module")
def lenet5():
    graph = hlsgen.load_graph(network("lenet5"))
    plan = hlsgen.schedule(graph, style="pipelined")
    return graph, plan, timeline(graph, plan, 6, SPANS)


def test_all_waits_are_shown(lenet5):
    """Together they are as long as the simulator says that each kernel came late."""
    _, _, found = lenet5
    assert found.cycles == found.simulation.completions[-1]
    for track in found.tracks:
        shares = track.input + track.room
        assert (shares > -1e-9).all() and (shares < 1 + 1e-9).all()
        waited = shares.sum() * found.cycles / SPANS
        assert waited == pytest.approx(found.simulation.stalls[track.name], abs=1e-6)


def test_between_images_a_kernel_works_its_own_cycles(lenet5):
    """Once the pipeline is full, waits are what its cycles leave of the slowest kernel's."""
    graph, plan, found = lenet5
    times = {t.name: t.cycles for t in estimate(graph, plan).timing.layers}
    tracks = {track.name: track for track in found.tracks}
    for name, cycles in times.items():
        steady = tracks[name].steady
        assert steady[INPUT] + steady[ROOM] == pytest.approx(1 - cycles / 784, abs=0.01)


def test_who_is_waited_for():
    """Round a slow kernel those before it wait for room, those after it for input."""
    graph = hlsgen.load_graph(
        parse(
            "(float[1,8,12,12] x, float[8,8,3,3] w) => (float[1,8,4,4] y) "
            "{ a = MaxPool <kernel_shape = [2, 2]> (x) c = Conv(a, w) "
            "y = MaxPool <kernel_shape = [6, 6]> (c) }"
        )
    )
    first, slow, last = (layer.name for layer in graph.layers)
    plan = hlsgen.schedule(
        graph, style="pipelined", goal=hlsgen.Goal(pins={(slow, "unroll_window"): 0})
    )
    found = {track.name: track for track in timeline(graph, plan, 4, SPANS).tracks}
    assert found[first].steady[ROOM] > 0.5 and found[last].steady[INPUT] > 0.5
    assert sum(found[slow].steady.values()) < 0.05
    assert found[first].blockers[ROOM, slow] == pytest.approx(found[first].steady[ROOM])
    assert found[last].blockers[INPUT, slow] == pytest.approx(found[last].steady[INPUT])


def test_a_deadlock_has_no_tracks():
    graph = hlsgen.load_graph(
        parse(
            "(float[1,4,8,8] x) => (float[1,4,8,8] y) "
            "{ a = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x) y = Add(a, x) }"
        )
    )
    plan = hlsgen.schedule(graph, style="pipelined")
    shallow = tuple(replace(edge, depth=1) for edge in plan.edges)
    found = timeline(graph, replace(plan, edges=shallow), 2, SPANS)
    assert found.simulation.deadlocked and not found.tracks
