"""Memory of a pipeline of four stages: python -m benchmarks.train.memory [--networks ...]

Runs the pipeline in one process until it is full and counts what autograd keeps of the minibatches
in flight; beside it the formula of docs/training.md, and what stashing the weights of every
minibatch in flight would take.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.train.runs import NETWORKS, table
from hlsgen.data.pictures import Stored
from hlsgen.frontend.training import load_for_training
from hlsgen.host.pictures import Preparation
from hlsgen.train.batches import Batches
from hlsgen.train.cut import split
from hlsgen.train.meter import Meter
from hlsgen.train.reference import run_cycles
from hlsgen.train.schedule import Stale
from hlsgen.train.settings import Settings
from hlsgen.train.stage import Stage
from hlsgen.zoo import network

BATCH, MINIBATCHES = 128, 8


def measure(name: str) -> list[str]:
    """One network's row."""
    net, spec = load_for_training(network(name)), NETWORKS[name]
    shape, random = net.graph.inputs[0].image_shape, np.random.default_rng(0)
    images = random.integers(0, 255, (BATCH * MINIBATCHES, *shape[1:]), np.uint8)
    stored = Stored(images, random.integers(0, 10, len(images)), shape, Preparation())
    batches = Batches(stored, np.arange(len(images)), BATCH, 0)
    settings = Settings("", "", batch=BATCH, rate=1e-4)
    parts = split(net.graph, spec.deep.split(","))
    schedule = Stale(len(parts))
    stages = [Stage(net, part, settings, MINIBATCHES, meter=Meter()) for part in parts]
    run_cycles(stages, batches, schedule, MINIBATCHES)
    held = plain = extra = stash = weights = 0
    for number, stage in enumerate(stages):
        assert stage.meter is not None
        size, count = (
            stage.meter.most_bytes // stage.meter.most_minibatches,
            sum(w.numel() for w in stage.learnt),
        )
        held, plain, weights = held + stage.meter.most_bytes, plain + size, weights + 4 * count
        extra += schedule.staleness(number) * size
        stash += schedule.staleness(number) * 4 * count
    base = plain + weights
    megabytes = [f"{n / 1e6:.1f}" for n in (held, plain + extra, plain, weights)]
    return [name, *megabytes, f"{extra / base:.0%}", f"{(extra + stash) / base:.0%}"]


def main() -> None:
    """All networks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", default=",".join(NETWORKS))
    options = parser.parse_args()
    titles = [
        "activations kept, MB",
        "formula, MB",
        "without pipeline, MB",
        "weights, MB",
        "more memory",
        "with weight stashing",
    ]
    print(table(["network", *titles], [measure(name) for name in options.networks.split(",")]))


if __name__ == "__main__":
    main()
