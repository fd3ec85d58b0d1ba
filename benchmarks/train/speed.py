"""Speed, in one run: python -m benchmarks.train.speed OUT [--networks ...] [--rounds N]

One worker, two workers in the pipeline with stale weights, two in GPipe's schedule and two without
a pipeline, a thread each, take turns; the time is that of an epoch of 40 minibatches (the second;
in the first one memory is being laid out). Prints medians, the ratios to one worker of the same
round and the workers' idle time.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.train.runs import NETWORKS, table, train

BATCH, MINIBATCHES = 128, 40
SCHEMES: dict[str, list[str]] = {
    "1 worker": ["--workers", "1"],
    "pipelined": ["--workers", "2"],
    "gpipe": ["--workers", "2", "--scheme", "gpipe", "--microbatches", "4"],
    "sequential": ["--workers", "2", "--scheme", "sequential"],
}


def measure(folder: Path, name: str, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """What the command tells of each scheme, round by round."""
    spec = replace(NETWORKS[name], rate=0.001)
    common = [
        "--data",
        "fashion-mnist",
        "--test",
        str(folder / "few.npz"),
        "--epochs",
        "2",
        "--batch",
        str(BATCH),
        "--limit",
        str(BATCH * MINIBATCHES),
    ]
    found: dict[str, list[dict[str, Any]]] = {scheme: [] for scheme in SCHEMES}
    pinned = ["--measure-cuts"]
    for _ in range(rounds):
        for scheme, options in SCHEMES.items():
            told = train(folder, spec, 0, *common, *options, *pinned)
            # all of them as the first one chose
            pinned = ["--measure-cuts", "--layout", told["layout"]]
            found[scheme].append(told)
    return found


def seconds(told: dict[str, Any]) -> float:
    """The second epoch."""
    return float(told["epochs"][1]["seconds"])


def few_pictures(folder: Path) -> None:
    """A small test set: testing is not what is measured."""
    import numpy as np

    from hlsgen.data.pictures import read_stored

    stored = read_stored("fashion-mnist", (1, 1, 28, 28), part="test")
    assert stored is not None and stored.labels is not None
    np.savez(folder / "few.npz", images=stored.images[:BATCH], labels=stored.labels[:BATCH])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    few_pictures(options.out)
    speeds = []
    for name in options.networks.split(","):
        found = measure(options.out, name, options.rounds)
        one = [seconds(told) for told in found["1 worker"]]
        row = [name, f"{1e3 * median(one) / MINIBATCHES:.0f}"]
        for scheme in list(SCHEMES)[1:]:
            ratios = [a / seconds(told) for a, told in zip(one, found[scheme], strict=True)]
            row.append(f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        row.append(
            ", ".join(f"{1 - worker['busy']:.0%}" for worker in found["pipelined"][-1]["workers"])
        )
        speeds.append(row)
    titles = [
        "1 worker, ms a minibatch",
        "pipelined",
        "GPipe, 4 microbatches",
        "2 workers in sequence",
        "idle in the pipeline",
    ]
    print(table(["network", *titles], speeds))


if __name__ == "__main__":
    main()
