"""python -m benchmarks.sparsify.reconstruct mnist|mobilenetv2 COUNT SHARE ... [--labels CSV]:
accuracy of LAMP with and without reconstruction on pictures that took no part in it, and CPU
seconds, as lines of Markdown."""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

from benchmarks.sparsify.pictures import DIGITS, trained
from hlsgen.sparsify import sparsify
from hlsgen.sparsify.reconstruct import Calibration


def main() -> None:
    """One network at some shares of zeros."""
    parser = argparse.ArgumentParser(prog="benchmarks.sparsify.reconstruct", description=__doc__)
    parser.add_argument("network", choices=("mnist", "mobilenetv2"))
    parser.add_argument("count", type=int, help="pictures that calibrate")
    parser.add_argument("shares", type=float, nargs="+")
    parser.add_argument("--labels", type=Path, help="as of benchmarks.sparsify")
    parser.add_argument("--digits", type=Path, default=DIGITS, help="opencv-doc's digits.png")
    options = parser.parse_args()
    given = trained(options.network, options.count, options.labels, options.digits)
    model, evaluator = given.model, given.evaluator
    print(f"dense: {evaluator.reference.share:.1%} of {given.judged}")
    print("| zeros | LAMP | reconstructed | CPU seconds |\n|---|---|---|---|")
    for share in options.shares:
        started = time.process_time()
        fitted = sparsify(model, "lamp", sparsity=share, calibration=Calibration(given.inputs))
        spent = time.process_time() - started
        plain = sparsify(model, "lamp", sparsity=share)
        assert plain.kept == fitted.kept
        scores = [
            evaluator(f"{kind} {share}", partial(getattr, one, "model")).share
            for kind, one in (("plain", plain), ("fitted", fitted))
        ]
        print(f"| {share:.0%} | {scores[0]:.1%} | {scores[1]:.1%} | {spent:.0f} |", flush=True)


if __name__ == "__main__":
    main()
