"""Accuracy of the trained networks, float32 and int8, on labelled pictures:
`python -m benchmarks.quantise.accuracy --digits PNG --labels CSV` prints the table of
docs/quantisation.md.

32 evenly spaced pictures calibrate, the others judge. int8 is what `hlsgen quantise` writes; the
other rows change one thing each.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx

from benchmarks.sparsify import pictures
from examples.trained import mnist_cnn, mobilenet_v2
from hlsgen.data.evaluate import Evaluator, Score, run
from hlsgen.data.parts import spaced
from hlsgen.data.pictures import Pictures
from hlsgen.onnxruntime_session import session
from hlsgen.quantise.flow import Quantiser
from hlsgen.quantise.request import CALIBRATION

HEAD = (
    "| network, pictures | variant | top-1 | top-5 | same answer as float32 | noise |\n"
    "|---|---|---|---|---|---|"
)


def study(name: str, model: onnx.ModelProto, data: Pictures) -> Iterator[str]:
    """Rows of a network: float32, int8, and int8 with one thing changed."""
    chosen = spaced(len(data.inputs), CALIBRATION)
    rest = np.setdiff1d(np.arange(len(data.inputs)), chosen)
    assert data.labels is not None
    judging = Pictures(data.inputs[rest], data.labels[rest])
    judges = {metric: Evaluator(model, judging, metric) for metric in ("top1", "top5")}
    exact = judges["top1"].dense_scores

    def row(variant: str, scores: np.ndarray) -> str:
        accuracy = [shown(judge.count(scores)) for judge in judges.values()]
        same = int((scores.argmax(axis=1) == exact.argmax(axis=1)).sum())
        noise = np.sqrt(np.square(scores - exact).mean()) / exact.std()
        figures = [*accuracy, f"{same:,} of {len(rest):,}", f"{noise:.3f}"]
        return f"| {name}, {len(rest):,} | {variant} | {' | '.join(figures)} |"

    yield row("float32", exact)
    quantiser = Quantiser(model, data.inputs[chosen])
    network = quantiser.network()
    yield row("**int8**", scores_of(network, judging))
    yield row("the same file as written", as_written(network, judging))
    yield row("biases not corrected", scores_of(quantiser.first, judging))
    yield row("one layer in float", scores_of(quantiser.network(quantiser.noisiest(1)), judging))
    other = Quantiser(model, data.inputs[chosen], "percentile")
    yield row("ranges of 99.999 %", scores_of(other.network(), judging))


def scores_of(model: onnx.ModelProto, data: Pictures) -> np.ndarray:
    """A network's scores (N, classes) as it is fused and built."""
    return run(model, data.inputs).reshape(len(data.inputs), -1)


def as_written(model: onnx.ModelProto, data: Pictures) -> np.ndarray:
    """A network's scores (N, classes), float32 between DequantizeLinear and QuantizeLinear."""
    one = session(model.SerializeToString(), as_written=True)
    name = one.get_inputs()[0].name
    found = [one.run(None, {name: image[None]})[0].reshape(1, -1) for image in data.inputs]
    return np.concatenate(found)


def shown(score: Score) -> str:
    """Accuracy in per cent."""
    return f"{score.share:.1%}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.quantise.accuracy", description=__doc__)
    parser.add_argument("--digits", type=Path, default=pictures.DIGITS, help="opencv-doc's sheet")
    parser.add_argument(
        "--labels",
        type=Path,
        required=True,
        help="labels of ai-benchmark's photographs: CSV with columns file, ids",
    )
    options = parser.parse_args()
    print(HEAD)
    for name, model, data in (
        ("MNIST CNN", mnist_cnn(), pictures.digits(options.digits)),
        ("MobileNetV2", mobilenet_v2(), pictures.photographs(options.labels)),
    ):
        for line in study(name, model, data):
            print(line, flush=True)


if __name__ == "__main__":
    main()
