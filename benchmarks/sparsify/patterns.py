"""python -m benchmarks.sparsify.patterns mnist|mobilenetv2|mobilenetv1 [--labels CSV]: accuracy on
pictures that took no part, and predicted images a second of pipelined designs on PAC D5005, with
zeros anywhere and in patterns, as lines of Markdown."""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx

import hlsgen
from benchmarks.sparsify.pictures import DIGITS, trained
from hlsgen.model.estimate import estimate
from hlsgen.schedule.scheduler import schedule
from hlsgen.sparsify import sparsify
from hlsgen.sparsify.patterns import parse_pattern
from hlsgen.sparsify.reconstruct import Calibration
from hlsgen.zoo import network

HEAD = "| zeros | share | accuracy | images a second | DSPs | kernels that leave out zeros |"


@dataclass(frozen=True)
class Setting:
    """How a network is made sparse; without a `method` it stays dense."""

    title: str
    method: str = ""
    share: float | None = None
    pattern: str = ""
    fitted: bool = False


def settings(shares: tuple[float, ...]) -> list[Setting]:
    """Those of the table."""
    found = [Setting("none")]
    for share in shares:
        found += [
            Setting("flat", "flat", share),
            Setting("relative", "relative", share),
            Setting("LAMP", "lamp", share),
            Setting("LAMP, reconstructed", "lamp", share, "", True),
            Setting("balanced:8, relative, reconstructed", "relative", share, "balanced:8", True),
            Setting("n:4, LAMP, reconstructed", "lamp", share, "n:4", True),
        ]
    ratios = [Setting(f"{p}, reconstructed", "relative", None, p, True) for p in ("3:4", "2:4")]
    return found + ratios


def made(model: onnx.ModelProto, one: Setting, inputs: np.ndarray | None) -> onnx.ModelProto:
    """The sparse network; `inputs` calibrate."""
    if not one.method:
        return model
    calibration = Calibration(inputs) if one.fitted and inputs is not None else None
    pattern = parse_pattern(one.pattern) if one.pattern else None
    return sparsify(
        model, one.method, sparsity=one.share, pattern=pattern, calibration=calibration
    ).model


def predicted(model: onnx.ModelProto) -> tuple[float, int, int]:
    """Images a second, DSPs, and kernels that leave out zeros."""
    graph = hlsgen.load_graph(model)
    plan = schedule(graph, style="pipelined")
    found = estimate(graph, plan)
    return found.throughput, found.resources.dsps, sum(k.skips_zeros for k in plan.kernels)


def zero_share(model: onnx.ModelProto) -> float:
    """Of the weights that the methods may zero."""
    result = sparsify(model, "relative", sparsity=0.0)
    return result.sparsity


def main() -> None:
    """Print the table of a network."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(prog="benchmarks.sparsify.patterns", description=__doc__)
    parser.add_argument("network", choices=("mnist", "mobilenetv2", "mobilenetv1"))
    parser.add_argument("shares", type=float, nargs="*", default=[0.5])
    parser.add_argument("--count", type=int, default=64, help="pictures that calibrate")
    parser.add_argument("--labels", type=Path, help="as of benchmarks.sparsify")
    parser.add_argument("--digits", type=Path, default=DIGITS, help="opencv-doc's digits.png")
    options = parser.parse_args()
    evaluator, inputs = None, None
    if options.network == "mobilenetv1":  # untrained: only where the zeros are matters
        model = network("mobilenetv1")
    else:
        given = trained(options.network, options.count, options.labels, options.digits)
        model, inputs, evaluator = given.model, given.inputs, given.evaluator
    print(HEAD, "|---" * 6 + "|", sep="\n", flush=True)
    for one in settings(tuple(options.shares)):
        if one.fitted and inputs is None:
            continue
        sparse = made(model, one, inputs)
        score = "-"
        if evaluator is not None:
            right = evaluator(
                f"{one}", partial(onnx.ModelProto.FromString, sparse.SerializeToString())
            )
            score = f"{100 * right.share:.1f}"
        rate, dsps, count = predicted(sparse)
        cells = one.title, f"{zero_share(sparse):.0%}", score, f"{rate:,.0f}", f"{dsps:,}", count
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
