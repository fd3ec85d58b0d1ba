"""Memory of pipelines: python -m benchmarks.train.memory [--cuts deep|one] [--networks ...]

Runs the pipeline in one process until it is full and counts what autograd keeps of the minibatches
in flight; beside it the formula of docs/training.md, and what stashing the weights of every
minibatch in flight would take. `--cuts deep`: four stages. `--cuts one`: the single cuts of the
paper's own table (its journal version's table 9), beside its figures. Both are about minibatches of
128; `--batch` counts on smaller ones and multiplies, since all but a few statistics are theirs.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from benchmarks.train.runs import NETWORKS, table
from hlsgen.data.pictures import Stored
from hlsgen.frontend.training import load_for_training
from hlsgen.host.pictures import Preparation
from hlsgen.train.batches import Batches
from hlsgen.train.cut import split, trained_layers
from hlsgen.train.meter import Meter
from hlsgen.train.reference import run_cycles
from hlsgen.train.schedule import Stale
from hlsgen.train.settings import Settings
from hlsgen.train.stage import Stage
from hlsgen.zoo import network

BATCH = 128


@dataclass(frozen=True)
class Published:
    """The paper's cut after its n-th layer with weights, our layer of that place, and its figures:
    MB of activations a picture, MB of weights, more memory in % for it and for PipeDream."""

    layer: int
    cut: str
    activations: float
    weights: float
    more: int
    pipedream: int


PUBLISHED = {
    "lenet5": Published(2, "pool2", 0.06, 0.24, 97, 109),
    "alexnet": Published(3, "relu3", 0.88, 88.87, 37, 214),
    "vgg16": Published(2, "conv1_2_relu", 3.30, 58.16, 75, 124),
    "resnet20": Published(7, "stage1_block3_relu", 3.84, 1.03, 60, 61),
}


@dataclass(frozen=True)
class Memory:
    """Bytes: all results of layers, for one picture; what autograd kept of all minibatches at once;
    by stage what it keeps of one minibatch, and weights."""

    outputs: int
    held: int
    kept: tuple[int, ...]
    weights: tuple[int, ...]

    @property
    def plain(self) -> int:
        """Activations without a pipeline."""
        return sum(self.kept)

    @property
    def base(self) -> int:
        """Activations and weights without a pipeline."""
        return self.plain + sum(self.weights)

    @property
    def extra(self) -> int:
        """What the pipeline adds, by the formula."""
        return weighted(self.kept)

    @property
    def stash(self) -> int:
        """What weights of every minibatch in flight would add."""
        return weighted(self.weights)


def weighted(sizes: tuple[int, ...]) -> int:
    """The sizes of the stages times their staleness."""
    schedule = Stale(len(sizes))
    return sum(schedule.staleness(stage) * size for stage, size in enumerate(sizes))


def measure(name: str, cuts: list[str], batch: int) -> Memory:
    """Fill the pipeline with minibatches of `batch` pictures and count; for those of 128."""
    net = load_for_training(network(name))
    parts = split(net.graph, cuts)
    minibatches = Stale(len(parts)).in_flight(0) + 1
    shape, random = net.graph.inputs[0].image_shape, np.random.default_rng(0)
    images = random.integers(0, 255, (batch * minibatches, *shape[1:]), np.uint8)
    stored = Stored(images, random.integers(0, 10, len(images)), shape, Preparation())
    batches = Batches(stored, np.arange(len(images)), batch, 0)
    settings = Settings("", "", batch=batch, rate=1e-4)
    meters = [Meter() for _ in parts]
    stages = [
        Stage(net, part, settings, minibatches, meter=meter)
        for part, meter in zip(parts, meters, strict=True)
    ]
    run_cycles(stages, batches, Stale(len(parts)), minibatches)
    layers, _ = trained_layers(net.graph)
    return Memory(
        4 * sum(net.graph.tensors[layer.output].size for layer in layers),
        sum(meter.most_bytes for meter in meters) * BATCH // batch,
        tuple(meter.most_bytes * BATCH // batch // meter.most_minibatches for meter in meters),
        tuple(4 * sum(w.numel() for w in stage.learnt) for stage in stages),
    )


def deep(names: list[str], batch: int) -> str:
    """Four stages."""
    rows = []
    for name in names:
        m = measure(name, NETWORKS[name].deep.split(","), batch)
        sizes = (m.held, m.plain + m.extra, m.plain, sum(m.weights))
        more = (m.extra / m.base, (m.extra + m.stash) / m.base)
        rows.append([name, *(f"{n / 1e6:.1f}" for n in sizes), *(f"{n:.0%}" for n in more)])
    titles = [
        "activations kept, MB",
        "formula, MB",
        "without pipeline, MB",
        "weights, MB",
        "more memory",
        "with weight stashing",
    ]
    return table(["network", *titles], rows)


def one(names: list[str], batch: int) -> str:
    """The paper's single cuts; its figures follow ours. One more minibatch of the first stage's
    activations, and PipeDream's four sets of all weights, are what its figures add up to."""
    rows = []
    for name in names:
        p = PUBLISHED[name]
        m = measure(name, [p.cut], batch)
        first, weights = m.kept[0], sum(m.weights)
        more = (m.extra / m.base, first / m.base, (m.extra + m.stash) / m.base)
        rows.append(
            [
                f"{name} ({p.layer})",
                p.cut,
                f"{m.outputs / 1e6:.2f}, {p.activations:.2f}",
                f"{m.plain / BATCH / 1e6:.2f}",
                f"{weights / 1e6:.2f}, {p.weights:.2f}",
                f"{more[0]:.0%}, {p.more}%",
                f"{more[1]:.0%}",
                f"{more[2]:.0%}, {p.pipedream}%",
            ]
        )
    titles = [
        "cut after",
        "results of layers a picture, MB",
        "kept for a picture, MB",
        "weights, MB",
        "more memory",
        "one more minibatch",
        "with weight stashing",
    ]
    return table(["network (PPV)", *titles], rows)


def main() -> None:
    """All networks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", choices=("deep", "one"), default="deep")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--batch", type=int, default=BATCH)
    options = parser.parse_args()
    names = options.networks.split(",")
    print((deep if options.cuts == "deep" else one)(names, options.batch))


if __name__ == "__main__":
    main()
