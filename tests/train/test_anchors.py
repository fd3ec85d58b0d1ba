"""The schedules that training is held against: all but stale weights come to plain SGD, and what a
run measured is read rightly."""

import json

import numpy as np
import onnx
import pytest

from benchmarks.kept import Finished
from benchmarks.train.anchors import ANCHORS, SCHEMES, Measured, rows
from benchmarks.train.replay import Pass, replay
from benchmarks.train.schemes import work
from hlsgen.frontend.training import load_for_training
from hlsgen.train.cut import split
from hlsgen.train.launch import launch
from hlsgen.train.settings import Settings
from hlsgen.zoo import network
from tests.support.networks import parse

# No layer looks at a minibatch as a whole, which data parallelism and microbatches would change.
NETWORK = """(float[1,8] x, float[8,9] a, float[9,7] b, float[7,6] c, float[6,4] d)
=> (float[1,4] y) { p = MatMul(x, a) q = Relu(p) r = MatMul(q, b) s = Relu(r)
t = MatMul(s, c) u = Relu(t) y = MatMul(u, d) }"""


@pytest.mark.slow
def test_schedules_come_to_plain_sgd(tmp_path):
    """Data parallelism and torch's pipelines to the weights of one process; stale weights to
    others, two updates late."""
    onnx.save(parse(NETWORK), tmp_path / "net.onnx")
    random = np.random.default_rng(0)
    images = random.standard_normal((64, 8)).astype(np.float32)
    np.savez(tmp_path / "data.npz", images=images, labels=np.arange(64) % 4)
    found = {}
    for kind in ("alone", "data parallel", "gpipe", "1f1b", "interleaved", "stale"):
        scheme = next(s for s in SCHEMES.values() if s.kind == kind)
        cuts = {"interleaved": ("q", "s", "u"), "alone": (), "data parallel": ()}.get(kind, ("q",))
        settings = Settings(
            str(tmp_path / "net.onnx"), str(tmp_path / "data.npz"), cuts=cuts, epochs=2, batch=16,
            microbatches=scheme.microbatches, rate=0.1, layout="channels_last",
        )  # fmt: skip
        folder = tmp_path / kind
        folder.mkdir()
        launch(work, scheme.workers, folder, scheme, settings, folder)
        told = [json.loads((folder / f"{n}.json").read_text()) for n in range(scheme.workers)]
        assert max(worker["staleness"] for worker in told) == (2 if kind == "stale" else 0)
        measured = Measured.of({"workers": told, "accuracy": 0.0}, ANCHORS["lenet5"])
        assert all(0 <= share < 1 for share in measured.idle) and measured.replayed > 0
        found[kind] = {}
        for n in range(scheme.workers):
            found[kind] |= np.load(folder / f"{n}.npz")
    start = load_for_training(parse(NETWORK)).values
    for kind, values in found.items():
        assert values.keys() == set("abcd"), kind
        same = all(np.allclose(values[n], found["alone"][n], rtol=1e-4, atol=1e-6) for n in values)
        assert same == (kind != "stale"), kind
        assert not np.allclose(values["a"], start["a"], rtol=1e-3)


@pytest.mark.parametrize("anchor", ANCHORS.values(), ids=list(ANCHORS))
def test_pinned_cuts_cut(anchor):
    graph = load_for_training(network(anchor.name, None, anchor.width)).graph
    for scheme in SCHEMES.values():
        stages = {"alone": 1, "data parallel": 1, "interleaved": 4}.get(scheme.kind, 2)
        assert len(split(graph, anchor.cuts_for(scheme))) == stages


def passes(*made):
    """Passes of (key, needs, before, took)."""
    return [Pass(*one) for one in made]


def test_replay_waits_for_what_a_pass_needs_and_for_nothing_else():
    """Two stages, a minibatch in two microbatches in GPipe's order: the first stage waits for
    gradients, the second for the first result. By hand."""
    turns = [(0, 0), (0, 1)]
    first = [(("forward", 0, *t), (), 0.0, 1.0) for t in turns]
    first += [(("backward", 0, *t), (("backward", 1, *t),), 0.25, 2.0) for t in turns]
    second = [(("forward", 1, *t), (("forward", 0, *t),), 0.0, 1.0) for t in turns]
    second += [(("backward", 1, *t), (), 0.5, 2.0) for t in turns]
    # forward 1, 2 | 2, 3; backward of the second 5.5, 8; of the first 7.5, max(7.75, 8) + 2
    seconds, busy = replay([passes(*first), passes(*second)])
    assert seconds == 10.0 and busy == [6.5, 7.0]
    with pytest.raises(ValueError, match="wait for each other"):
        replay([passes((("a",), (("b",),), 0, 1)), passes((("b",), (("a",),), 0, 1))])


def test_what_a_run_measured():
    """Two workers, of which the second one needs what the first one makes in each epoch. The first
    epoch does not count."""
    anchor = ANCHORS["lenet5"]

    def epoch(key, needs, took, wall):
        made = {"key": key, "needs": needs, "before": 0.0, "took": took}
        return {"wall": wall, "cpu": took, "passes": [made]}

    first = [epoch(["a"], [], 0.5, wall) for wall in (9.0, 3.0, 4.0)]
    second = [epoch(["b"], [["a"]], 1.5, wall) for wall in (9.0, 2.0, 5.0)]
    told = {
        "workers": [
            {"epochs": first, "bytes": 3_000_000, "staleness": 2},
            {"epochs": second, "bytes": 2_000_000, "staleness": 0},
        ],
        "accuracy": 0.5,
    }
    run, count = Measured.of(told, anchor), anchor.batch * anchor.minibatches
    assert run.rate == pytest.approx(count / 4) and run.replayed == pytest.approx(count / 2)
    assert run.cost == pytest.approx(2000 / count)
    assert run.idle == pytest.approx((0.75, 0.25)) and run.memory == (3.0, 2.0)
    assert (run.staleness, run.accuracy) == (2, 0.5)


def test_a_network_of_which_no_run_is_done_has_no_rows(tmp_path):
    assert rows(ANCHORS["lenet5"], 3, Finished(tmp_path / "done.jsonl")) == []
