"""Training schedules side by side in one run: python -m benchmarks.train.anchors OUT [--networks
lenet5,...] [--seeds N] [--write]

One process with one and two threads; two workers of a thread each as data-parallel, in GPipe's, in
1F1B's and in interleaved 1F1B's schedule with 4 and 8 microbatches as torch runs them, and in
hlsgen's pipeline. All in turns, at pinned cuts, from the same weights and in the same order of
pictures. Every run is a line of OUT/anchors.jsonl as soon as it is done, and is not made again;
`--write` makes none and puts a table of those that are done into docs/training.md.

A machine that others use too stretches all times. So beside the time by the clock stands that of a
replay (`replay`): the passes in their order, each as long as it was on a core, as if every worker
had a core of its own. Two threads of one process are told by the clock alone; they wait for each
other asleep (OMP_WAIT_POLICY), since on such a machine they would spin for long.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx

from benchmarks.kept import Finished, put_into
from benchmarks.train.replay import Pass, replay
from benchmarks.train.runs import DOCUMENT, table
from benchmarks.train.schemes import Scheme, work
from hlsgen.data.evaluate import run as run_onnxruntime
from hlsgen.data.pictures import read_stored
from hlsgen.frontend.training import load_for_training
from hlsgen.train.launch import launch
from hlsgen.train.settings import Settings
from hlsgen.zoo import network

SCHEMES = {
    "one process, 1 thread": Scheme("alone", workers=1),
    "one process, 2 threads": Scheme("alone", workers=1, threads=2),
    "data-parallel (DDP)": Scheme("data parallel"),
    "GPipe, 4 microbatches": Scheme("gpipe", microbatches=4),
    "GPipe, 8 microbatches": Scheme("gpipe", microbatches=8),
    "1F1B, 4 microbatches": Scheme("1f1b", microbatches=4),
    "1F1B, 8 microbatches": Scheme("1f1b", microbatches=8),
    "interleaved 1F1B, 4 microbatches": Scheme("interleaved", microbatches=4),
    "interleaved 1F1B, 8 microbatches": Scheme("interleaved", microbatches=8),
    "stale weights (hlsgen)": Scheme("stale"),
}
BASE = next(iter(SCHEMES))


@dataclass(frozen=True)
class Anchor:
    """A network, its cuts for two stages and for the four of interleaved 1F1B (as `--workers` would
    cut it by the model of the layers), and how it is trained: `epochs` of `minibatches` each."""

    name: str
    width: float
    cuts: tuple[str, ...]
    fine_cuts: tuple[str, ...]
    rate: float
    batch: int = 128
    minibatches: int = 24
    epochs: int = 4

    def cuts_for(self, scheme: Scheme) -> tuple[str, ...]:
        """The cuts that a schedule needs."""
        whole = scheme.kind in ("alone", "data parallel")
        return () if whole else self.fine_cuts if scheme.kind == "interleaved" else self.cuts


ANCHORS = {
    "lenet5": Anchor("lenet5", 1.0, ("pool1",), ("pool1", "fc2", "relu4"), 0.01),
    "resnet20": Anchor(
        "resnet20",
        0.5,
        ("stage1_block3_relu",),
        ("stage1_block2_bn1", "stage1_block3_add", "stage2_block3_bn1"),
        0.05,
        batch=64,
        minibatches=16,
        epochs=2,
    ),
}
TESTED = 2000


def measure(anchor: Anchor, scheme: Scheme, seed: int) -> dict[str, Any]:
    """A run: what its workers measured, and the share of the test pictures that is right then."""
    model = network(anchor.name, None, anchor.width, seed)
    net = load_for_training(model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        onnx.save(model, folder / "net.onnx")
        learnt, test = pictures(net.graph.inputs[0].image_shape, anchor, folder)
        settings = Settings(
            str(folder / "net.onnx"), learnt, cuts=anchor.cuts_for(scheme), epochs=anchor.epochs,
            batch=anchor.batch, microbatches=scheme.microbatches, rate=anchor.rate, warmup=10,
            seed=seed, layout="channels_last",
        )  # fmt: skip
        launch(work, scheme.workers, folder, scheme, settings, folder)
        ranks = range(scheme.workers)
        workers = [json.loads((folder / f"{rank}.json").read_text()) for rank in ranks]
        values: dict[str, np.ndarray] = {}
        for rank in ranks:
            values = dict(np.load(folder / f"{rank}.npz")) | values
    scores = run_onnxruntime(net.restore(values), test[0]).reshape(len(test[1]), -1)
    return {"workers": workers, "accuracy": float((scores.argmax(1) == test[1]).mean())}


def pictures(
    shape: tuple[int, ...], anchor: Anchor, folder: Path
) -> tuple[str, tuple[np.ndarray, np.ndarray]]:
    """A file with the pictures to learn from, and some to test on: the first ones of
    Fashion-MNIST."""
    parts = [read_stored("fashion-mnist", shape, part=part) for part in ("train", "test")]
    learnt, test = (part for part in parts if part is not None)
    assert learnt.labels is not None and test.labels is not None
    count = anchor.batch * anchor.minibatches
    fields: dict[str, Any] = {
        "train_images": learnt.images[:count],
        "train_labels": learnt.labels[:count],
    }
    fields |= {"test_images": test.images[:1], "test_labels": test.labels[:1]}
    np.savez(folder / "pictures.npz", **fields)
    return str(folder / "pictures.npz"), (test.inputs(slice(TESTED)), test.labels[:TESTED])


@dataclass(frozen=True)
class Measured:
    """A run's figures: pictures a second by the clock and replayed; milliseconds of all cores a
    picture; by worker the idle share of the replay and MB; staleness; accuracy."""

    rate: float
    replayed: float
    cost: float
    idle: tuple[float, ...]
    memory: tuple[float, ...]
    staleness: int
    accuracy: float

    @staticmethod
    def of(told: dict[str, Any], anchor: Anchor) -> Measured:
        """From what a run told: the median epoch, without the first one, in which memory is being
        laid out. An epoch takes as long as its slowest worker."""
        count, workers = anchor.batch * anchor.minibatches, told["workers"]
        epochs = list(zip(*(worker["epochs"] for worker in workers), strict=True))[1:]
        replays = [replay([passes_of(worker) for worker in epoch]) for epoch in epochs]
        return Measured(
            count / median(max(worker["wall"] for worker in epoch) for epoch in epochs),
            count / median(seconds for seconds, _ in replays),
            1e3 / count * median(sum(worker["cpu"] for worker in epoch) for epoch in epochs),
            tuple(
                median(1 - busy[n] / seconds for seconds, busy in replays)
                for n in range(len(workers))
            ),
            tuple(worker["bytes"] / 1e6 for worker in workers),
            max(worker["staleness"] for worker in workers),
            told["accuracy"],
        )


def passes_of(epoch: dict[str, Any]) -> list[Pass]:
    """A worker's passes from JSON."""
    return [
        Pass(tuple(p["key"]), tuple(map(tuple, p["needs"])), p["before"], p["took"])
        for p in epoch["passes"]
    ]


