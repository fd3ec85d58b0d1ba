"""How a network is quantised: options that `quantise` and `build --quantise` have in common."""

from __future__ import annotations

import argparse

from hlsgen.cli.accuracy import add_calibrate, add_metric, largest_loss
from hlsgen.cli.designs import add_prepare
from hlsgen.cli.names import names_of
from hlsgen.quantise.request import CALIBRATION, QuantiseOptions
from hlsgen.quantise.static import METHODS


def add_quantising(parser: argparse._ActionsContainer) -> None:
    """Declare all but the pictures."""
    add_prepare(parser)
    add_calibrate(parser, CALIBRATION, "set the ranges")
    parser.add_argument(
        "--method",
        choices=tuple(METHODS),
        default="minmax",
        help="what a range holds: all values, or 99.999%% of them (default minmax)",
    )
    keep = parser.add_mutually_exclusive_group()
    keep.add_argument(
        "--keep-float",
        type=int,
        default=0,
        metavar="N",
        help="leave the N noisiest layers in float",
    )
    keep.add_argument(
        "--keep",
        default="",
        metavar="NODE,...",
        help="leave these layers in float (a name with commas in double quotes)",
    )
    keep.add_argument(
        "--max-loss",
        metavar="1%",
        help="leave as many layers in float as it takes to lose at most so much accuracy",
    )
    add_metric(parser)
    parser.add_argument(
        "--no-bias-correction",
        action="store_true",
        help="leave biases as they are, though rounded weights shift means",
    )


def quantising(options: argparse.Namespace, data: str) -> QuantiseOptions:
    """The options with these pictures. Raises HlsgenError for those that cannot be followed."""
    return QuantiseOptions(
        data=data,
        prepare=options.prepare or "",
        calibrate=options.calibrate,
        method=options.method,
        keep_float=options.keep_float,
        keep=names_of(options.keep, "--keep"),
        max_loss=None if options.max_loss is None else largest_loss(options),
        metric=options.metric,
        correct_bias=not options.no_bias_correction,
    )
