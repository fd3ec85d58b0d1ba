"""Which design a command is about, and on which device: options that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path

from hlsgen.accelerator.accelerator import Accelerator, load
from hlsgen.errors import OutputError, UsageError
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from hlsgen.host.hashes import SYSTEM
from hlsgen.host.images import Tensors, random_images, read_images
from hlsgen.host.pictures import PREPARATIONS
from hlsgen.host.session import SHARED

MANIFEST = "design.json"
# What tells a design and a system of several boards, and what their directories are called.
NAMES = {MANIFEST: "_design", SYSTEM: ".hlsgen"}
# What is in the first lines of every page that hlsgen writes.
PAGE = b'<meta name="generator" content="hlsgen">'


def add_design(parser: argparse.ArgumentParser) -> None:
    """Declare the design directory."""
    parser.add_argument(
        "design",
        metavar="DIR",
        nargs="?",
        help="design directory that build wrote, or its network's name (default: the only one "
        "here)",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Declare the device and the time limit."""
    parser.add_argument(
        "--device",
        default="emulator",
        help="emulator, cpu, pocl, board, or a number from `hlsgen doctor` (default emulator)",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=120.0,
        metavar="S",
        help="seconds until a run counts as deadlocked (default 120)",
    )


def add_force(parser: argparse.ArgumentParser) -> None:
    """Declare `--force`, which means the same everywhere."""
    parser.add_argument("--force", action="store_true", help="overwrite what is there")


def add_prepare(parser: argparse._ActionsContainer) -> None:
    """Declare how pictures become inputs."""
    parser.add_argument(
        "--prepare",
        metavar="NAME|FILE.toml",
        help=f"how pictures become inputs: {', '.join(PREPARATIONS)}, or a TOML file with scale, "
        "mean, deviation, resize, crop (default unit: divided by 255)",
    )


def check_absent(path: Path, force: bool, flag: str) -> None:
    """Raise OutputError for a file that is there already, unless it may be overwritten."""
    if path.exists() and not force:
        raise OutputError(
            "exists",
            where=f"{flag} {path}",
            remedy="name another file, or overwrite it with --force",
        )


def check_page(path: Path, force: bool, flag: str) -> None:
    """Raise OutputError for a file that is there already and is no earlier page of hlsgen's, unless
    it may be overwritten."""
    if not path.is_file() or PAGE not in path.read_bytes()[:1000]:
        check_absent(path, force, flag)


def chosen(given: str | None) -> Path:
    """The design directory that is meant: the one that is named, by itself or by its network, else
    the only one in the current folder. Raises UsageError."""
    if given is not None:
        named = Path(given)
        if named.exists() or not named.name:
            return named
        short = (named.with_name(named.name + suffix) / name for name, suffix in NAMES.items())
        return next((path.parent for path in short if path.is_file()), named)
    if any(Path(name).is_file() for name in NAMES):
        return Path()
    found = sorted(path.parent for name in NAMES for path in Path().glob(f"*/{name}"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            "there is no design in this folder",
            remedy="name one, or make one with `hlsgen build MODEL`",
        )
    names = ", ".join(str(path) for path in found)
    raise UsageError(f"there are {len(found)} designs in this folder", remedy=f"name one: {names}")


def add_images(parser: argparse.ArgumentParser) -> None:
    """Declare the images that a design is checked on."""
    parser.add_argument(
        "--input", metavar="FILE", help=".npz or .npy with images (N, ...); random images otherwise"
    )
    parser.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="number of random images (default 1), or of images taken from --input",
    )


def images_of(options: argparse.Namespace, design: HostDesign) -> Tensors:
    """The images that a design is checked on, `(N, ...)` by input name. Raises HostError."""
    if options.samples is not None and options.samples < 1:
        raise HostError(f"--samples {options.samples} is not a positive number of images")
    if not options.input:
        return random_images(design, options.samples or 1)
    images = read_images(design, [options.input]).inputs
    return {name: array[: options.samples] for name, array in images.items()}


def opened(options: argparse.Namespace, design: str | None = None) -> Accelerator:
    """The accelerator of a command's design, or of another `design`, on its device. Raises
    HostError."""
    return load(
        chosen(design or options.design),
        device=getattr(options, "device", "emulator"),
        timeout=getattr(options, "timeout", 120.0),
        calibration=getattr(options, "calibration", None),
        session=SHARED,
    )
