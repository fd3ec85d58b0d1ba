"""`train`: an ONNX network learns from pictures, its stages in a pipeline of workers."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hlsgen.cli.console import Console
from hlsgen.cli.designs import add_force, add_prepare, check_absent
from hlsgen.cli.train_options import read_settings
from hlsgen.data.augment import AUGMENTATIONS, BORDER
from hlsgen.data.known import KNOWN
from hlsgen.errors import HlsgenError, OutputError, PlanError
from hlsgen.frontend.training import load_for_training
from hlsgen.train import INSTALL_TORCH
from hlsgen.train.cut import split
from hlsgen.train.launch import launch, take_part
from hlsgen.train.roles import stage_count, worker_count
from hlsgen.train.settings import (
    CHECKPOINT,
    CORRECTIONS,
    DECAYS,
    LAYOUTS,
    OPTIMIZERS,
    PLACEMENTS,
    SCHEMES,
    Settings,
)

# Options that say what a repeated run knows already, or how it starts.
FOUND = ("cut", "workers", "measure_cuts", "layout", "resume", "force")
NAME = "train"
HELP = "train an ONNX network on pictures, its stages in a pipeline with stale weights"
EXAMPLE = (
    "hlsgen train lenet5.onnx --data fashion-mnist --workers 2 --epochs 5 --hybrid "
    "0.5 -o trained.onnx"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_files(parser)
    add_stages(parser)
    add_pictures(parser)
    add_rate(parser)
    add_steps(parser)
    add_machine(parser)


def add_files(parser: argparse.ArgumentParser) -> None:
    """The network, and what it learns from."""
    parser.add_argument(
        "model", metavar="MODEL", help="ONNX file; training starts from its weights"
    )
    parser.add_argument("-o", "--out", metavar="FILE", required=True, help="the trained network")
    add_force(parser)
    parser.add_argument(
        "--data",
        metavar="DIR|FILE|NAME",
        required=True,
        help="labelled pictures: image folders, idx files, CIFAR-10's binary batches or .npz; "
        f"or {', '.join(KNOWN)}",
    )
    parser.add_argument(
        "--test",
        metavar="DIR|FILE|NAME",
        default="",
        help="pictures to test on (default: those of --data, else a tenth held out)",
    )
    add_prepare(parser)


def add_stages(parser: argparse.ArgumentParser) -> None:
    """How the network is cut, and who works when."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--cut",
        metavar="LAYER,...",
        default="",
        help="cut the network after these layers: a worker a stage",
    )
    where.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="so many workers, the cuts chosen so that they take equally long by a model of the "
        "layers",
    )
    parser.add_argument(
        "--measure-cuts",
        action="store_true",
        help="time the layers for that, and for the layout, in place of the model: other runs may "
        "find other cuts",
    )
    parser.add_argument(
        "--scheme",
        choices=SCHEMES,
        default="pipelined",
        help="stale weights (default), one minibatch at a time, or GPipe's schedule",
    )
    parser.add_argument(
        "--placement",
        choices=PLACEMENTS,
        default="together",
        help="both passes of a stage on one worker (default), or apart",
    )


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """How long it learns, and from which pictures."""
    parser.add_argument(
        "--hybrid",
        type=float,
        default=1.0,
        metavar="F",
        help="pipeline the first share F, then train without",
    )
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="default 10")
    parser.add_argument(
        "--limit",
        type=int,
        default=0,
        metavar="N",
        help="learn from N pictures alone, chosen at random",
    )
    parser.add_argument(
        "--augment",
        default="",
        metavar="KIND,...",
        help=f"vary the pictures: {', '.join(AUGMENTATIONS)} (shifted by up to {BORDER} pixels, "
        "mirrored)",
    )
    parser.add_argument(
        "--batch", type=int, default=128, metavar="N", help="pictures in a minibatch (default 128)"
    )
    parser.add_argument(
        "--microbatches",
        type=int,
        default=4,
        metavar="N",
        help="of a minibatch, for gpipe (default 4)",
    )


def add_rate(parser: argparse.ArgumentParser) -> None:
    """The learning rate."""
    parser.add_argument(
        "--lr", type=float, default=0.05, metavar="R", help="learning rate (default 0.05)"
    )
    parser.add_argument(
        "--schedule",
        choices=DECAYS,
        default="constant",
        help="of the learning rate (default constant)",
    )
    parser.add_argument(
        "--warmup",
        type=int,
        default=0,
        metavar="N",
        help="minibatches in which the learning rate rises to R",
    )
    parser.add_argument(
        "--restart",
        action="store_true",
        help="the learning rate begins anew where a --hybrid run goes on without a pipeline",
    )


