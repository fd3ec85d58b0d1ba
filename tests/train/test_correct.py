"""What makes up for stale weights, optimizers and augmentation, each against its definition in
numpy."""

import numpy as np
import pytest
import torch

from hlsgen.data.augment import BORDER, augmented
from hlsgen.data.pictures import Stored
from hlsgen.frontend.training import load_for_training
from hlsgen.host.pictures import Preparation
from hlsgen.train.batches import Batches
from hlsgen.train.cut import split
from hlsgen.train.reference import train_in_one_process
from hlsgen.train.schedule import Stale
from hlsgen.train.settings import Settings
from tests.support.networks import parse

NETWORK = """(float[1,5] x, float[5,7] a, float[7,6] b, float[6,3] c) => (float[1,3] y) {
p = MatMul(x, a) q = Relu(p) r = MatMul(q, b) s = Relu(r) t = MatMul(s, c) y = Softmax(t) }"""
STEPS, RATE, M, DECAY = 40, 0.05, 0.8, 1e-2


def data():
    random = np.random.default_rng(3)
    inputs = random.standard_normal((4 * STEPS, 5)).astype(np.float32)
    stored = Stored(inputs, random.integers(0, 3, 4 * STEPS), (1, 5), Preparation())
    return Batches(stored, np.arange(4 * STEPS), 4, 0)


def rate_of(t):
    """A cosine."""
    return RATE * (1 + np.cos(np.pi * t / STEPS)) / 2


def foreseen(correct, weights, velocity, rate, late):
    """The weights of a forward pass that misses `late` updates, by walking on without gradients."""
    w, v = weights.copy(), velocity.copy()
    if correct == "predict":
        for _ in range(late):
            w -= rate * velocity
    if correct == "nesterov":  # what is stored looks ahead by one update of momentum alone
        real = weights + rate * M * velocity
        for _ in range(late + 1):
            v = M * v
            real -= rate * v
        w = real
    return w


def updated(correct, nesterov, w, v, gradient, rate, late):
    """Weights and velocity after an update that comes `late` updates late."""
    g = gradient + DECAY * w
    v = M * v + g
    if correct == "spike":
        return w - rate * (M**late * v + (1 - M**late) / (1 - M) * g), v
    if nesterov or correct == "nesterov":
        return w - rate * (g + M * v), v
    return w - rate * v, v


@pytest.mark.parametrize(
    ("correct", "nesterov"),
    [
        ("none", False),
        ("none", True),
        ("predict", False),
        ("predict", True),
        ("spike", False),
        ("pipemare", False),
        ("nesterov", False),
    ],
)
def test_corrections_by_their_definitions(correct, nesterov):
    """K = 2, three dense layers, everything written out by hand."""
    net, batches, last = load_for_training(parse(NETWORK)), data(), 2
    settings = Settings(
        "", "", batch=4, rate=RATE, decay="cosine", momentum=M, weight_decay=DECAY,
        correct=correct, nesterov=nesterov,
    )  # fmt: skip
    parts = split(net.graph, ("q", "s"))
    stages, losses = train_in_one_process(net, parts, settings, batches, Stale(3), STEPS)
    weights = [[net.values[name].astype(np.float64)] for name in "abc"]
    velocities = [[np.zeros_like(w[0])] for w in weights]
    rates = [[0.0] for _ in weights]  # that of the update before
    for t in range(STEPS):
        x, y = batches.inputs(t).numpy().astype(np.float64), batches.labels(t).numpy()
        seen = [max(0, t - 2 * (last - i)) for i in range(3)]
        forward = [
            foreseen(correct, weights[i][n], velocities[i][n], rates[i][n], t - n)
            for i, n in enumerate(seen)
        ]
        p = x @ forward[0]
        q = np.maximum(p, 0)
        r = q @ forward[1]
        s = np.maximum(r, 0)
        scores = s @ forward[2]
        e = np.exp(scores - scores.max(1, keepdims=True))
        share = e / e.sum(1, keepdims=True)
        loss = float(-np.log(share[np.arange(4), y]).mean())
        assert losses[t] == pytest.approx(loss, rel=1e-3), t
        d = (share - np.eye(3)[y]) / 4
        back_c = d @ weights[2][t].T * (r > 0)
        back_b = back_c @ weights[1][t].T * (p > 0)
        for i, gradient in enumerate((x.T @ back_b, q.T @ back_c, s.T @ d)):
            rate = rate_of(t)
            if correct == "pipemare":
                rate /= (2 * (last - i) + 1) ** max(0, 1 - 4 * t / STEPS)
            w, v = updated(
                correct, nesterov, weights[i][t], velocities[i][t], gradient, rate, t - seen[i]
            )
            weights[i].append(w)
            velocities[i].append(v)
            rates[i].append(rate)
    for i, name in enumerate("abc"):
        found = stages[i].module.values()[name]
        assert np.allclose(found, weights[i][-1], rtol=2e-3, atol=2e-5), name


