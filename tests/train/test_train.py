"""Training: the operators in torch, the schedule, workers against one process, one process against
formulas, failures, the command."""

import copy
import csv
import json
import os
import re
import shlex
import subprocess
import sys
import time
from itertools import combinations, pairwise

import numpy as np
import onnx
import psutil
import pytest
import torch
from onnx import numpy_helper

from hlsgen.cli.main import main
from hlsgen.data.pictures import Stored
from hlsgen.errors import PlanError, TrainingError, UnsupportedError
from hlsgen.frontend.training import load_for_training
from hlsgen.host.pictures import Preparation
from hlsgen.train.balance import LayerTime, choose_cuts, estimate_layers
from hlsgen.train.batches import Batches
from hlsgen.train.cut import Part, split
from hlsgen.train.launch import launch
from hlsgen.train.layers import Mode, dropout
from hlsgen.train.module import PartModule, canonical, check_sharing
from hlsgen.train.plan import segments
from hlsgen.train.reference import run_cycles, train_in_one_process
from hlsgen.train.roles import role_of, worker_count
from hlsgen.train.schedule import Sequential, Stale, stale_share
from hlsgen.train.settings import Settings
from hlsgen.train.simulate import StageTime, gpipe, pipelined, sequential
from hlsgen.train.stage import Stage
from hlsgen.train.trainer import BANDWIDTH, Trainer
from tests.support import train_workers
from tests.support.cases import CASES, case
from tests.support.networks import parse, random_inputs, run_onnxruntime

# Everything that behaves otherwise in training, a shortcut over a cut, and weights in another order
# than hardware's.
NETWORK = """(float[1,2,8,8] x, float[6,2,3,3] a, float[6] g, float[6] beta, float[6] mean,
float[6] var, float[6,6,3,3] b, float[6] bb,
float[96,12] c, float[12] cb, float[12,4] d, float[4] db) => (float[1,4] y) {
p = Conv<pads=[1,1,1,1]>(x, a) q = BatchNormalization(p, g, beta, mean, var) r = Relu(q)
s = Conv<pads=[1,1,1,1]>(r, b, bb)
t = Add(r, s) u = MaxPool<kernel_shape=[2,2], strides=[2,2]>(t)
v = Transpose<perm=[0,2,3,1]>(u) w = Flatten(v)
ratio = Constant<value = float {0.25}>() e = Dropout(w, ratio) f = Gemm(e, c, cb) h = Relu(f)
i = Gemm(h, d, db) y = Softmax(i) }"""
CUTS = (("r",), ("p", "t"), ("r", "s", "e"))


def network():
    return load_for_training(parse(NETWORK))


def pictures(count=330, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, count)
    images = random.integers(0, 100, (count, 2, 8, 8), np.uint8)
    for label in range(4):  # a bright quarter tells the class
        rows, columns = divmod(label, 2)
        images[labels == label, :, 4 * rows : 4 * rows + 4, 4 * columns : 4 * columns + 4] += (
            np.uint8(60)
        )
    return images, labels


@pytest.fixture
def data(tmp_path):
    images, labels = pictures()
    tested, told = pictures(90, 1)
    np.savez(
        tmp_path / "data.npz",
        train_images=images,
        train_labels=labels,
        test_images=tested,
        test_labels=told,
    )
    return tmp_path / "data.npz"