def add_steps(parser: argparse.ArgumentParser) -> None:
    """What a step makes of gradients."""
    parser.add_argument(
        "--optimizer", choices=OPTIMIZERS, default="sgd", help="default sgd, with momentum"
    )
    parser.add_argument(
        "--momentum",
        type=float,
        default=0.9,
        metavar="M",
        help="default 0.9; of adamw its first beta",
    )
    parser.add_argument("--nesterov", action="store_true", help="Nesterov's momentum")
    parser.add_argument(
        "--correct",
        choices=CORRECTIONS,
        default="none",
        help="make up for stale weights: foresee the weights, add what late gradients have missed, "
        "begin with lower rates in early stages, or look ahead with Nesterov's momentum",
    )
    parser.add_argument("--weight-decay", type=float, default=0.0, metavar="D", help="default 0")
    parser.add_argument(
        "--keep-zeros",
        action="store_true",
        help="weights that are zero stay zero: fine-tune a sparse network",
    )


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Where and how a run works, and where it writes."""
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="S",
        help="of the pictures' order and of dropout (default 0)",
    )
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="threads of each worker (default 1)"
    )
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default="auto",
        help="of feature maps in memory (default: channels last, or what --measure-cuts finds)",
    )
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="cuda: a GPU a worker, over nccl"
    )
    parser.add_argument(
        "--log-folder",
        "--log",
        metavar="DIR",
        help="folder for losses, curves and checkpoints (default: FILE.training); torchrun "
        "takes --log, the same, for one of its own options",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint there"
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Train, and write the network."""
    settings = read_settings(options)
    folder = Path(options.log_folder or f"{options.out}.training")
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "0"))
    if world > 1 and settings.workers not in (0, world):
        raise PlanError(
            f"torchrun started {world}",
            where=f"--workers {settings.workers}",
            remedy="leave --workers out",
        )
    check_targets(options, folder)
    if find_spec("torch") is None:
        raise HlsgenError("training needs torch", where="train", remedy=INSTALL_TORCH)
    workers = (
        world
        if world > 1
        else settings.workers or worker_count(len(settings.cuts) + 1, settings.placement)
    )
    check_stages(settings, workers)
    make_folder(folder)
    words = given_words(options)
    arguments = (settings, folder, options.resume, words, options.out, options.json, options.quiet)
    try:
        if world > 1:  # torchrun started this worker
            take_part(work, rank, world, *arguments)
        elif workers == 1:
            work(0, 1, "", *arguments)
        else:
            launch(work, workers, folder, *arguments)
    finally:
        with suppress(OSError):  # it is not empty: it came to training
            folder.rmdir()
    return 0


def given_words(options: argparse.Namespace) -> list[str]:
    """The options that are not as by default, but those that `repeat` finds anew, as words of a
    command line."""
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    words = [str(options.model)]
    for action in parser._actions[1:]:
        value = getattr(options, action.dest)
        if value != action.default and action.dest not in FOUND:
            words += [action.option_strings[-1 if action.dest == "out" else 0]]
            words += [] if action.nargs == 0 else [str(value)]
    return words


def work(*arguments: Any) -> None:
    """A worker of the run. Workers alone import torch, which takes its time."""
    from hlsgen.cli.training import run_worker

    run_worker(*arguments)


def check_stages(settings: Settings, workers: int) -> None:
    """Raise PlanError for cuts and workers that do not fit, before torch is imported and workers
    start."""
    stage_count(workers, settings.placement)
    if settings.cuts:
        split(load_for_training(settings.model).graph, settings.cuts)


def check_targets(options: argparse.Namespace, folder: Path) -> None:
    """Raise OutputError where a file or an earlier run would be lost."""
    if options.force or options.resume:
        return
    check_absent(Path(options.out), options.force, "-o")
    if (folder / CHECKPOINT).exists():
        raise OutputError(
            "holds the checkpoint of an earlier run",
            where=f"--log-folder {folder}",
            remedy="go on with --resume, or start anew with --force",
        )


def make_folder(folder: Path) -> None:
    """Make the folder of the run. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot be made ({error.strerror})", where=f"--log-folder {folder}"
        ) from None