def row(anchor: Anchor, name: str, runs: list[tuple[Measured, Measured]]) -> list[str]:
    """Medians of a schedule's runs, their rates over those of one process with the same seed."""
    found, threads = [run for run, _ in runs], SCHEMES[name].threads > 1
    clock = [run.rate / base.rate for run, base in runs]
    replayed = [run.replayed / base.replayed for run, base in runs]
    shares = [median(run.idle[n] for run in found) for n in range(len(found[0].idle))]
    sizes = [median(run.memory[n] for run in found) for n in range(len(found[0].memory))]
    right = [100 * run.accuracy for run in found]
    return [
        anchor.name,
        name,
        "" if threads else f"{median(run.replayed for run in found):,.0f}",
        "" if threads else spread(replayed),
        spread(clock),
        f"{median(run.cost for run in found):.2f}",
        "" if threads else ", ".join(f"{share:.0%}" for share in shares),
        ", ".join(f"{size:.0f}" for size in sizes),
        str(max(run.staleness for run in found)),
        f"{np.mean(right):.1f} ± {np.ptp(right) / 2:.1f}",
        str(len(runs)),
    ]


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


TITLES = [
    "network",
    "schedule",
    "pictures a second",
    "speed-up",
    "speed-up by the clock",
    "core ms a picture",
    "idle",
    "MB",
    "staleness",
    "right, %",
    "seeds",
]


def rows(anchor: Anchor, seeds: int, finished: Finished) -> list[list[str]]:
    """The table's lines of a network: the schedules that are done with at least one seed."""

    def measured(name: str, seed: int) -> Measured | None:
        told = finished.result(key_of(anchor, name, seed))
        return Measured.of(told, anchor) if told else None

    found = []
    for name in SCHEMES:
        pairs = [(measured(name, seed), measured(BASE, seed)) for seed in range(seeds)]
        done = [(run, base) for run, base in pairs if run and base]
        if done:
            found.append(row(anchor, name, done))
    return found


def key_of(anchor: Anchor, name: str, seed: int) -> dict[str, Any]:
    """What a run is known by."""
    return {"anchor": asdict(anchor), "scheme": asdict(SCHEMES[name]), "seed": seed}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--networks", default=",".join(ANCHORS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="what is done into docs/training.md")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # of the workers, which import torch for themselves
    finished = Finished(options.out / "anchors.jsonl")
    anchors = [ANCHORS[name] for name in options.networks.split(",")]
    for seed in range(0 if options.write else options.seeds):
        for anchor in anchors:
            for name, scheme in SCHEMES.items():
                key = key_of(anchor, name, seed)
                finished.make(key, partial(measure, anchor, scheme, seed))
    text = table(TITLES, [line for a in anchors for line in rows(a, options.seeds, finished)])
    print(text)
    if options.write:
        put_into(DOCUMENT, "anchors", text)


if __name__ == "__main__":
    main()
