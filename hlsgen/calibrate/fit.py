"""Fitting the calibration: how densely Quartus packs ALMs, and the line of the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hlsgen.calibrate.nodes import ReportError
from hlsgen.calibrate.samples import Clock, Sample
from hlsgen.model.calibration import Calibration, full_alms, quantiles

# Kernels with fewer fitted units than this say little about relative errors of memory blocks and
# DSPs.
LEAST = {"ALM": 1, "RAM": 20, "DSP": 20}
LEAST_CLOCKS = 8


@dataclass(frozen=True)
class Errors:
    """Mean relative errors of one design's kernels by resource, and how many kernels it has.

    Of `measured` kernels of each resource (ALM, RAM, DSP) the fit says enough for a relative error;
    None where there is none.
    """

    design: str
    kernels: int
    alm: float | None
    ram: float | None
    dsp: float | None
    measured: tuple[int, int, int]


def fit(
    samples: Sequence[Sample], clocks: Sequence[Clock] = (), source: str = ""
) -> tuple[Calibration, list[Errors]]:
    """The calibration, and each design's errors when it was left out of the fit. Raises ReportError
    without enough samples."""
    designs = list(dict.fromkeys(s.design for s in samples))
    if len(samples) < 6:
        raise ReportError(
            f"only {len(samples)} kernels have both an estimate and a fit; at least 6 are needed",
            where="calibrate",
            remedy="add report folders of fitted designs, or the CSV of earlier ones",
        )
    errors, ratios = [], []
    for design in designs:
        rest = [s for s in samples if s.design != design]
        if len(rest) >= 6:
            mine, without = [s for s in samples if s.design == design], packing(rest)
            errors += evaluate(mine, without)
            ratios += [s.fitted[0] / (without * full_alms(s.estimate)) for s in mine]
    found = packing(samples)
    left_out = errors or evaluate(samples, found)
    ratios = ratios or [s.fitted[0] / (found * full_alms(s.estimate)) for s in samples]
    calibration = Calibration(
        found, quantiles(ratios), overall(left_out), source, clock_lines(clocks)
    )
    return calibration, errors


def packing(samples: Sequence[Sample]) -> float:
    """Fitted over full ALMs: the factor with the least sum of absolute errors, which is the median
    of all samples' ratios, each as heavy as its ALMs are many."""
    full = np.array([full_alms(s.estimate) for s in samples])
    ratios = np.array([s.fitted[0] for s in samples]) / np.maximum(full, 1)
    order = np.argsort(ratios)
    passed = np.cumsum(full[order])
    return round(float(ratios[order][np.searchsorted(passed, passed[-1] / 2)]), 3)


def nnls(features: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Non-negative least squares. Raises ReportError without scipy, which is not among hlsgen's own
    requirements."""
    try:
        from scipy import optimize
    except ImportError:
        raise ReportError(
            "fitting needs scipy", where="calibrate", remedy="pip install 'hlsgen[calibrate]'"
        ) from None
    found, _ = optimize.nnls(features, target)
    return np.asarray(found)


def evaluate(samples: Sequence[Sample], packed: float) -> list[Errors]:
    """Mean relative errors of ALMs packed like that, and of aoc's own figures of memory blocks and
    DSPs, design by design."""
    found = []
    for design in dict.fromkeys(s.design for s in samples):
        mine = [s for s in samples if s.design == design]
        predicted = {
            "ALM": [packed * full_alms(s.estimate) for s in mine],
            "RAM": [s.estimate[2] for s in mine],
            "DSP": [float(np.ceil(s.estimate[3] - 1e-6)) for s in mine],
        }
        errors, measured = {}, {}
        for column, name in ((0, "ALM"), (2, "RAM"), (3, "DSP")):
            pairs = [
                (p, s.fitted[column])
                for p, s in zip(predicted[name], mine, strict=True)
                if s.fitted[column] >= LEAST[name]
            ]
            errors[name] = float(np.mean([abs(p - f) / f for p, f in pairs])) if pairs else None
            measured[name] = len(pairs)
        counts = (measured["ALM"], measured["RAM"], measured["DSP"])
        found.append(Errors(design, len(mine), errors["ALM"], errors["RAM"], errors["DSP"], counts))
    return found


def overall(errors: Sequence[Errors]) -> dict[str, float]:
    """Means over all measured kernels of each resource."""
    result = {}
    for place, name in enumerate(("ALM", "RAM", "DSP")):
        kernels = sum(e.measured[place] for e in errors)
        if kernels:
            total = sum((getattr(e, name.lower()) or 0.0) * e.measured[place] for e in errors)
            result[name] = round(float(total / kernels), 4)
    return result


def clock_lines(clocks: Sequence[Clock]) -> dict[str, tuple[float, float, float, float]]:
    """(intercept, slopes a percent of ALMs, blocks, DSPs) for each device family with enough
    designs."""
    found = {}
    for family in dict.fromkeys(c.family for c in clocks):
        mine = [c for c in clocks if c.family == family]
        if len(mine) >= LEAST_CLOCKS:
            features = np.column_stack([np.ones(len(mine)), -np.array([c.percent for c in mine])])
            line = nnls(features, np.array([c.fmax for c in mine]))
            base, alms, blocks, dsps = (round(float(v), 3) for v in line)
            found[family] = (base, alms, blocks, dsps)
    return found