def test_corrections_differ():
    """Each gives other weights than plain momentum: the test above can fail. Without cuts
    prediction and spike compensation are plain, and "nesterov" is Nesterov's momentum."""
    net, batches = load_for_training(parse(NETWORK)), data()

    def trained(cuts, **fields):
        settings = Settings("", "", batch=4, rate=RATE, momentum=M, **fields)
        parts = split(net.graph, cuts)
        stages, _ = train_in_one_process(net, parts, settings, batches, Stale(len(parts)), 20)
        return stages[0].module.values()["a"]

    kinds = ("none", "predict", "spike", "pipemare", "nesterov")
    cut = [trained(("q", "s"), correct=kind) for kind in kinds]
    assert len({array.tobytes() for array in cut}) == len(kinds)
    whole = dict(zip(kinds, (trained((), correct=kind) for kind in kinds), strict=True))
    for kind in ("predict", "spike", "pipemare"):
        assert np.array_equal(whole[kind], whole["none"])
    assert np.array_equal(whole["nesterov"], trained((), nesterov=True))


def test_adamw_is_torchs_definition():
    """Loshchilov and Hutter's update, written out: one layer, no cut."""
    net = load_for_training(
        parse("(float[1,5] x, float[5,3] a) => (float[1,3] y) { y = MatMul(x, a) }")
    )
    batches = data()
    settings = Settings(
        "", "", batch=4, rate=0.01, optimizer="adamw", momentum=0.9, weight_decay=0.1
    )
    (stage,), _ = train_in_one_process(net, split(net.graph, ()), settings, batches, Stale(1), 30)
    w = net.values["a"].astype(np.float64)
    mean, square = np.zeros_like(w), np.zeros_like(w)
    for t in range(30):
        x, y = batches.inputs(t).numpy().astype(np.float64), batches.labels(t).numpy()
        e = np.exp(x @ w - (x @ w).max(1, keepdims=True))
        g = x.T @ (e / e.sum(1, keepdims=True) - np.eye(3)[y]) / 4
        w = w * (1 - 0.01 * 0.1)
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g * g
        ahead, spread = mean / (1 - 0.9 ** (t + 1)), square / (1 - 0.999 ** (t + 1))
        w -= 0.01 * ahead / (np.sqrt(spread) + 1e-8)
    assert np.allclose(stage.module.values()["a"], w, rtol=1e-3, atol=1e-5)


def test_crop_and_flip_by_their_definition():
    """Every picture is a window of the picture in its black border, mirrored or not; all shifts
    come up; the same seed gives the same."""
    random = np.random.default_rng(0)
    images = random.uniform(1, 2, (300, 2, 6, 5)).astype(np.float32)
    black = np.array([-0.5, 0.25], np.float32).reshape(1, 2, 1, 1) * np.ones(
        (1, 2, 6, 5), np.float32
    )
    found = augmented(images, black, ("crop", "flip"), (1, 2))
    assert np.array_equal(found, augmented(images, black, ("crop", "flip"), (1, 2)))
    assert not np.array_equal(found, augmented(images, black, ("crop", "flip"), (1, 3)))
    seen = set()
    for image, result in zip(images, found, strict=True):
        wide = np.empty((2, 6 + 2 * BORDER, 5 + 2 * BORDER), np.float32)
        wide[:] = black[0, :, :1, :1]
        wide[:, BORDER:-BORDER, BORDER:-BORDER] = image
        windows = {
            (y, x, flip): wide[:, y : y + 6, x : x + 5][..., :: -1 if flip else 1]
            for y in range(2 * BORDER + 1)
            for x in range(2 * BORDER + 1)
            for flip in (False, True)
        }
        matches = [key for key, window in windows.items() if np.array_equal(window, result)]
        assert matches
        seen |= set(matches)
    assert len(seen) > 120  # of 162
    assert np.array_equal(augmented(images, black, (), (1, 2)), images)


def test_pictures_vary_while_learning_alone():
    """From bytes, and with channels last; test pictures and labels stay."""
    images = np.random.default_rng(0).integers(1, 255, (8, 4, 4), np.uint8)
    preparation = Preparation(mean=(0.5,))
    for shape in ((1, 1, 4, 4), (1, 4, 4, 1)):
        stored = Stored(images, np.arange(8), shape, preparation)
        plain, varied = (Batches(stored, np.arange(8), 8, 0, kinds) for kinds in ((), ("crop",)))
        x, y = plain.inputs(0).numpy(), varied.inputs(0).numpy()
        assert x.shape == y.shape and not np.array_equal(x, y)
        assert set(np.unique(y)) <= {*np.unique(x), np.float32(-0.5)}  # black is -0.5 here
        assert torch.equal(plain.labels(0), varied.labels(0))
        still = Batches(stored, np.arange(8), 8, None, ("crop",))
        assert np.array_equal(still.inputs(0).numpy(), stored.inputs())
