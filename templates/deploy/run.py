"""Programs the device, runs the design and shows the likeliest classes.

Without images it runs the reference's and compares; status 0 right, 1 wrong, 2 something is
missing. Needs numpy and pyopencl, and Pillow for pictures.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from host.archive import save_arrays
from host.classes import label, likeliest
from host.compare import compare
from host.errors import HostError
from host.images import read_images, read_labels
from host.pictures import read_preparation
from host.reference import read_reference
from host.runner import run
from host.system import open_design

HERE = Path(__file__).parent
LABELS, PREPARATION = HERE / "labels.txt", HERE / "preparation.json"


def parser() -> argparse.ArgumentParser:
    """The argument parser."""
    top = argparse.ArgumentParser(description=__doc__)
    top.add_argument(
        "images", nargs="*", help=".npy or .npz, pictures, folders (default: the reference's)"
    )
    top.add_argument("--device", default="board", help="board, emulator, cpu, pocl, or a number")
    top.add_argument("--timeout", type=float, default=120.0, help="seconds until it is stopped")
    top.add_argument("--output", help=".npz file for the outputs")
    return top


def show_classes(outputs: dict[str, np.ndarray], names: tuple[str, ...]) -> None:
    """Print the likeliest classes of every image, where the output is one vector of scores."""
    labels = read_labels(LABELS) if LABELS.is_file() else []
    for name, best in zip(names, likeliest(outputs) or (), strict=False):
        print(f"{name}:", *(f"{label(n, labels)} {score:.4g}" for n, score in best), sep="\n  ")


def main() -> int:
    """Run, compare, show."""
    options, design = parser().parse_args(), open_design(HERE / "design")
    reference = None if options.images else read_reference(HERE / "reference.npz")
    if reference is None:
        images = read_images(
            design, options.images, read_preparation(PREPARATION if PREPARATION.is_file() else None)
        )
        inputs, names = images.inputs, images.names
    else:
        inputs = reference.inputs
        names = tuple(f"image {number}" for number in range(reference.images))
    result = run(design, inputs, device=options.device, timeout=options.timeout)
    show_classes(result.outputs, names)
    milliseconds = 1e3 * float(np.median(result.image_seconds))
    count = "1 image" if len(names) == 1 else f"{len(names)} images"
    print(f"{count} on {result.device}, {milliseconds:.4g} ms an image")
    if options.output:
        save_arrays(options.output, result.outputs)
    if reference is None:
        return 0
    right = True
    for name, wanted in reference.outputs.items():
        found = compare(result.design_outputs[name], wanted, design.manifest.dtype)
        right = right and found.ok
        verdict = "right" if found.ok else "WRONG"
        print(f"{name}: {verdict}, off by {found.max_rel_error:.1e} of the largest value")
    return 0 if right else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (HostError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
