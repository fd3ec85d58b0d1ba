"""Runs designs from the caller's side: gives them to a worker process and collects results."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import devices
from .boards import run_boards
from .design import HostDesign
from .errors import HostError
from .session import SHARED, Session
from .system import SystemDesign

# Beyond the time limit of a batch: how long the worker may stay silent while it starts, compiles or
# transfers.
GRACE = 300.0
# The same where devices are merely listed.
DEVICES_LIMIT = 60.0
# Multiply-accumulates of a run beyond which optimised kernels pay. Optimising takes 1.3 to 6.5 s,
# and saves 0.4 to 1.5 s a thousand million of them; compiled programs are kept, so the limit is
# below what pays the first time.
OPTIMISED = 200e6
# The longest time limit, in seconds: operating systems count to some weeks.
LONGEST = 1e6


@dataclass(frozen=True)
class RunResult:
    """The network's outputs by name `(images, ...)` and those of the design, which may be a part of
    it, the device's name, timings in seconds, and what the kernels printed.

    `image_seconds` are those of an image, launch by launch; `kernel_seconds` those of all launches.
    `build_seconds` is 0 where the device still had the design's program from the run before.
    `host_seconds` is what head and tail took in all.
    """

    outputs: dict[str, np.ndarray]
    design_outputs: dict[str, np.ndarray]
    device: str
    build_seconds: float
    image_seconds: list[float]
    kernel_seconds: float
    host_seconds: float
    printed: str


def run(
    design: HostDesign,
    inputs: dict[str, np.ndarray],
    *,
    device: str = "emulator",
    strict: bool = False,
    on_layers: Callable[[int, dict[str, np.ndarray]], None] | None = None,
    timeout: float = 120.0,
    repeat: int = 1,
    optimise: bool | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
    poison: int = 0,
    session: Session = SHARED,
) -> RunResult:
    """Run a design on a batch of images `(images, ...)` in a worker process.

    `strict` runs all kernels at once over FIFOs of their true depth; otherwise one after another.
    `on_layers` is called with the number of each image and all layers' results, canonical `(C, H,
    W)` by layer name, while the next image is computed. `timeout` is the limit in seconds of one
    batch. `repeat` runs each batch several times, for timing. `optimise` is whether the emulator
    compiles with optimisation; None leaves that to `worthwhile`. `poison`: which one a run for its
    layers finds in memory. The workers of `session` serve the run, and wait for the next one.
    Raises HostError; DeadlockError when kernels do not finish.
    """
    if not 0 < timeout <= LONGEST:
        raise HostError(
            f"a timeout of {timeout:g} seconds", remedy=f"give one above 0, {LONGEST:g} at most"
        )
    design.check_inputs(inputs)
    network = design.network
    started = time.perf_counter()
    values = network.before(inputs) if network else []
    given = network.design_inputs(values) if network else inputs
    images = len(next(iter(given.values())))  # those of the design
    host_seconds = time.perf_counter() - started
    mode = "concurrent" if strict else "sequential"
    job = job_of(design, given, images, device, mode, timeout) | {
        "layers": on_layers is not None,
        "poison": poison,
        "repeat": repeat,
        "optimise": worthwhile(design, images * repeat) if optimise is None else optimise,
    }

    def heard(event: dict[str, Any]) -> None:
        layers = event.pop("layers", None)
        if progress is not None:
            progress(event)
        if on_layers is not None and layers is not None:
            on_layers(event["index"], layers)

    if isinstance(design, SystemDesign):
        done, printed = run_boards(design, given, job, timeout + GRACE, session, heard), ""
    else:
        refuse_alone(design)
        kernels = kernels_at_once(design, mode)
        with session.worker(devices.environment(devices.family(device), kernels)) as worker:
            for event in worker.work(job, timeout + GRACE):
                if event["event"] == "done":
                    done = event
                else:
                    heard(event)
            printed = worker.printed()
    results = done["outputs"]
    assert all(len(array) == images for array in results.values())
    started = time.perf_counter()
    outputs = network.after(values, results) if network else results
    return RunResult(
        outputs,
        results,
        done["device"]["name"],
        done["build_seconds"],
        done["image_seconds"],
        done["kernel_seconds"],
        host_seconds + time.perf_counter() - started,
        printed,
    )


def job_of(
    design: HostDesign,
    inputs: dict[str, np.ndarray],
    images: int,
    device: str,
    mode: str,
    timeout: float,
) -> dict[str, Any]:
    """What a worker is told: by default to run a design by itself, in the current folder, for its
    outputs alone, on the first board where there are several."""
    return {
        "task": "run",
        "design": str(design.path.resolve()),
        "inputs": inputs,
        "images": images,
        "folder": "",
        "waits": False,
        "board": 0,
        "device": device,
        "mode": mode,
        "layers": False,
        "poison": 0,
        "timeout": timeout,
        "repeat": 1,
        "optimise": worthwhile(design, images),
    }


def kernels_at_once(design: HostDesign, mode: str) -> int:
    """Kernels that wait for each other. Raises HostError where the design lacks the mode."""
    run = design.run(mode)
    return len(run.launches) + len(run.autorun) if mode == "concurrent" else 0


def refuse_alone(design: HostDesign) -> None:
    """Raise HostError for a board that only runs with others."""
    if design.manifest.links:
        raise HostError(
            f"{design.path} is one board of a system",
            remedy=f"run the system in the folder above: {design.path.resolve().parent}",
        )


def worthwhile(design: HostDesign, images: int) -> bool:
    """Whether the emulator's optimisation of the kernels saves more time than it takes in a run of
    so many images.

    `$HLSGEN_EMULATOR_OPTIMISE` (0 or 1) decides instead. Raises HostError for another value.
    """
    setting = os.environ.get("HLSGEN_EMULATOR_OPTIMISE", "")
    if setting not in ("", "0", "1"):
        raise HostError(
            f"HLSGEN_EMULATOR_OPTIMISE is {setting!r}", remedy="set it to 0 or 1, or unset it"
        )
    return setting == "1" if setting else images * design.work > OPTIMISED


def find_devices(kind: str) -> list[dict[str, Any]]:
    """All devices of a kind ("emulator", "cpu", "system"), asked in a process of its own. Raises
    HostError."""
    with Session() as session, session.worker(devices.environment(kind, 0)) as worker:
        *_, done = worker.work({"task": "devices"}, DEVICES_LIMIT)
    found: list[dict[str, Any]] = done["devices"]
    return found