@pytest.fixture
def model(tmp_path):
    onnx.save(parse(NETWORK), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def settings_for(model, data, **fields):
    defaults = {"batch": 16, "rate": 0.05, "weight_decay": 1e-3, "layout": "channels_first"}
    return Settings(str(model), str(data), **(defaults | fields))


def batches(batch=16):
    images, labels = pictures()
    stored = Stored(images, labels, (1, 2, 8, 8), Preparation())
    return Batches(stored, np.arange(len(images)), batch, 0)


# ---- operators and weights


def whole(net):
    names = tuple(dict.fromkeys(port.tensor for port in net.graph.inputs))
    return PartModule(
        net, Part(net.graph.layers, names, tuple(port.tensor for port in net.graph.outputs), False)
    )


# What cannot be trained: Gemm's alpha is a factor; constants that vary within a channel become
# other layers where they happen not to.
REFUSED = {
    "gemm": "its weight is computed",
    "matmul_constants_a_batch": "hangs on its values",
    "prelu_a_value": "hangs on its values",
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_operators_in_torch_against_onnxruntime(name):
    model = case(name)
    if name in REFUSED:
        with pytest.raises(UnsupportedError, match=REFUSED[name]):
            load_for_training(model)
        return
    net = load_for_training(model)
    inputs = random_inputs(model)
    values = {
        port.tensor: canonical(torch.from_numpy(inputs[port.name]), port)
        for port in net.graph.inputs
    }
    with torch.no_grad():
        found = whole(net)(*values.values())
    expected = run_onnxruntime(model, inputs)
    for port, tensor in zip(net.graph.outputs, found, strict=True):
        value, wanted = port.view.apply(tensor.numpy()), expected[port.name]
        assert value.shape == wanted.shape
        assert np.abs(value - wanted).max() <= 1e-4 * max(1, np.abs(wanted).max())


@pytest.mark.parametrize(
    "name",
    ["conv_transpose", "flattened_nhwc", "conv_3d", "matmul", "prelu", "batch_normalization"],
)
def test_weights_find_their_way_back(name):
    """New values given to the layers and written into the file mean the same in torch and in
    onnxruntime."""
    model = case(name)
    net = load_for_training(model)
    module = whole(net)
    random = torch.Generator().manual_seed(1)
    for tensor in (*module.weights.values(), *module.running.values()):
        tensor.data.copy_(torch.rand(tensor.shape, generator=random) + 0.5)
    restored = net.restore(module.values())
    inputs = random_inputs(model)
    values = {
        port.tensor: canonical(torch.from_numpy(inputs[port.name]), port)
        for port in net.graph.inputs
    }
    with torch.no_grad():
        found = module(*values.values())
    expected = run_onnxruntime(restored, inputs)
    for port, tensor in zip(net.graph.outputs, found, strict=True):
        wanted = expected[port.name]
        assert np.abs(port.view.apply(tensor.numpy()) - wanted).max() <= 1e-4 * np.abs(wanted).max()
    assert restored.SerializeToString() != model.SerializeToString()


def test_untouched_weights_leave_the_file_as_it_was():
    model = parse(NETWORK)
    net = load_for_training(model)
    assert net.restore(net.values).SerializeToString() == net.model.SerializeToString()
    assert {layer.op for layer in net.graph.layers} >= {"batch_norm", "dropout", "activation"}


def test_weights_from_constant_nodes_become_initializers():
    model = parse(
        "(float[1,3] x) => (float[1,2] y) { w = Constant<value = float[3,2] "
        "{1,2,3,4,5,6}>() v = Identity(w) y = MatMul(x, v) }"
    )
    net = load_for_training(model)
    assert list(net.values) == ["v"]
    doubled = net.restore({"v": 2 * net.values["v"]})
    x = {"x": np.ones((1, 3), np.float32)}
    assert np.array_equal(run_onnxruntime(doubled, x)["y"], 2 * run_onnxruntime(model, x)["y"])


def test_dropout_is_the_minibatch_and_seed_alone():
    net = network()
    layer = next(layer for layer in net.graph.layers if layer.op == "dropout")
    x = torch.ones(400, 6, 4, 4)
    once, again, other = (dropout(layer, {}, [x], Mode(True, seed)) for seed in (5, 5, 6))
    assert torch.equal(once, again) and not torch.equal(once, other)
    assert (
        abs(float((once == 0).float().mean()) - 0.25) < 0.01 and abs(float(once.mean()) - 1) < 0.02
    )
    assert dropout(layer, {}, [x], Mode(False, 5)) is x


# ---- the schedule


@pytest.mark.parametrize("stages", [1, 2, 3, 4, 7])
def test_schedule_is_the_published_one(stages):
    schedule, count = Stale(stages), 23
    for stage in range(stages):
        k, i = stages - 1, stage + 1
        assert schedule.staleness(stage) == 2 * (k - i + 1)
        program = schedule.program(stage, count)
        assert (
            [a.minibatch for a in program if a.forward]
            == list(range(count))
            == [a.minibatch for a in program if not a.forward]
        )
        flying, updates = 0, 0
        for action in program:
            if action.forward:
                assert (
                    updates
                    == schedule.updates(stage, action.minibatch)
                    == max(0, action.minibatch - 2 * (k - i + 1))
                )
            else:
                updates += 1
            flying += 1 if action.forward else -1
            assert 0 <= flying <= schedule.in_flight(stage) == 2 * (k - i + 1) + 1
    busy = [len(schedule.actions(stage, 2 * stages, 100)) for stage in range(stages)]
    assert busy == [2] * stages  # once it is full, nobody waits
    assert schedule.cycles(count) == count + 2 * (stages - 1)


def test_sequential_schedule_and_stale_share():
    schedule = Sequential(3)
    order = [
        (c, s, a)
        for c in range(schedule.cycles(2))
        for s in range(3)
        for a in schedule.actions(s, c, 2)
    ]
    assert [(s, a.forward, a.minibatch) for _, s, a in order] == [
        (s, f, m)
        for m in range(2)
        for s, f in [(0, True), (1, True), (2, True), (2, False), (1, False), (0, False)]
    ]
    assert stale_share(schedule, [5, 5, 5]) == 0
    assert stale_share(Stale(3), [5, 10, 25]) == 15 / 40


def test_segments_of_a_hybrid_run():
    course = segments(Settings("m", "d", epochs=3, hybrid=0.5), 10)
    assert [(s.epoch, s.offset, s.steps, s.scheme) for s in course] == [
        (0, 0, 10, "pipelined"),
        (1, 10, 5, "pipelined"),
        (1, 15, 5, "sequential"),
        (2, 20, 10, "sequential"),
    ]
    assert {s.scheme for s in segments(Settings("m", "d", epochs=2, hybrid=0), 5)} == {"sequential"}


def test_learning_rates():
    plain = Settings("m", "d", rate=0.4, warmup=4)
    assert [round(plain.rate_at(step, 100), 6) for step in (0, 1, 3, 4, 99)] == [
        0.1,
        0.2,
        0.4,
        0.4,
        0.4,
    ]
    cosine = Settings("m", "d", rate=2.0, decay="cosine")
    assert [round(cosine.rate_at(step, 100), 6) for step in (0, 50, 100)] == [2.0, 1.0, 0.0]
    steps = Settings("m", "d", rate=1.0, decay="step")
    assert [round(steps.rate_at(step, 100), 6) for step in (0, 49, 50, 75, 99)] == [
        1.0,
        1.0,
        0.1,
        0.01,
        0.01,
    ]


def test_a_restart_of_the_learning_rate():
    """Each share of a hybrid run has a schedule of its own."""
    run = Settings("m", "d", rate=2.0, decay="cosine", warmup=2, hybrid=0.4, restart=True)
    steps = range(100)
    halves = Settings("m", "d", rate=2.0, decay="cosine", warmup=2)
    expected = [halves.rate_at(s, 40) for s in range(40)] + [
        halves.rate_at(s, 60) for s in range(60)
    ]
    assert [run.rate_at(step, 100) for step in steps] == expected


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_roles(stages):
    for placement in ("together", "apart"):
        roles = [
            role_of(rank, stages, placement) for rank in range(worker_count(stages, placement))
        ]
        assert (
            sorted(r.stage for r in roles if r.forward)
            == sorted(r.stage for r in roles if r.backward)
            == list(range(stages))
        )
    assert worker_count(stages, "apart") == 2 * stages - 1


# ---- one process against formulas


@pytest.mark.slow
def test_no_cut_is_plain_sgd():
    """Against a network written in torch by hand, with torch's own optimizer."""
    net, data = network(), batches()
    values = {name: torch.from_numpy(array.copy()) for name, array in net.values.items()}
    settings = Settings("", "", batch=16, rate=0.05, weight_decay=1e-3, decay="step")
    (stage,), losses = train_in_one_process(net, split(net.graph, ()), settings, data, Stale(1), 30)
    names = ("a", "g", "beta", "b", "bb", "c", "cb", "d", "db")
    weights = {name: torch.nn.Parameter(values[name]) for name in names}
    mean, variance = values["mean"], values["var"]
    layer = next(layer for layer in net.graph.layers if layer.op == "dropout")
    optimizer = torch.optim.SGD(weights.values(), 0.05, momentum=0.9, weight_decay=1e-3)
    functional = torch.nn.functional
    for step in range(30):
        w = weights
        p = functional.conv2d(data.inputs(step), w["a"], padding=1)
        r = functional.relu(
            functional.batch_norm(p, mean, variance, w["g"], w["beta"], True, 0.1, 1e-5)
        )
        t = r + functional.conv2d(r, w["b"], w["bb"], padding=1)
        u = functional.max_pool2d(t, 2)
        kept = dropout(layer, {}, [torch.ones_like(u)], Mode(True, step))
        flat = (u * kept).permute(0, 2, 3, 1).flatten(1)
        scores = functional.relu(flat @ w["c"] + w["cb"]) @ w["d"] + w["db"]
        loss = functional.cross_entropy(scores, data.labels(step))
        assert float(loss.detach()) == pytest.approx(losses[step], rel=1e-4)
        optimizer.param_groups[0]["lr"] = 0.05 * (1 if step < 15 else 0.1 if step < 22.5 else 0.01)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = stage.module.values()
    for name in names:
        assert np.allclose(found[name], weights[name].detach().numpy(), rtol=1e-3, atol=1e-5), name
    assert np.allclose(found["mean"], mean.numpy(), rtol=1e-3, atol=1e-5) and np.allclose(
        found["var"], variance.numpy(), rtol=1e-3
    )


def test_stale_weights_by_the_published_formula():
    """W_i(t+1) = W_i(t) - lr * grad_i(minibatch t - 2(K-i+1)), gradients written out by hand, for K
    = 2 and three dense layers.

    A forward pass uses the weights of its own time; gradients pass back through the weights of the
    backward pass's time.
    """
    text = "(float[1,5] x, float[5,7] a, float[7,6] b, float[6,3] c) => (float[1,3] y) "
    text += (
        "{ p = MatMul(x, a) q = Relu(p) r = MatMul(q, b) s = Relu(r) t = MatMul(s, c) y "
        "= Softmax(t) }"
    )
    net = load_for_training(parse(text))
    random = np.random.default_rng(3)
    inputs, labels = (
        random.standard_normal((40, 4, 5)).astype(np.float32),
        random.integers(0, 3, (40, 4)),
    )
    stored = Stored(inputs.reshape(160, 5), labels.ravel(), (1, 5), Preparation())
    data = Batches(stored, np.arange(160), 4, 0)
    settings = Settings("", "", batch=4, rate=0.1, momentum=0.0)
    stages, losses = train_in_one_process(
        net, split(net.graph, ("q", "s")), settings, data, Stale(3), 40
    )

    weights = [net.values[name].astype(np.float64) for name in "abc"]
    counts = [[w.copy()] for w in weights]  # counts[i][n]: stage i after n updates
    for t in range(40):
        x, y = data.inputs(t).numpy().astype(np.float64), data.labels(t).numpy()
        forward = [counts[i][max(0, t - 2 * (2 - i))] for i in range(3)]
        p = x @ forward[0]
        q = np.maximum(p, 0)
        r = q @ forward[1]
        s = np.maximum(r, 0)
        scores = s @ forward[2]
        e = np.exp(scores - scores.max(1, keepdims=True))
        share = e / e.sum(1, keepdims=True)
        assert losses[t] == pytest.approx(float(-np.log(share[np.arange(4), y]).mean()), rel=1e-4)
        d = (share - np.eye(3)[y]) / 4
        back_c = d @ counts[2][t].T * (r > 0)  # stage 3's weights before this minibatch's update
        back_b = back_c @ counts[1][t].T * (p > 0)
        for i, gradient in enumerate((x.T @ back_b, q.T @ back_c, s.T @ d)):
            counts[i].append(counts[i][t] - 0.1 * gradient)
    for i, name in enumerate("abc"):
        assert np.allclose(stages[i].module.values()[name], counts[i][-1], rtol=1e-3, atol=1e-5)


def test_staleness_zero_would_be_noticed():
    """The formula's test can fail: the same run in sequence gives other weights."""
    net, data = network(), batches()
    settings = Settings("", "", batch=16, rate=0.05)
    stale, _ = train_in_one_process(net, split(net.graph, ("p", "t")), settings, data, Stale(3), 20)
    plain, _ = train_in_one_process(
        net, split(net.graph, ("p", "t")), settings, data, Sequential(3), 20
    )
    one, _ = train_in_one_process(net, split(net.graph, ()), settings, data, Stale(1), 20)
    whole = {name: a for stage in plain for name, a in stage.module.values().items()}
    assert all(
        np.allclose(a, one[0].module.values()[name], rtol=1e-4, atol=1e-6)
        for name, a in whole.items()
    )
    assert not np.allclose(stale[0].module.values()["a"], whole["a"], rtol=1e-3)


def test_zeros_stay_zero():
    model = parse(NETWORK)
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor).copy()
        if array.ndim > 1:
            array[np.abs(array) < np.median(np.abs(array))] = 0
        elif tensor.name in ("bb", "cb", "db", "beta"):
            array[:] = 0  # biases learn all the same
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    net = load_for_training(model)
    settings = Settings("", "", batch=16, rate=0.05, keep_zeros=True)
    stages, _ = train_in_one_process(
        net, split(net.graph, ("r",)), settings, batches(), Stale(2), 20
    )
    for name, array in {k: a for stage in stages for k, a in stage.module.values().items()}.items():
        before = net.values[name]
        if before.ndim > 1:
            assert np.array_equal(array == 0, before == 0) and not np.array_equal(array, before)
        elif name in ("bb", "cb", "db", "beta"):
            assert np.count_nonzero(array)


# ---- processes against one process


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cuts", "placement", "layout", "correct"),
    [
        (CUTS[0], "together", "channels_last", "predict"),
        (CUTS[0], "apart", "channels_first", "none"),
        (CUTS[1], "together", "channels_first", "none"),
        (CUTS[1], "apart", "channels_last", "pipemare"),
        (CUTS[2], "together", "channels_first", "spike"),
        (CUTS[2], "apart", "channels_first", "none"),
    ],
)
def test_workers_equal_one_process_after_every_step(
    cuts, placement, layout, correct, tmp_path, model, data
):
    torch.set_num_threads(1)
    settings = settings_for(
        model, data, cuts=cuts, placement=placement, layout=layout, correct=correct
    )
    stages = len(cuts) + 1
    launch(train_workers.record, worker_count(stages, placement), tmp_path, settings, tmp_path)
    net = load_for_training(model)
    learnt = batches()
    history = {}
    reference = [Stage(net, part, settings, len(learnt)) for part in split(net.graph, cuts)]
    for number, stage in enumerate(reference):
        plain = stage.update
        stage.update = lambda step, s=stage, n=number, plain=plain: (
            plain(step),
            history.setdefault(n, []).append([w.detach().numpy().copy() for w in s.learnt]),
        )
    losses = run_cycles(reference, learnt, Stale(stages), len(learnt))
    told = np.load(tmp_path / "reports.npz")
    assert np.allclose(told["losses"], losses, rtol=1e-5)
    for rank in range(worker_count(stages, placement)):
        role = role_of(rank, stages, placement)
        _, staleness, flying, kept, size = told["reports"][rank]
        if role.forward:
            assert staleness == Stale(stages).staleness(role.stage) == 2 * (stages - 1 - role.stage)
        if role.forward and role.backward:
            assert flying == Stale(stages).in_flight(role.stage) and kept == flying * size > 0
        if role.backward:
            found = np.load(tmp_path / f"history{rank}.npz")
            for step, weights in enumerate(history[role.stage]):
                for place, weight in enumerate(weights):
                    assert np.allclose(found[f"{step}_{place}"], weight, rtol=1e-4, atol=1e-6), (
                        rank,
                        step,
                        place,
                    )
    values = np.load(tmp_path / "values.npz")
    for stage in reference:
        for name, array in stage.module.values().items():
            assert np.allclose(values[name], array, rtol=1e-4, atol=1e-6), name


