"""`run`: runs a design on a user's images, shows what it recognises, and stores the outputs."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from hlsgen.accelerator.tables import LEFT, RIGHT, Table
from hlsgen.cli.console import Console
from hlsgen.cli.designs import add_design, add_device, add_force, add_prepare, check_absent, opened
from hlsgen.host.archive import save_arrays
from hlsgen.host.classes import Classes, label, likeliest
from hlsgen.host.errors import HostError
from hlsgen.host.files import whole
from hlsgen.host.finite import non_finite, warning
from hlsgen.host.images import read_images, read_labels
from hlsgen.host.pictures import read_preparation
from hlsgen.words import counted

NAME = "run"
HELP = "run a design on images, show the likeliest classes, and store its outputs"
EXAMPLE = "hlsgen run design --input cat.jpg dogs/ --prepare imagenet --labels labels.txt"
# Images whose classes are shown.
MOST = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_design(parser)
    add_device(parser)
    parser.add_argument(
        "--input",
        required=True,
        nargs="+",
        metavar="FILE",
        help=".npz or .npy with images, PNG or JPEG pictures, or folders of them",
    )
    parser.add_argument(
        "--output", metavar="FILE", help=".npz for all outputs by name, or .npy for a single one"
    )
    add_force(parser)
    add_prepare(parser)
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="names of the classes, a line each (default labels.txt in DIR, where it is there)",
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Run all images, show the classes, save the outputs, `(N, ...)` each."""
    with opened(options) as accelerator:
        design = accelerator.design
        if options.output:
            check_output(options, [port.name for port in design.manifest.network_outputs])
        file = options.labels or accelerator.path / "labels.txt"
        labels = read_labels(Path(file)) if options.labels or Path(file).is_file() else []
        images = read_images(design, options.input, read_preparation(options.prepare))
        with console.status("running the design"):
            result = accelerator.execute(images.inputs)
    outputs = result.outputs
    if options.output:
        save(Path(options.output), outputs)
    classes = likeliest(outputs)
    if classes is not None:
        console.show(classes_table(classes, images.names, labels))
    milliseconds = 1000 * float(np.median(result.image_seconds))
    count = len(images.names)
    host = 1000 * result.host_seconds / count
    beside = f", {host:.2f} ms on the host" if design.network else ""
    stored = f"; outputs in {options.output}" if options.output else ""
    console.say(
        f"{counted(count, 'image')} on {result.device}, {milliseconds:.2f} ms an image"
        f"{beside}{stored}"
    )
    found = non_finite(outputs)
    if found:
        console.warn(warning(found))
    console.result(
        {
            "ok": True,
            "images": count,
            "device": result.device,
            "milliseconds": milliseconds,
            "host_milliseconds": host if design.network else None,
            "output": options.output,
            "classes": classes_record(classes, images.names, labels) if classes else None,
            "non_finite": found,
        }
    )
    return 0


def check_output(options: argparse.Namespace, names: list[str]) -> None:
    """Raise HostError or OutputError for a file that outputs of these names cannot go to."""
    target = Path(options.output)
    if target.suffix not in (".npz", ".npy") or (target.suffix == ".npy" and len(names) != 1):
        raise HostError(f"--output {target}: use .npz (or .npy for a network with one output)")
    if not target.resolve().parent.is_dir():
        raise HostError(f"--output {target}: there is no such directory")
    check_absent(target, options.force, "--output")


def save(target: Path, outputs: dict[str, np.ndarray]) -> None:
    """Store outputs."""
    if target.suffix == ".npz":
        save_arrays(target, outputs)
        return
    (array,) = outputs.values()
    if array.dtype == object:
        raise HostError(f"--output {target}: the images' outputs differ in size", remedy="use .npz")
    with whole(target) as temporary, open(temporary, "wb") as file:
        np.save(file, array)


def classes_table(classes: Classes, names: tuple[str, ...], labels: list[str]) -> Table:
    """The likeliest classes of the first images."""
    rows = [
        (name if place == 0 else "", label(number, labels), f"{score:.4g}")
        for name, best in zip(names[:MOST], classes, strict=False)
        for place, (number, score) in enumerate(best)
    ]
    return Table((("image", LEFT), ("class", LEFT), ("score", RIGHT)), tuple(rows))


def classes_record(
    classes: Classes, names: tuple[str, ...], labels: list[str]
) -> list[dict[str, object]]:
    """The likeliest classes of all images, JSON-ready."""
    return [
        {
            "image": name,
            "classes": [
                {"class": number, "label": label(number, labels), "score": score}
                for number, score in best
            ],
        }
        for name, best in zip(names, classes, strict=True)
    ]
