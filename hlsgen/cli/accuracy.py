"""What commands have in common that judge networks on a user's pictures."""

from __future__ import annotations

import argparse

from hlsgen.data.evaluate import METRICS, Score
from hlsgen.errors import PlanError


def add_data(parser: argparse.ArgumentParser, labels: str, required: bool = False) -> None:
    """Declare --data; `labels` says what they are for."""
    parser.add_argument(
        "--data",
        required=required,
        metavar="DIR|FILE",
        help=f"pictures: image folder, idx files or .npz; {labels}",
    )


def add_metric(parser: argparse._ActionsContainer) -> None:
    """Declare --metric."""
    parser.add_argument(
        "--metric", choices=tuple(METRICS), default="top1", help="what accuracy is (default top1)"
    )


def add_calibrate(parser: argparse._ActionsContainer, default: int, purpose: str) -> None:
    """Declare --calibrate; `purpose` says what its pictures do."""
    parser.add_argument(
        "--calibrate",
        type=int,
        default=default,
        metavar="N",
        help=f"pictures that {purpose} (default {default}); the others judge the result",
    )


def check_accuracy(options: argparse.Namespace) -> None:
    """Raise PlanError for pictures or losses that are none."""
    if options.calibrate < 1:
        raise PlanError(
            f"{options.calibrate} pictures", where="--calibrate", remedy="for example 32"
        )
    if options.max_loss is not None:
        largest_loss(options)


def largest_loss(options: argparse.Namespace) -> float:
    """--max-loss, "5%" or "0.05", as a share; 0 where it is not given. Raises PlanError."""
    text = options.max_loss or "0"
    try:
        value = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise PlanError(
            f"{text!r} is no share between 0 and 100%", where="--max-loss", remedy="for example 5%"
        )
    return value


def interval_text(score: Score) -> str:
    """The interval in words."""
    low, high = score.interval
    return f"95% interval {low:.1%} to {high:.1%}"