@pytest.mark.parametrize("placement", ["together", "apart"])
@pytest.mark.slow
def test_a_first_stage_may_have_nothing_to_learn(placement, tmp_path, data):
    text = "(float[1,2,8,8] x, float[32,4] w, float[4] b) => (float[1,4] y) "
    text += "{ p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x) f = Flatten(p) y = Gemm(f, w, b) }"
    onnx.save(parse(text), tmp_path / "pool.onnx")
    settings = settings_for(tmp_path / "pool.onnx", data, cuts=("p",), placement=placement)
    launch(train_workers.run, worker_count(2, placement), tmp_path, settings, tmp_path)
    losses = np.load(tmp_path / "reports.npz")["losses"]
    assert losses[-5:].mean() < losses[:5].mean()


@pytest.mark.slow
@pytest.mark.parametrize("microbatches", [4, 1])
def test_gpipe_is_exact(microbatches, tmp_path, data):
    """Without dropout GPipe's schedule is plain SGD: of four microbatches where nothing looks at a
    minibatch as a whole, of one with BatchNormalization too, running statistics among it (torch
    runs stages on uninitialised memory before the first minibatch)."""
    text = " ".join(NETWORK.split()).replace("Dropout(w, ratio)", "Identity(w)")
    if microbatches > 1:
        layer = "q = BatchNormalization(p, g, beta, mean, var) r = Relu(q)"
        text = text.replace(layer, "r = Relu(p)")
        text = text.replace("float[6] g, float[6] beta, float[6] mean, float[6] var, ", "")
    onnx.save(parse(text), tmp_path / "plain.onnx")
    found = []
    for scheme, layout in (("gpipe", "channels_last"), ("sequential", "channels_first")):
        folder = tmp_path / scheme
        folder.mkdir()
        settings = settings_for(
            tmp_path / "plain.onnx", data, cuts=("r",), scheme=scheme, layout=layout,
            microbatches=microbatches,
        )  # fmt: skip
        launch(train_workers.run, 2, folder, settings, folder)
        found.append(dict(np.load(folder / "values.npz")))
    assert ("var" in found[0]) == (microbatches == 1)
    forward, backward, total = np.load(tmp_path / "gpipe" / "reports.npz")["clocks"].T
    assert (forward > 0).all() and (backward > 0).all() and (forward + backward < total).all()
    for name in found[1]:
        assert np.allclose(found[0][name], found[1][name], rtol=1e-3, atol=1e-5), name


