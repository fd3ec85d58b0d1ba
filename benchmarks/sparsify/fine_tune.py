"""What fine-tuning adds: python -m benchmarks.sparsify.fine_tune TRAINED.onnx [--data
fashion-mnist] [--epochs N]

For each sparsity the accuracy of a trained network without training on, and after `epochs` epochs
with its zeros kept; then the sparsest network on a grid that loses at most so many points.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from benchmarks.train.runs import table
from hlsgen.data.evaluate import Evaluator, input_shape
from hlsgen.data.pictures import read_pictures
from hlsgen.frontend.model import read_model
from hlsgen.host.pictures import Preparation
from hlsgen.sparsify import sparsify
from hlsgen.train.fine_tune import fine_tune

SHARES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.97)
METHODS = ("relative", "lamp")
BUDGETS = (0.01, 0.05)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--epochs", type=int, default=1)
    options = parser.parse_args()
    model = read_model(options.model)
    evaluator = Evaluator(model, read_pictures(options.data, input_shape(model)))
    rows, best = [], []
    for method in METHODS:
        scores: dict[str, list[float]] = {"without": [], "with": []}
        for share in SHARES:
            sparse = sparsify(model, method, sparsity=share).model
            with TemporaryDirectory() as name:
                folder, plain = Path(name), Preparation()
                tuned = fine_tune(sparse, options.data, plain, options.epochs, 0.005, folder)
            scores["without"].append(
                evaluator(
                    f"{method} {share}",
                    partial(onnx.ModelProto.FromString, sparse.SerializeToString()),
                ).share
            )
            scores["with"].append(
                evaluator(
                    f"{method} {share} tuned",
                    partial(onnx.ModelProto.FromString, tuned.SerializeToString()),
                ).share
            )
        for kind, found in scores.items():
            rows.append([method, f"{kind} fine-tuning", *(f"{100 * s:.1f}" for s in found)])
            cells = [
                max(
                    (
                        s
                        for s, a in zip(SHARES, found, strict=True)
                        if a >= evaluator.reference.share - b
                    ),
                    default=0.0,
                )
                for b in BUDGETS
            ]
            best.append([method, f"{kind} fine-tuning", *(f"{cell:.0%}" for cell in cells)])
    print(f"Dense: {evaluator.reference.share:.1%} of {evaluator.reference.pictures:,}\n")
    print(table(["method", "", *(f"{share:.0%}" for share in SHARES)], rows), end="\n\n")
    print(table(["method", "", *(f"sparsest within {budget:.0%}" for budget in BUDGETS)], best))


if __name__ == "__main__":
    main()
