"""From the options of `train` to settings; what makes no sense is refused."""

from __future__ import annotations

import argparse
from dataclasses import fields

from hlsgen.cli.names import names_of
from hlsgen.data.augment import AUGMENTATIONS
from hlsgen.errors import PlanError, did_you_mean
from hlsgen.host.pictures import read_preparation
from hlsgen.train.settings import Settings

# Least and largest values.
RANGES = {
    "epochs": (1, 1e9),
    "batch": (1, 1e9),
    "microbatches": (1, 1e9),
    "threads": (1, 1e9),
    "workers": (1, 1e9),
    "hybrid": (0, 1),
    "lr": (0, 1e6),
    "momentum": (0, 1),
    "weight_decay": (0, 1e6),
    "warmup": (0, 1e9),
    "limit": (0, 1e12),
    "seed": (0, 2**32),
}


def read_settings(options: argparse.Namespace) -> Settings:
    """The options as settings. Raises PlanError for values that make no sense."""
    check_ranges(options)
    check_scheme(options)
    check_optimizer(options)
    same = {field.name for field in fields(Settings)} & vars(options).keys()
    return Settings(
        **{name: getattr(options, name) for name in same - {"workers", "augment"}},
        preparation=read_preparation(options.prepare),
        augment=augmentations(options.augment),
        cuts=names_of(options.cut, "--cut"),
        workers=options.workers or 0,
        rate=options.lr,
        decay=options.schedule,
    )


def check_ranges(options: argparse.Namespace) -> None:
    """Raise PlanError for numbers out of range."""
    for name, (low, high) in RANGES.items():
        value = getattr(options, name)
        if value is not None and not low <= value <= high:
            raise PlanError(
                f"{value} is not between {low} and {high:g}", where=f"--{name.replace('_', '-')}"
            )


def check_scheme(options: argparse.Namespace) -> None:
    """Raise PlanError for schedules and placements that do not go together."""
    if options.hybrid < 1 and options.scheme != "pipelined":
        raise PlanError(
            "only a pipelined run has a pipelined share",
            where="--hybrid",
            remedy="leave it or --scheme out",
        )
    if options.restart and options.hybrid == 1:
        raise PlanError(
            "nothing follows the pipelined share", where="--restart", remedy="give --hybrid too"
        )
    if options.placement == "apart" and options.scheme == "gpipe":
        raise PlanError(
            "torch's GPipe runs both passes of a stage on one worker", where="--placement apart"
        )
    if options.batch % options.microbatches and options.scheme == "gpipe":
        raise PlanError(
            f"{options.batch} pictures do not divide into {options.microbatches} microbatches",
            where="--microbatches",
        )


def check_optimizer(options: argparse.Namespace) -> None:
    """Raise PlanError for corrections that do not fit what they correct."""
    correct, where = options.correct, f"--correct {options.correct}"
    if correct != "none" and options.scheme != "pipelined":
        raise PlanError("only a pipeline has stale weights", where=where, remedy="leave it out")
    if correct not in ("none", "pipemare") and options.placement == "apart":
        raise PlanError(
            "the forward worker does not know the momentum",
            where=where,
            remedy="use --placement together",
        )
    if correct not in ("none", "pipemare") and options.optimizer != "sgd":
        raise PlanError("it is about SGD's momentum", where=where, remedy="use --optimizer sgd")
    if options.nesterov and (options.optimizer != "sgd" or correct in ("spike", "nesterov")):
        what = "adamw" if options.optimizer != "sgd" else where
        raise PlanError(f"{what} updates otherwise", where="--nesterov", remedy="leave it out")


def augmentations(text: str) -> tuple[str, ...]:
    """Comma-separated kinds. Raises PlanError."""
    kinds = tuple(kind for kind in text.split(",") if kind)
    for kind in kinds:
        if kind not in AUGMENTATIONS:
            raise PlanError(
                f"there is no {kind!r}{did_you_mean(kind, AUGMENTATIONS)}",
                where="--augment",
                remedy=f"choose from {', '.join(AUGMENTATIONS)}",
            )
    return kinds
