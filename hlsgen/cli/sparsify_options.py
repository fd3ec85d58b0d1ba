"""Which options of `sparsify` go together, and what they are by default."""

from __future__ import annotations

import argparse
from pathlib import Path

from hlsgen.cli.accuracy import check_accuracy
from hlsgen.cli.designs import check_absent
from hlsgen.errors import PlanError
from hlsgen.sparsify.patterns import parse_pattern
from hlsgen.sparsify.report import FILES
from hlsgen.train.settings import CHECKPOINT

# Pictures that Wanda and reconstruction look at.
CALIBRATION = 64
RATE = 0.005
METHOD = "relative"
# What says how sparse the network is to be.
GOALS = ("sparsity", "threshold", "max_loss")


def with_defaults(options: argparse.Namespace) -> argparse.Namespace:
    """The options, with what is not given as it is by default."""
    usual = {"metric": "top1", "calibrate": CALIBRATION, "lr": RATE}
    given = {name: value for name, value in vars(options).items() if value is not None}
    return argparse.Namespace(**(vars(options) | usual | given))


def check_options(options: argparse.Namespace) -> None:
    """Raise PlanError for options that do not go together, OutputError where files would be
    lost."""
    if not options.out and not options.curves:
        raise PlanError(
            "nothing to write", where="-o", remedy="name the sparse network's file with -o"
        )
    said = says_how_many(options)
    if options.out and not said and all(getattr(options, name) is None for name in GOALS):
        raise PlanError(
            "how sparse?", where="--sparsity", remedy="give --sparsity, --threshold or --max-loss"
        )
    check_pictures(options)
    check_used(options)
    check_accuracy(with_defaults(options))
    if options.fine_tune < 0 or not 0 < with_defaults(options).lr < 1e6:
        raise PlanError(
            f"{options.fine_tune} epochs at a rate of {options.lr}",
            where="--fine-tune",
            remedy="for example 2",
        )
    check_files(options)


def says_how_many(options: argparse.Namespace) -> bool:
    """Whether the pattern says how many weights become zero. Raises PlanError where something else
    says so too."""
    if not options.pattern:
        return False
    pattern = parse_pattern(options.pattern)
    others = [name for name in GOALS if getattr(options, name) is not None]
    others += ["curves"] * bool(options.curves) + ["method"] * (options.method != METHOD)
    if options.threshold is not None or (pattern.share is not None and others):
        raise PlanError(
            "the pattern says which weights become zero",
            where="--pattern",
            remedy="leave out how sparse and --method, or give n:4 in place of 2:4",
        )
    return pattern.share is not None


def check_pictures(options: argparse.Namespace) -> None:
    """Raise PlanError where pictures are needed and none are named."""
    judged = options.max_loss is not None or options.curves or options.method == "wanda"
    for needed, where, why in (
        (judged, "--data", "accuracy needs pictures"),
        (options.reconstruct, "--reconstruct", "fitting needs pictures, labelled or not"),
        (options.fine_tune > 0, "--fine-tune", "training needs labelled pictures"),
    ):
        if needed and not options.data:
            raise PlanError(
                why, where=where, remedy="name an image folder, idx files or .npz with --data"
            )


def check_used(options: argparse.Namespace) -> None:
    """Raise PlanError for options that nothing would use."""
    calibrates = options.reconstruct or options.method == "wanda" or options.curves
    uses = {
        **{name: (options.out, "-o") for name in (*GOALS, "fine_tune")},
        **{name: (options.data, "--data") for name in ("prepare", "metric")},
        "calibrate": (calibrates, "--reconstruct, --curves or --method wanda"),
        "lr": (options.fine_tune, "--fine-tune"),
    }
    for name, (used, by) in uses.items():
        if getattr(options, name) and not used:
            raise PlanError(
                f"it says nothing without {by}",
                where=f"--{name.replace('_', '-')}",
                remedy=f"give {by}, or leave it out",
            )


def check_files(options: argparse.Namespace) -> None:
    """Raise OutputError for files that would be overwritten."""
    files = [(name, options.curves) for name in FILES if options.curves]
    for name, folder in files:
        check_absent(Path(folder) / name, options.force, "--curves")
    if options.out:
        check_absent(Path(options.out), options.force, "-o")
    if options.fine_tune:
        check_absent(training_folder(options) / CHECKPOINT, options.force, "--fine-tune")


def training_folder(options: argparse.Namespace) -> Path:
    """Where fine-tuning leaves its curves and checkpoints."""
    return Path(f"{options.out}.training")
