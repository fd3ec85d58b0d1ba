"""What makes up for stale weights: python -m benchmarks.train.correct OUT [--networks lenet5,...]
[--cuts 1,3,7] [--seeds N]

Every network is trained without a pipeline and with K cuts, evenly spaced over its layers, by each
correction and as a hybrid with and without a restart of the learning rate: from the same weights,
in the same order of pictures, in one process, which computes what the pipeline's workers do. Writes
OUT/correct.json as it goes on and goes on from there; prints test accuracy, mean and half the range
over the seeds.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.train.runs import table
from hlsgen.errors import TrainingError
from hlsgen.frontend.training import load_for_training
from hlsgen.train.batches import Batches, read_batches
from hlsgen.train.cut import split, trained_layers
from hlsgen.train.journal import Journal
from hlsgen.train.plan import segments
from hlsgen.train.reference import run_cycles
from hlsgen.train.settings import CORRECTIONS, Settings
from hlsgen.train.stage import Stage
from hlsgen.zoo import network


@dataclass(frozen=True)
class Run:
    """A network, and how it is trained on `limit` pictures of Fashion-MNIST."""

    name: str
    width: float
    epochs: int
    limit: int
    rate: float


# Pictures in a minibatch; test pictures.
BATCH, TESTED = 32, 2000
RUNS = {
    "lenet5": Run("lenet5", 1.0, 3, 6000, 0.005),
    "resnet20": Run("resnet20", 0.25, 3, 2000, 0.02),
    "vgg16": Run("vgg16", 0.125, 3, 2000, 0.01),
}
VARIANTS: dict[str, dict[str, Any]] = {
    **{name: {"correct": name} for name in CORRECTIONS},
    "hybrid": {"hybrid": 0.5},
    "hybrid, restart": {"hybrid": 0.5, "restart": True},
}


def even_cuts(layers: list[str], count: int) -> tuple[str, ...]:
    """`count` layers to cut after, evenly spaced."""
    return tuple(layers[len(layers) * (n + 1) // (count + 1) - 1] for n in range(count))


def accuracy(run: Run, cuts: int, seed: int, variant: dict[str, Any]) -> float:
    """Share of the test pictures that are right after training; chance where it fails."""
    net = load_for_training(network(run.name, None, run.width, seed))
    shape, (layers, scores) = net.graph.inputs[0].image_shape, trained_layers(net.graph)
    settings = Settings(
        "", "fashion-mnist", epochs=run.epochs, limit=run.limit, rate=run.rate, decay="cosine",
        batch=BATCH, warmup=20, weight_decay=1e-4, seed=seed, layout="channels_last",
    )  # fmt: skip
    settings = replace(settings, **variant)
    learnt, test = pictures(settings, shape, net.graph.tensors[scores].channels)
    parts = split(net.graph, even_cuts([layer.name for layer in layers], cuts))
    total = settings.epochs * len(learnt)
    stages = [Stage(net, part, settings, total) for part in parts]
    journal = Journal(Path())
    try:
        for s in segments(settings, len(learnt)):
            losses = run_cycles(stages, learnt, s.schedule(len(parts)), s.steps, s.offset)
            journal.minibatch(s.offset, losses[-1], 0.0)
    except TrainingError:
        return 1 / net.graph.tensors[scores].channels
    return right(stages, test) / len(test.chosen)


def pictures(settings: Settings, shape: tuple[int, ...], classes: int) -> tuple[Batches, Batches]:
    """What is learnt from, and the first test pictures."""
    learnt, test = read_batches(settings, shape, classes)
    return learnt, replace(test, chosen=test.chosen[:TESTED])


def right(stages: list[Stage], test: Batches) -> int:
    """Test pictures that are right."""
    found = 0
    for step in range(len(test)):
        values: tuple[torch.Tensor, ...] = (test.inputs(step),)
        for stage in stages:
            values = stage.evaluate(values)
        answers = values[0].flatten(1).argmax(1) == test.labels(step)
        found += int(answers[: test.real(step)].sum())
    return found


def cell(found: list[float]) -> str:
    """Mean and half the range, in %."""
    return f"{100 * np.mean(found):.1f} ± {50 * np.ptp(found):.1f}"


def main() -> None:
    """Train all, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--networks", default="lenet5,resnet20")
    parser.add_argument("--cuts", default="1,3,7")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    file = options.out / "correct.json"
    done: dict[str, float] = json.loads(file.read_text()) if file.is_file() else {}

    def result(run: Run, cuts: int, name: str, seed: int) -> float:
        key = f"{run} | {cuts} | {name} | {seed}"
        if key not in done:
            done[key] = accuracy(run, cuts, seed, VARIANTS[name])
            file.write_text(json.dumps(done, indent=1))
        return done[key]

    rows, seeds = [], range(options.seeds)
    for run in (RUNS[name] for name in options.networks.split(",")):
        plain = [cell([result(run, 0, "none", seed) for seed in seeds])]
        for cuts in map(int, options.cuts.split(",")):
            cells = [cell([result(run, cuts, name, seed) for seed in seeds]) for name in VARIANTS]
            rows.append([run.name, str(cuts), *plain, *cells])
    print(table(["network", "K", "non-pipelined", *VARIANTS], rows))


if __name__ == "__main__":
    main()
