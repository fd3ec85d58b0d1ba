"""What makes up for stale weights: python -m benchmarks.train.correct OUT [--networks lenet5,...]
[--cuts 1,3,7] [--seeds N] [--write]

Every network is trained without a pipeline and with K cuts, evenly spaced over its layers, by each
correction, with AdamW, and as a hybrid with and without a restart of the learning rate: from the
same weights, in the same order of pictures, in one process, which computes what the pipeline's
workers do. Every run is a line of OUT/correct.jsonl as soon as it is done, and is not made again;
several commands may share the work by networks. Prints test accuracy, mean and half the range over
the seeds; `--write` makes no runs and puts a table of those that are done into docs/training.md.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.kept import Finished, put_into
from benchmarks.train.runs import DOCUMENT, table
from hlsgen.data.pictures import read_stored
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
    """A network of a width for pictures of `size`, and how it is trained on `limit` pictures.
    `rate` is that of SGD, `adamw` that of AdamW."""

    name: str
    width: float
    size: int
    epochs: int
    limit: int
    batch: int
    rate: float
    adamw: float


# Test pictures; pixels of a side of Fashion-MNIST's.
TESTED, SIDE = 2000, 28
RUNS = {
    "lenet5": Run("lenet5", 1.0, 28, 3, 6000, 32, 0.005, 0.001),
    "resnet20": Run("resnet20", 0.5, 16, 2, 1280, 16, 0.02, 0.002),
    "vgg16": Run("vgg16", 0.125, 32, 2, 1280, 16, 0.01, 0.001),
}
# What differs from plain SGD, without and with a pipeline.
ALONE: dict[str, dict[str, Any]] = {
    "SGD": {},
    "Nesterov": {"nesterov": True},
    "AdamW": {"optimizer": "adamw"},
}
PIPELINED: dict[str, dict[str, Any]] = {
    **{name: {"correct": name} for name in CORRECTIONS},
    "hybrid": {"hybrid": 0.5},
    "hybrid, restart": {"hybrid": 0.5, "restart": True},
    "AdamW": {"optimizer": "adamw"},
}


def even_cuts(layers: list[str], count: int) -> tuple[str, ...]:
    """`count` layers to cut after, evenly spaced."""
    return tuple(layers[len(layers) * (n + 1) // (count + 1) - 1] for n in range(count))


def accuracy(run: Run, data: str, cuts: int, seed: int, options: dict[str, Any]) -> float:
    """Share of the test pictures that are right after training; chance where it fails."""
    net = load_for_training(network(run.name, run.size, run.width, seed))
    shape, (layers, scores) = net.graph.inputs[0].image_shape, trained_layers(net.graph)
    rate = run.adamw if "optimizer" in options else run.rate
    settings = Settings(
        "", data, epochs=run.epochs, limit=run.limit, rate=rate, decay="cosine",
        batch=run.batch, warmup=20, weight_decay=1e-4, seed=seed, layout="channels_last",
    )  # fmt: skip
    settings = replace(settings, **options)
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


def data_for(run: Run, folder: Path) -> str:
    """Fashion-MNIST, or its pictures at half the size where they are larger than the network's."""
    if run.size >= SIDE:
        return "fashion-mnist"
    path, parts = folder / "halved.npz", {}
    if not path.is_file():
        for part in ("train", "test"):
            stored = read_stored("fashion-mnist", (1, 1, SIDE, SIDE), part=part)
            assert stored is not None
            images = stored.images.reshape(-1, SIDE // 2, 2, SIDE // 2, 2).mean((2, 4))
            parts[f"{part}_images"] = images.round().astype(np.uint8)
            parts[f"{part}_labels"] = stored.labels
        np.savez(path, **parts)
    return str(path)


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


def key_of(run: Run, cuts: int, options: dict[str, Any], seed: int) -> dict[str, Any]:
    """What a run is known by."""
    return {"run": asdict(run), "cuts": cuts, "options": options, "seed": seed}


def make_all(
    runs: list[Run], counts: list[int], seeds: int, folder: Path, finished: Finished
) -> None:
    """Make all runs, every one with the first seed before any with the second."""
    variants = [(0, options) for options in ALONE.values()]
    variants += [(cuts, options) for cuts in counts for options in PIPELINED.values()]
    for seed in range(seeds):
        for run in runs:
            data = data_for(run, folder)
            for cuts, options in variants:
                made = partial(accuracy, run, data, cuts, seed, options)
                finished.make(key_of(run, cuts, options, seed), made)


def cell(run: Run, cuts: int, options: dict[str, Any], seeds: int, finished: Finished) -> str:
    """Mean and half the range, in %; the number of seeds where it is not all of them."""
    found = [finished.result(key_of(run, cuts, options, seed)) for seed in range(seeds)]
    done = [share for share in found if share is not None]
    if not done:
        return ""
    fewer = f" ({len(done)})" if len(done) < seeds else ""
    return f"{100 * np.mean(done):.1f} ± {50 * np.ptp(done):.1f}{fewer}"


def main() -> None:
    """Train all, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--networks", default=",".join(RUNS))
    parser.add_argument("--cuts", default="1,3,7")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="what is done into docs/training.md")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    finished = Finished(options.out / "correct.jsonl")
    runs = [RUNS[name] for name in options.networks.split(",")]
    counts = [int(count) for count in options.cuts.split(",")]
    if not options.write:
        make_all(runs, counts, options.seeds, options.out, finished)
    rows = [
        [
            run.name,
            str(cuts),
            *(cell(run, 0, variant, options.seeds, finished) for variant in ALONE.values()),
            *(cell(run, cuts, variant, options.seeds, finished) for variant in PIPELINED.values()),
        ]
        for run in runs
        for cuts in counts
    ]
    text = table(["network", "K", *(f"{name}, no pipeline" for name in ALONE), *PIPELINED], rows)
    print(text)
    if options.write:
        put_into(DOCUMENT, "corrections", text)


if __name__ == "__main__":
    main()
