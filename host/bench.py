"""Measures how fast a device computes a design, beside the prediction."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .design import HostDesign
from .errors import HostError
from .fields import FieldError, decoded
from .images import random_images
from .runner import RunResult, run
from .session import Session
from .system import SystemDesign

# The file in a design directory that holds the prediction.
PREDICTION = "prediction.json"
PERCENTILES = (50, 90, 99)


@dataclass(frozen=True)
class Prediction:
    """Images a second, the least and the most that are likely; seconds of a launch."""

    throughput: float
    low: float
    high: float
    latency: float

    def to_json(self) -> str:
        """The text of prediction.json."""
        return json.dumps(asdict(self), indent=1) + "\n"


@dataclass(frozen=True)
class Benchmark:
    """What was measured of a design.

    `kernels` are images a second of the kernels alone, `end_to_end` with all that this host does:
    arrays to and from a process, packing, transfers. `latencies`: seconds of the kernels, for each
    launch of `launch` images that was measured. All images are those of the design.
    """

    device: str
    images: int
    launch: int
    kernels: float
    end_to_end: float
    latencies: tuple[float, ...]
    prediction: Prediction | None

    @property
    def percentiles(self) -> dict[str, float]:
        """Seconds of a launch, by percentile: p50 and others."""
        values = np.percentile(self.latencies, PERCENTILES)
        return {f"p{p}": float(value) for p, value in zip(PERCENTILES, values, strict=True)}

    def as_dict(self) -> dict[str, Any]:
        """For JSON: images a second, milliseconds."""
        predicted = self.prediction
        return {
            "device": self.device,
            "images": self.images,
            "images_per_launch": self.launch,
            "kernel_images_per_second": self.kernels,
            "end_to_end_images_per_second": self.end_to_end,
            "latency_ms": {name: 1e3 * value for name, value in self.percentiles.items()},
            "launches": len(self.latencies),
            "predicted": asdict(predicted) if predicted else None,
            "measured_to_predicted": self.kernels / predicted.throughput if predicted else None,
        }

    def lines(self) -> list[str]:
        """A few lines for people."""
        p, predicted = self.percentiles, self.prediction
        unit = f"a launch of {self.launch} images" if self.launch > 1 else "an image"
        times = ", ".join(f"{name} {1e3 * value:.4g}" for name, value in p.items())
        found = [
            f"device      {self.device}",
            f"images/s    {self.kernels:,.4g} (kernels), {self.end_to_end:,.4g} (end to end), "
            f"{self.images} images",
            f"latency ms  {times}; {unit}, {len(self.latencies)} times",
        ]
        if predicted is None:
            return [*found, "predicted   nothing: the design has no prediction.json"]
        return [
            *found,
            f"predicted   {predicted.throughput:,.0f} images/s ({predicted.low:,.0f} to "
            f"{predicted.high:,.0f}), {1e3 * predicted.latency:.4g} ms",
            f"measured    {self.kernels / predicted.throughput:.3g} of the prediction",
        ]


def bench(
    design: HostDesign,
    *,
    images: int = 64,
    launches: int = 64,
    device: str = "emulator",
    timeout: float = 120.0,
) -> Benchmark:
    """Run `images` random images for the throughput, and as many single `launches` for the latency.
    The device is programmed before. Raises HostError, also for a system: a run of it is one row's,
    whose boards each launch when they can, so it tells no latency and not the rate of all."""
    if isinstance(design, SystemDesign):
        raise HostError(
            f"{design.path} is a system of several boards, and bench measures one design",
            remedy="time `run` (one row of boards) or `ranks` (all) on many images",
        )
    if images < 1 or launches < 1:
        raise HostError(f"{images} images, {launches} launches", remedy="give positive numbers")
    manifest = design.manifest
    own = manifest.cut.images if manifest.cut else 1  # the design's images of one of the network
    launch = own if manifest.batched else manifest.images
    many = random_images(design, images)
    few = random_images(design, 1 if manifest.batched else manifest.images)
    with Session(keep=1) as session:

        def timed(inputs: dict[str, np.ndarray], repeat: int = 1) -> tuple[RunResult, float]:
            started = time.perf_counter()
            result = run(
                design, inputs, device=device, timeout=timeout, repeat=repeat, session=session
            )
            return result, time.perf_counter() - started

        timed(many)  # programs the device, and fills caches
        whole, seconds = timed(many)
        single, _ = timed(few, launches)
    made = images * own
    return Benchmark(
        whole.device,
        made,
        launch,
        made / whole.kernel_seconds,
        made / seconds,
        tuple(taken * launch for taken in single.image_seconds),
        read_prediction(design.path),
    )


def read_prediction(folder: Path) -> Prediction | None:
    """The prediction in a design directory, None where there is none. Raises HostError."""
    path = folder / PREDICTION
    if not path.is_file():
        return None
    try:
        found: Prediction = decoded(Prediction, json.loads(path.read_text()), "")
        return found
    except (OSError, ValueError, RecursionError, FieldError) as error:
        raise HostError(f"{path}: cannot be read ({error})") from None
