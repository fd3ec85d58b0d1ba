"""`run`: runs a design on a user's images and stores the outputs."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from hlsgen.cli.console import Console
from hlsgen.cli.images import read_images
from hlsgen.host.archive import save_arrays
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from hlsgen.host.finite import non_finite, warning
from hlsgen.host.runner import run

NAME = "run"
HELP = "run a design on images and store its outputs"
EXAMPLE = "hlsgen run design --input images.npy --output result.npz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("design", metavar="DIR", help="design directory that build wrote")
    parser.add_argument(
        "--input", required=True, metavar="FILE", help=".npz or .npy with images (N, ...)"
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="FILE",
        help=".npz for all outputs by name, or .npy for a single one",
    )
    parser.add_argument(
        "--device",
        default="emulator",
        help="emulator, cpu, pocl, or a number from `hlsgen doctor` (default emulator)",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=120.0,
        metavar="S",
        help="seconds until a run counts as deadlocked (default 120)",
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Run all images and save the outputs, `(N, ...)` each."""
    design, target = HostDesign(options.design), Path(options.output)
    names = [port.name for port in design.manifest.outputs]
    if target.suffix not in (".npz", ".npy") or (target.suffix == ".npy" and len(names) != 1):
        raise HostError(f"--output {target}: use .npz (or .npy for a network with one output)")
    if not target.resolve().parent.is_dir():
        raise HostError(f"--output {target}: there is no such directory")
    inputs = read_images(design, options.input)
    with console.status("running the design"):
        result = run(design, inputs, device=options.device, timeout=options.timeout)
    outputs, device, seconds = result.outputs, result.device, result.image_seconds
    if target.suffix == ".npz":
        save_arrays(target, outputs)
    else:
        np.save(target, outputs[names[0]])
    count = len(next(iter(outputs.values())))
    milliseconds = 1000 * float(np.median(seconds))
    console.say(
        f"{count} image(s) on {device}, {milliseconds:.2f} ms an image; outputs in {target}"
    )
    found = non_finite(outputs)
    if found:
        console.warn(warning(found))
    console.result(
        {
            "ok": True,
            "images": count,
            "device": device,
            "milliseconds": milliseconds,
            "output": str(target),
            "non_finite": found,
        }
    )
    return 0