# ---- failures


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (train_workers.first_raises, "worker 1 of 2: ZeroDivisionError: a stage that raises"),
        (train_workers.last_runs_out_of_memory, "worker 2 of 2: out of memory"),
        (train_workers.middle_is_killed, "worker 2 of 2: was ended by SIGKILL"),
    ],
)
@pytest.mark.slow
def test_failures_end_the_run_and_the_last_checkpoint_is_good(entry, words, tmp_path, model, data):
    settings = settings_for(model, data, cuts=("r",), epochs=3)  # 20 minibatches an epoch
    start, before = time.monotonic(), set(psutil.Process().children(recursive=True))
    with pytest.raises(TrainingError, match=words):
        launch(entry, 2, tmp_path, settings, tmp_path)
    left = set(psutil.Process().children(recursive=True)) - before
    assert all(
        re.search("resource_tracker|forkserver", " ".join(child.cmdline())) and not child.children()
        for child in left
    )
    assert time.monotonic() - start < 120
    if entry is train_workers.first_raises:
        assert "ZeroDivisionError" in (tmp_path / "failure.txt").read_text()
    # The second epoch failed; going on gives what a run without failure gives.
    launch(train_workers.run, 2, tmp_path, settings, tmp_path, True)
    resumed = dict(np.load(tmp_path / "values.npz"))
    if entry is train_workers.middle_is_killed:
        (tmp_path / "whole").mkdir()
        launch(train_workers.run, 2, tmp_path / "whole", settings, tmp_path / "whole")
        plain = dict(np.load(tmp_path / "whole" / "values.npz"))
        assert all(np.array_equal(resumed[name], plain[name]) for name in plain)
        assert len(np.load(tmp_path / "reports.npz")["losses"]) == 60


