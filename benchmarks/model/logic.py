"""The law of ALMs, from published reports: `python -m benchmarks.model.logic [--write]`.

fitted_designs.csv holds whole designs (the board's static region taken off), fitted_kernels.csv
kernels, each with aoc's estimate and what Quartus fitted; a design's name begins with the
repository. Kernels that a design holds several times count once. Errors and bands are those of an
author's designs under the packing that all other authors' show; the band is that of whole designs
and of kernels with as many multipliers. `--write` makes the calibration that ships.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hlsgen.calibrate.fit import LEAST, packing
from hlsgen.calibrate.samples import Sample, read_csv
from hlsgen.model import calibration as shipped
from hlsgen.model.calibration import Calibration, full_alms, quantiles

FOLDER = Path(__file__).parent
# Designs of so many DSPs are large.
LARGE = 1000


def author(sample: Sample) -> str:
    """Who published a design."""
    return sample.design.split("/")[0]


def designs() -> list[Sample]:
    """Whole designs."""
    return read_csv(FOLDER / "fitted_designs.csv")


def kernels() -> list[Sample]:
    """Kernels, one of those that are alike in a design."""
    found = read_csv(FOLDER / "fitted_kernels.csv")
    return list({(s.design, s.estimate): s for s in found}.values())


def large(sample: Sample) -> bool:
    """Whether it has many multipliers."""
    return sample.estimate[3] >= LARGE


def ratios(samples: Sequence[Sample]) -> np.ndarray:
    """Fitted over predicted ALMs, each author left out of the packing that predicts."""
    without = {
        name: packing([s for s in samples if author(s) != name]) for name in map(author, samples)
    }
    return np.array([s.fitted[0] / (without[author(s)] * full_alms(s.estimate)) for s in samples])


def misses(samples: Sequence[Sample], column: int, name: str) -> float:
    """Mean relative error of aoc's own figures of memory blocks or DSPs."""
    pairs = [
        (s.estimate[column], s.fitted[column]) for s in samples if s.fitted[column] >= LEAST[name]
    ]
    return float(np.mean([abs(e / f - 1) for e, f in pairs]))


def calibration() -> Calibration:
    """What ships."""
    whole, parts = designs(), kernels()
    samples = [*whole, *parts]
    found = ratios(samples)
    many = np.array([s in whole or large(s) for s in samples])
    errors = {
        "ALM": float(np.mean(abs(1 / found[many] - 1))),
        "RAM": misses(whole, 2, "RAM"),
        "DSP": misses(whole, 3, "DSP"),
    }
    source = (
        f"{len(whole)} whole designs and {len(parts)} kernels (t2sp, HPCC FPGA; aoc 19.2 to 20.4 "
        "on Arria 10 and Stratix 10); errors are those of whole designs and large kernels, each "
        "author left out"
    )
    rounded = {name: round(error, 4) for name, error in errors.items()}
    return Calibration(packing(samples), quantiles(found[many]), rounded, source)


def main() -> int:
    """Print the law and its errors."""
    samples = [*designs(), *kernels()]
    found, made = ratios(samples), calibration()
    low, upper, high = made.band
    print(f"packing {made.packing}, band {low} to {high}, upper quartile {upper}")
    for title, chosen in (
        ("large designs and kernels", [large(s) for s in samples]),
        ("whole designs", [s in designs() for s in samples]),
        ("kernels", [s not in designs() for s in samples]),
    ):
        mine = found[np.array(chosen)]
        within = float(np.mean((low <= mine) & (mine <= high)))
        error = float(np.mean(abs(1 / mine - 1)))
        print(f"{title} ({len(mine)}): mean error {error:.1%}, {within:.0%} within the band")
    if "--write" in sys.argv[1:]:
        path = Path(shipped.__file__).with_name("calibration.json")
        path.write_text(made.to_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
