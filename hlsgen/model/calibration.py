"""Calibration: from aoc's kind of estimate (ALUT, FF, RAM, DSP, MLAB) to what Quartus fits.

The form is linear. ALM = c . (ALUT, FF, RAM, DSP, MLAB) with non-negative coefficients, regressed
on relative errors; memory blocks and DSPs are a factor each. The clock is a device's own line
(`Device.fmax`) unless the calibration brings one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from hlsgen.errors import PlanError

SCHEMA = 1


@dataclass(frozen=True)
class Calibration:
    """Coefficients, their mean relative errors on designs left out of the fit, and where they come
    from.

    `alm` has one coefficient each for ALUT, FF, RAM, DSP, MLAB. `clocks` maps a device family to
    (intercept, slope a percent of ALMs, of memory blocks, of DSPs) in MHz.
    """

    alm: tuple[float, ...]
    ram: float
    dsp: float
    errors: Mapping[str, float]
    source: str = ""
    clocks: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Indented JSON."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1) + "\n"


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
    try:
        return parse(Path(path).read_text(), f"calibration {path}")
    except OSError as error:
        raise PlanError(f"cannot be read ({error.strerror})", where=f"calibration {path}") from None


def parse(text: str, where: str) -> Calibration:
    """Read and check. Raises PlanError."""
    remedy = "write one with `hlsgen calibrate`"
    try:
        data = json.loads(text)
        if data.pop("schema") != SCHEMA:
            raise PlanError(f"is not of schema {SCHEMA}", where=where, remedy=remedy)
        data["alm"] = tuple(float(c) for c in data["alm"])
        data["clocks"] = {k: tuple(float(c) for c in v) for k, v in data.get("clocks", {}).items()}
        calibration = Calibration(**data)
        numbers = (*calibration.alm, float(calibration.ram), float(calibration.dsp))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PlanError(f"is malformed ({error})", where=where, remedy=remedy) from None
    if len(calibration.alm) != 5 or not all(0 <= n < 1e6 for n in numbers):
        raise PlanError(
            "needs five non-negative coefficients of alm, and factors ram and dsp",
            where=where,
            remedy=remedy,
        )
    return calibration
