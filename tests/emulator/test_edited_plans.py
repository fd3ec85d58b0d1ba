"""Any number of an edited plan is refused, or the design is right: a sample of all that can be
changed, on the emulator."""

import random
from dataclasses import fields, replace

import pytest

import hlsgen
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.goal import Goal
from tests.support.networks import NO_PREFIX, assert_right, parse
from tests.support.plans import resized

MIXED = """(float[1,8,8,8] x, float[8,1,3,3] d, float[16,8,1,1] p, float[16,16,3,3] c,
float[64,40] f) => (float[1,40] y) {
    a = Conv<group=8, pads=[1,1,1,1]>(x, d) r = Relu(a) b = Conv(r, p)
    e = Conv<pads=[1,1,1,1]>(b, c) s = Add(e, b) n = LRN<size=5>(s)
    m = MaxPool<kernel_shape=[4,4], strides=[4,4]>(n) t = Flatten(m) u = MatMul(t, f)
    y = Softmax(u) }"""
GOALS = {
    "folded": Goal(images=2),
    "hybrid": Goal(images=2, pins=NO_PREFIX),
    "pipelined": Goal(),
    "base": Goal(),
}
# Changes that are tried for every style, and designs that are run at most.
TRIES, RUNS = 150, 6


def numbers(value):
    """Other values of a field."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return sorted({0, 1, 3, value - 1, value + 1, value // 2, 2 * value} - {value})
    return ["", "e", "convolution"] if isinstance(value, str) else []


def changed(item):
    """A record with one field changed, in all ways."""
    return [
        replace(item, **{f.name: v}) for f in fields(item) for v in numbers(getattr(item, f.name))
    ]


def engines_changed(engines):
    """Engines with one size changed, in all ways."""
    return changed(engines) + [
        resized(engines, name, **{size: other})
        for name, sizes in engines.sizes.items()
        for size, value in sizes.items()
        for other in numbers(value)
    ]


def edits(plan):
    """All plans that differ in one number or name."""
    found = [
        replace(plan, engines=engines)
        for engines in (engines_changed(plan.engines) if plan.engines else ())
    ]
    for name in ("kernels", "edges", "steps"):
        items = getattr(plan, name)
        found += [
            replace(plan, **{name: (*items[:i], other, *items[i + 1 :])})
            for i, item in enumerate(items)
            for other in changed(item)
        ]
    return found


@pytest.mark.emulator
@pytest.mark.parametrize("style", GOALS)
def test_refused_or_right(style, tmp_path):
    graph = hlsgen.load_graph(parse(MIXED))
    every = edits(hlsgen.schedule(graph, style=style, goal=GOALS[style]))
    accepted = []
    for plan in random.Random(style).sample(every, TRIES):
        try:
            accepted.append(check_plan(graph, plan))
        except PlanError:
            continue
    assert accepted
    for number, plan in enumerate(accepted[:RUNS]):
        assert_right(
            HostDesign(hlsgen.generate(graph, plan, tmp_path / str(number)).path), images=3
        )
