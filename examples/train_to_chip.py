"""The whole way of a network: train it in a pipeline, sparsify it, fine-tune it, build an
accelerator, validate and run it.

    python -m examples.train_to_chip DIR [--data fashion-mnist] [--epochs 6] [--sparsity 0.7]
    [--pictures 500]

Runs the commands that a user would type, and prints the accuracy after each step. `--data` takes
what `hlsgen train` takes.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from hlsgen.data.evaluate import input_shape, run
from hlsgen.data.pictures import Stored, read_stored
from hlsgen.frontend.model import read_model


def command(line: str) -> dict[str, Any]:
    """Run a command and return what it tells as JSON."""
    print(f"$ {line}", flush=True)
    words = [sys.executable, "-m", *shlex.split(line)]
    result = subprocess.run([*words, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        sys.exit(result.returncode)
    told: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return told


def accuracy(model: Path, test: Stored) -> float:
    """Share of the pictures that a network has right in onnxruntime."""
    scores = run(read_model(model), test.inputs())
    return float((scores.reshape(len(scores), -1).argmax(1) == test.labels).mean())


def main() -> None:
    """Run all steps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--sparsity", type=float, default=0.7)
    parser.add_argument(
        "--pictures",
        type=int,
        default=500,
        help="test pictures that the emulated accelerator looks at",
    )
    options = parser.parse_args()
    folder, data = options.folder, shlex.quote(options.data)
    folder.mkdir(parents=True, exist_ok=True)
    steps: list[tuple[str, float]] = []

    command(f"hlsgen zoo lenet5 -o {folder}/lenet5.onnx")
    test = read_stored(options.data, input_shape(read_model(folder / "lenet5.onnx")), part="test")
    assert test is not None and test.labels is not None, (
        "this example needs data with test pictures"
    )
    steps.append(("as it comes from the zoo", accuracy(folder / "lenet5.onnx", test)))

    command(
        f"hlsgen train {folder}/lenet5.onnx --data {data} --workers 2 --hybrid 0.5 "
        f"--epochs {options.epochs} --lr 0.02 --schedule step "
        f"-o {folder}/trained.onnx --force"
    )
    steps.append(
        ("trained, half of the time in a pipeline", accuracy(folder / "trained.onnx", test))
    )

    sparse = (
        f"hlsgen sparsify {folder}/trained.onnx --method relative --sparsity "
        f"{options.sparsity} --data {data} --force"
    )
    command(f"{sparse} -o {folder}/sparse.onnx")
    steps.append((f"sparsified to {options.sparsity:.0%}", accuracy(folder / "sparse.onnx", test)))
    command(f"{sparse} --fine-tune 1 -o {folder}/tuned.onnx")
    steps.append(("fine-tuned for an epoch", accuracy(folder / "tuned.onnx", test)))

    command(f"hlsgen build {folder}/tuned.onnx --style folded --out {folder}/design")
    told = command(f"hlsgen validate {folder}/design")
    some = test.inputs(slice(0, options.pictures))
    np.savez(folder / "pictures.npz", input=some)
    command(
        f"hlsgen run {folder}/design --input {folder}/pictures.npz --output {folder}/answers.npz"
    )
    with np.load(folder / "answers.npz") as file:
        answers = file["output"].reshape(len(some), -1).argmax(1)
    emulated = float((answers == test.labels[: len(some)]).mean())
    same = run(read_model(folder / "tuned.onnx"), some).reshape(len(some), -1).argmax(1)

    print()
    for what, share in steps:
        print(f"{what:45} {share:7.2%} of {len(test.images):,} test pictures")
    print(
        f"{'on the emulated accelerator':45} {emulated:7.2%} of {len(some):,}, same "
        f"answer as onnxruntime on {(answers == same).sum():,}"
    )
    print(f"design: {folder}/design, {'every layer validated' if told['ok'] else 'WRONG'}")


if __name__ == "__main__":
    main()