@pytest.mark.slow
def test_killed_from_outside(tmp_path, model, data):
    """The command ends promptly with one message, and no process is left; nor is one when the
    command itself is killed."""
    for victim in ("worker", "command"):
        command = [
            sys.executable,
            "-m",
            "hlsgen",
            "train",
            str(model),
            "--data",
            str(data),
            "--cut",
            "r",
            "--epochs",
            "100000",
        ]
        command += ["--batch", "16", "-o", str(tmp_path / "out.onnx"), "--force"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        table = tmp_path / "out.onnx.training" / "epochs.csv"
        table.unlink(missing_ok=True)
        while not table.exists() and process.poll() is None:
            time.sleep(0.1)
        children = psutil.Process(process.pid).children(recursive=True)
        (server,) = (
            child
            for child in children
            if "forkserver" in " ".join(child.cmdline()) and child.children()
        )
        workers = server.children()
        assert len(workers) == 2
        (workers[1] if victim == "worker" else process).kill()
        _, errors = process.communicate(timeout=60)
        if victim == "worker":
            assert (
                process.returncode == 2
                and "was ended by SIGKILL" in errors
                and errors.count("error:") == 1
            )
            assert "Traceback" not in errors
        _, alive = psutil.wait_procs(children, timeout=30)
        assert not alive
        assert not (tmp_path / "out.onnx").exists()


# ---- balance and simulation


def test_chosen_cuts_are_the_best():
    net = network()
    layers = [layer.name for layer in split(net.graph, ())[0].layers]
    random = np.random.default_rng(0)
    times = [LayerTime(name, *random.uniform(0.1, 2, 2)) for name in layers]
    seconds = [t.forward + t.backward for t in times]
    for stages in (1, 2, 3, 4):
        found = choose_cuts(net.graph, times, stages, 16, 1e12)
        bounds = [0, *(layers.index(name) + 1 for name in found), len(layers)]
        slowest = max(sum(seconds[a:b]) for a, b in pairwise(bounds))
        options = combinations(range(1, len(layers)), stages - 1)
        best = min(
            max(sum(seconds[a:b]) for a, b in zip((0, *o), (*o, len(layers)), strict=True))
            for o in options
        )
        assert slowest == pytest.approx(best, rel=1e-6)
    with pytest.raises(PlanError, match="stages of"):
        choose_cuts(net.graph, times, 99, 16, 1e9)
    slow = choose_cuts(net.graph, times, 2, 16, 1.0)  # a link so slow that traffic alone counts
    assert slow == ["h"] or slow == ["i"] or slow == ["f"]


def test_the_models_cuts_need_no_clock(tmp_path, model, data, monkeypatch):
    """The same cuts every time, and none measured unless asked; then the measured ones count."""
    net = network()
    layers = [layer.name for layer in split(net.graph, ())[0].layers]
    times = estimate_layers(net.graph, 16)
    assert [t.name for t in times] == layers and times == estimate_layers(network().graph, 16)
    by_name = {t.name: t for t in times}
    convolution = by_name["s"]  # 6 x 6 x 9 products a pixel, 16 pictures of 64 pixels
    assert convolution.forward == pytest.approx(
        16 * (2 * 64 * 6 * 6 * 9 / 6e10 + 4 * 2 * 6 * 64 / 4e9)
    )
    assert convolution.backward == 2 * convolution.forward
    assert by_name["p"].backward == by_name["p"].forward  # nobody wants the pictures' gradient

    def measured(network, inputs, channels_last):
        asked.append(channels_last)
        return [LayerTime(name, 1.0 + channels_last, 5.0 * (name == "p")) for name in layers]

    asked = []
    monkeypatch.setattr("hlsgen.train.trainer.measure_layers", measured)
    monkeypatch.setattr("hlsgen.train.trainer.stage_count", lambda *_: 2)
    for measure, layout, cut in (
        (False, "channels_last", choose_cuts(net.graph, times, 2, 16, BANDWIDTH)),
        (True, "channels_first", ["q"]),
    ):
        settings = settings_for(model, data, workers=2, measure_cuts=measure, layout="auto")
        trainer = Trainer(settings, tmp_path)
        trainer.device, trainer.stages, trainer.network = "cpu", 2, net
        trainer.train, _ = trainer.read_data()
        survey = trainer.look_around(None)
        assert (survey.layout, list(survey.cuts)) == (layout, cut) and bool(asked) == measure


def test_simulated_times_are_the_closed_forms():
    even = [StageTime(1, 2)] * 4
    assert sequential(even, 10) == 120
    # A cycle is a forward and a backward pass; the pipeline fills and empties in 2 K cycles, of
    # which the ends are shorter.
    assert pipelined(even, 1000) == pytest.approx(3 * 1000, rel=0.01)
    assert gpipe(even, 10, 4) == pytest.approx(10 * (4 + 3) * 3 / 4)
    assert pipelined([StageTime(1, 2), StageTime(2, 4)], 1000) == pytest.approx(6000, rel=0.01)
    assert pipelined([StageTime(1, 1, 5), StageTime(1, 1)], 1000) > pipelined(
        [StageTime(1, 1), StageTime(1, 1)], 1000
    )


# ---- the command


def train(*words):
    return main(["train", *map(str, words)])


@pytest.mark.slow
def test_command(tmp_path, model, data, capsys):
    out = tmp_path / "out.onnx"
    options = (
        "--cut",
        "r",
        "--epochs",
        6,
        "--hybrid",
        0.5,
        "--batch",
        16,
        "--lr",
        0.05,
        "--schedule",
        "cosine",
        "-o",
        out,
    )
    assert train(model, "--data", data, *options, "--json") == 0
    # The reporting worker prints; what it printed is what the file descriptor saw.
    with open(tmp_path / "out.onnx.training" / "epochs.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["scheme"] for row in rows] == ["pipelined"] * 3 + ["sequential"] * 3
    with np.load(data) as file:
        inputs, labels = file["test_images"].astype(np.float32) / 255, file["test_labels"]
    trained = onnx.load(out)
    answers = [run_onnxruntime(trained, {"x": x[None]})["y"].argmax() for x in inputs]
    accuracy = float(np.mean(np.array(answers) == labels))
    assert accuracy == pytest.approx(float(rows[-1]["test_accuracy"]), abs=1e-6) and accuracy > 0.9
    assert (tmp_path / "out.onnx.training" / "curves.png").read_bytes().startswith(b"\x89PNG")
    with open(tmp_path / "out.onnx.training" / "losses.csv") as file:
        assert len(list(csv.DictReader(file))) == 6 * 20
    assert train(model, "--data", data, *options) == 2  # nothing of an earlier run is lost
    assert "exists" in capsys.readouterr().err


def test_one_worker_and_resume(tmp_path, model, data, capsys):
    """One worker needs no processes; a finished run that is resumed gives the same network
    again."""
    out = tmp_path / "out.onnx"
    options = ("--workers", 1, "--epochs", 2, "--batch", 16, "-o", out, "--json")
    assert train(model, "--data", data, *options) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] and told["accuracy"] == told["torch_accuracy"] and len(told["epochs"]) == 2
    words = ["hlsgen", "train", str(model), "--out", str(out), "--data", str(data)]
    words += ["--epochs", "2", "--batch", "16", "--layout", "channels_last"]
    assert told["command"] == shlex.join(words)
    assert json.loads((tmp_path / "out.onnx.training" / "run.json").read_text()) == told
    assert told["workers"][0]["minibatches_in_flight"] == 1 and told["workers"][0]["staleness"] == 0
    first = out.read_bytes()
    assert train(model, "--data", data, *options, "--resume") == 0
    assert out.read_bytes() == first
    capsys.readouterr()
    assert train(model, "--data", data, *options, "--resume", "--lr", 0.01) == 2
    assert "other rate" in capsys.readouterr().err
    (tmp_path / "out.onnx.training" / "checkpoint.pt").write_bytes(b"nothing")
    assert train(model, "--data", data, *options, "--resume") == 2
    assert "cannot be read" in capsys.readouterr().err
    for foreign in (torch.zeros(2), {"weights": torch.zeros(2)}):
        torch.save(foreign, tmp_path / "out.onnx.training" / "checkpoint.pt")
        assert train(model, "--data", data, *options, "--resume") == 2
        assert "is no checkpoint" in capsys.readouterr().err


def test_every_field_of_a_checkpoint_is_checked(tmp_path, model, data, capsys):
    """Each is left out, and changed for another kind, another shape or what cannot be: one message
    names it, and nothing of the run is touched."""
    out = tmp_path / "out.onnx"
    options = ("--data", data, "--workers", 1, "--epochs", 1, "--batch", 16, "-o", out)
    assert train(model, *options) == 0
    path = tmp_path / "out.onnx.training" / "checkpoint.pt"
    good, trained = torch.load(path, weights_only=True), out.read_bytes()
    stage, noted = good["workers"][0], good["journal"]
    name, weight = next(iter(stage["weights"].items()))
    momentum = copy.deepcopy(stage["optimizer"])
    momentum["state"][0]["velocity"] = torch.zeros(99)
    other = "its tensors are not those"
    changes = [
        *(({field: None}, field) for field in good if field not in ("format", "workers")),
        ({"format": 2}, "is no checkpoint of this version"),
        ({"more": 1}, "unknown field 'more'"),
        ({"cuts": "p"}, "cuts"),
        ({"layout": "sideways"}, "layout must be"),
        ({"epoch": 0}, "epoch must be greater than or equal to 1"),
        ({"seconds": float("nan")}, "seconds"),
        ({"journal": noted | {"losses": [(1, 2.0)]}}, "losses[0]"),
        ({"journal": noted | {"epochs": [{"epoch": 1}]}}, "epochs[0]: lacks the field 'scheme'"),
        ({"workers": None}, "other workers"),
        ({"workers": [stage, stage]}, "other workers"),
        ({"workers": [3]}, other),
        ({"workers": [stage | {"weights": {name: weight}}]}, other),
        ({"workers": [stage | {"weights": stage["weights"] | {name: weight[:1]}}]}, other),
        ({"workers": [stage | {"running": {}}]}, other),
        ({"workers": [stage | {"optimizer": {}}]}, other),
        ({"workers": [stage | {"optimizer": momentum}]}, other),
    ]
    for change, words in changes:
        torch.save(good | change, path)
        assert train(model, *options, "--resume") == 2, change
        told = capsys.readouterr().err
        assert words in told and told.count("error:") == 1 and "--resume" in told, told
    assert out.read_bytes() == trained
    torch.save(good, path)
    assert train(model, *options, "--resume") == 0 and out.read_bytes() == trained


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--cut", "nothing"), "no such layer"),
        (("--cut", "t,p"), "do not come one after another"),
        (("--cut", "i"), "nothing is left for the last stage"),
        (("--workers", 0), "--workers: 0 is not between 1"),
        (("--hybrid", 2), "--hybrid"),
        (("--batch", 1000), "fill no minibatch"),
        (("--scheme", "gpipe", "--microbatches", 7), "do not divide"),
        (("--scheme", "gpipe", "--placement", "apart"), "both passes"),
        (("--scheme", "sequential", "--hybrid", 0.5), "pipelined share"),
        (("--scheme", "sequential", "--correct", "spike"), "only a pipeline has stale weights"),
        (("--placement", "apart", "--correct", "predict"), "does not know the momentum"),
        (("--optimizer", "adamw", "--correct", "nesterov"), "SGD's momentum"),
        (("--nesterov", "--correct", "spike"), "--nesterov"),
        (("--restart",), "nothing follows"),
        (("--augment", "crop,flp"), "did you mean"),
        (("--lr", 1e6), "the loss is"),
        (("--resume",), "no checkpoint"),
        (("--device", "cuda"), "no GPU"),
        (("--test", "nowhere"), "no such file"),
        (("--prepare", "nowhere.toml"), "cannot be used"),
    ],
)
def test_bad_options(options, words, tmp_path, model, data, capsys):
    status = train(
        model, "--data", data, "-o", tmp_path / "out.onnx", "--epochs", 1, "--batch", 16, *options
    )
    errors = capsys.readouterr().err
    assert (
        status == 2
        and words in errors
        and errors.count("error:") == 1
        and "Traceback" not in errors
    )
    assert not (tmp_path / "out.onnx").exists()
    assert words == "the loss is" or not (tmp_path / "out.onnx.training").exists()


