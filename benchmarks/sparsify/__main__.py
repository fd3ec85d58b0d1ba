"""python -m benchmarks.sparsify OUT [--labels CSV]: curves and searches of all methods on the
trained networks; OUT/results.md."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import onnx

from benchmarks.sparsify import pictures
from benchmarks.sparsify.squeezenet import squeezenet
from examples.trained import mnist_cnn, mobilenet_v2
from hlsgen.data.evaluate import Evaluator, Score
from hlsgen.data.pictures import Pictures
from hlsgen.sparsify.methods import METHODS
from hlsgen.sparsify.norms import input_norms
from hlsgen.sparsify.report import write_curves
from hlsgen.sparsify.search import GRID, Searcher, curves

# Points of accuracy that the search may give up.
BUDGET = 0.05


def study(
    name: str, model: onnx.ModelProto, data: Pictures, metric: str, folder: Path
) -> list[str]:
    """Curves and searches of a network, as lines of Markdown."""
    started = time.monotonic()
    evaluator = Evaluator(model, data, metric)
    searcher = Searcher(model, evaluator, BUDGET, input_norms(model, data.inputs[:64]))
    kind = metric if data.labels is not None else f"{metric} agreement with the dense network"
    low, high = evaluator.reference.interval
    found_curves = curves(searcher)
    write_curves(found_curves, folder / name, f"{name}: {kind} of {len(data.inputs)} pictures")
    lines = [
        f"### {name}: {kind} on {len(data.inputs)} pictures",
        "",
        f"Dense {evaluator.reference.share:.1%} (95 % interval {low:.1%} to {high:.1%}).",
        "",
        "| method | "
        + " | ".join(f"{s:.0%}" for s in GRID)
        + f" | sparsest within {BUDGET:.0%} | accuracy there |",
        "|---" * (len(GRID) + 3) + "|",
    ]
    for method in METHODS:
        points = dict(found_curves[method])
        cells = [share(points.get(s)) for s in GRID]
        best = searcher.search(method)
        lines.append(
            f"| {method} | {' | '.join(cells)} | **{best.result.sparsity:.1%}** | "
            f"{share(best.score)} |"
        )
        print(lines[-1], flush=True)
    lines += [
        "",
        f"{len(evaluator.scores)} networks evaluated in {time.monotonic() - started:.0f} s.",
        "",
    ]
    return lines


def share(score: Score | None) -> str:
    """A percentage, or a dash beyond a method's reach."""
    return "-" if score is None else f"{100 * score.share:.1f}"


def main() -> None:
    """Run all networks."""
    parser = argparse.ArgumentParser(prog="benchmarks.sparsify", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--labels",
        type=Path,
        help="labels of ai-benchmark's photographs: CSV with columns file, ids",
    )
    parser.add_argument(
        "--squeezenet", type=Path, help="source distribution of ndf 0.1.4, for SqueezeNet"
    )
    parser.add_argument(
        "--only", choices=("mnist", "mobilenetv2", "squeezenet"), help="this network alone"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    lines = []
    if options.only in (None, "mnist"):
        lines += study("mnist", mnist_cnn(), pictures.digits(), "top1", options.out)
    if options.only in (None, "mobilenetv2"):
        lines += study(
            "mobilenetv2", mobilenet_v2(), pictures.photographs(options.labels), "top5", options.out
        )
    if options.squeezenet and options.only in (None, "squeezenet"):
        photographs = pictures.photographs(options.labels, pictures.bgr)
        lines += study(
            "squeezenet", squeezenet(options.squeezenet), photographs, "top5", options.out
        )
    (options.out / "results.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
