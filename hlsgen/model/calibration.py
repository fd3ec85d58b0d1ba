"""Calibration: from aoc's kind of estimate (ALUT, FF, RAM, DSP, MLAB) to what Quartus fits.

An ALM holds two ALUTs or four registers, an MLAB is ten ALMs, and the array of multipliers round a
DSP has registers that aoc does not foresee. `packing` says how much of that sum Quartus needs: a
measured factor, as the bands round it are. Memory blocks and DSPs are fitted as they are charged.
The clock is a device's own line (`Device.fmax`) unless the calibration brings one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval

from hlsgen.errors import PlanError
from hlsgen.schema import STRICT, checked, contents, parsed

SCHEMA = 2
REMEDY = "write one with `hlsgen calibrate`"
Factor = Annotated[float, Interval(gt=0, lt=100)]
# Registers round a DSP beside those that aoc estimates. Fitted less estimated, kernels of more than
# 500 multipliers have 33 to 155 of them; the packing that two authors' designs show agrees at 100.
DSP_REGISTERS = 100
# ALMs of an ALUT, a register, a memory block, a DSP and an MLAB that are packed full.
FULL = (1 / 2, 1 / 4, 0.0, DSP_REGISTERS / 4, 10.0)


def full_alms(estimate: Sequence[float]) -> float:
    """ALMs of an estimate if each held all that it can."""
    return float(np.dot(estimate, FULL))


@dataclass(frozen=True)
class Calibration:
    """Figures of a fit, and where they come from.

    `packing`: fitted ALMs over `full_alms`. `band`: fitted over predicted ALMs of designs left out
    of the fit, the lowest tenth, the upper quartile and the highest tenth. `errors`: mean relative
    errors on designs left out. `clocks` maps a device family to (intercept, slope a percent of
    ALMs, of memory blocks, of DSPs) in MHz.
    """

    __pydantic_config__ = STRICT

    packing: Factor
    band: tuple[Factor, Factor, Factor]
    errors: Mapping[str, float]
    source: str = ""
    clocks: Mapping[str, tuple[float, float, float, float]] = field(default_factory=dict)

    @property
    def alm(self) -> tuple[float, ...]:
        """Expected ALMs of an ALUT, a register, a memory block, a DSP and an MLAB."""
        return tuple(self.packing * share for share in FULL)

    @property
    def upper_alm(self) -> tuple[float, ...]:
        """The same at the upper quartile."""
        return tuple(self.band[1] * share for share in self.alm)

    def to_json(self) -> str:
        """Indented JSON."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1) + "\n"


def quantiles(ratios: Sequence[float]) -> tuple[float, float, float]:
    """The band of fitted over predicted: measured ratios, none interpolated, so that it holds what
    it says of the samples; and what is predicted, where these all lie on one side of it."""
    low = float(np.quantile(ratios, 0.1, method="lower"))
    upper, high = (float(np.quantile(ratios, q, method="higher")) for q in (0.75, 0.9))
    return round(min(low, 1.0), 3), round(max(upper, 1.0), 3), round(max(high, 1.0), 3)


@cache
def default_calibration() -> Calibration:
    """The calibration that ships with hlsgen."""
    return parse(
        resources.files("hlsgen.model").joinpath("calibration.json").read_text(), "calibration"
    )


def load_calibration(path: str | Path | None) -> Calibration:
    """A calibration from a file, or the shipped one. Raises PlanError."""
    if path is None:
        return default_calibration()
    where = f"calibration {path}"
    return parse(contents(path, where, PlanError, REMEDY), where)


def parse(text: str | bytes, where: str) -> Calibration:
    """Read and check. Raises PlanError."""
    data = parsed(dict[str, Any], text, where, PlanError, REMEDY)
    if data.pop("schema", None) != SCHEMA:
        raise PlanError(f"is not of schema {SCHEMA}", where=where, remedy=REMEDY)
    found = checked(Calibration, data, where, PlanError, REMEDY)
    low, upper, high = found.band
    if not low <= 1 <= upper <= high:
        raise PlanError(
            "needs a band of three rising factors, of which the first is at most 1 and the second "
            "at least 1",
            where=where,
            remedy=REMEDY,
        )
    return found