def test_bad_data(tmp_path, model, capsys):
    images, labels = pictures(40)
    for arrays, words in (
        ({"images": images}, "holds no labels"),
        ({"images": images, "labels": labels + 2}, "4 classes"),
        ({"images": images[:, :1, :, :4], "labels": labels[:30]}, "labels for"),
        ({"images": np.zeros((40, 3, 8, 8), np.uint8), "labels": labels}, "the network takes"),
    ):
        np.savez(tmp_path / "bad.npz", **arrays)
        assert (
            train(model, "--data", tmp_path / "bad.npz", "-o", tmp_path / "o.onnx", "--batch", 8)
            == 2
        )
        assert words in capsys.readouterr().err
    for name in ("mnist", "cifar-10", "fashion-mnist"):
        if not os.path.exists(f"/usr/share/datasets/{name}"):
            assert train(model, "--data", name, "-o", tmp_path / "o.onnx") == 2
            assert "what to do" in capsys.readouterr().err


def test_networks_that_cannot_be_trained():
    two = parse(
        "(float[1,3] x, float[3,2] w) => (float[1,2] y, float[1,2] z) { y = MatMul(x, w) "
        "z = Relu(y) }"
    )
    with pytest.raises(UnsupportedError, match="2 outputs"):
        split(load_for_training(two).graph, ())
    image = parse("(float[1,3,4,4] x, float[2,3,1,1] w) => (float[1,2,4,4] y) { y = Conv(x, w) }")
    with pytest.raises(UnsupportedError, match="no score a class"):
        split(load_for_training(image).graph, ())
    shared = parse(
        "(float[1,4] x, float[4,4] w) => (float[1,4] y) { a = MatMul(x, w) b = Relu(a) y "
        "= MatMul(b, w) }"
    )
    net = load_for_training(shared)
    check_sharing(net, split(net.graph, ()))
    with pytest.raises(PlanError, match="share initializer w"):
        check_sharing(net, split(net.graph, ("a",)))


def test_torch_is_imported_for_training_alone(tmp_path, model):
    """Not even where it comes to no training: a cut that does not fit is told before. networkx,
    which takes long too, is for the audit."""
    code = (
        "import sys; from hlsgen.cli.main import main; assert main(sys.argv[1:]) == 2; "
        "sys.exit(len({'torch', 'networkx'} & set(sys.modules)))"
    )
    command = [
        sys.executable,
        "-c",
        code,
        "train",
        model,
        "--cut",
        "nothing",
        "--data",
        "d",
        "-o",
        tmp_path / "out.onnx",
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0 and "no such layer" in done.stderr


@pytest.mark.slow
def test_torch_is_imported_once_for_all_workers(tmp_path):
    launch(train_workers.tell_parent, 2, tmp_path, tmp_path)
    (server,) = {int(file.read_text()) for file in tmp_path.iterdir()}
    assert server != os.getpid()
    assert any("libtorch" in mapped.path for mapped in psutil.Process(server).memory_maps())
