"""Runs designs from the caller's side: starts the child process, watches it, collects results."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import devices
from .archive import save_arrays
from .design import HostDesign
from .errors import DeadlockError, HostError

# Beyond the time limit of a batch: how long the child may stay silent while it starts, compiles or transfers.
GRACE = 300.0


@dataclass(frozen=True)
class RunResult:
    """Outputs by name `(images, ...)`, the device's name, and timings in seconds."""

    outputs: dict[str, np.ndarray]
    device: str
    build_seconds: float
    image_seconds: list[float]


def run(
    design: HostDesign,
    inputs: dict[str, np.ndarray],
    *,
    device: str = "emulator",
    strict: bool = False,
    on_layers: Callable[[int, dict[str, np.ndarray]], None] | None = None,
    timeout: float = 120.0,
    repeat: int = 1,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> RunResult:
    """Run a design on a batch of images `(images, ...)` in a child process.

    `strict` runs all kernels at once over FIFOs of their true depth; otherwise one after another. `on_layers` is
    called with the number of each image and all layers' results, canonical `(C, H, W)` by layer name, while the next
    image is computed. `timeout` is the limit in seconds of one batch. `repeat` runs each batch several times, for
    timing. Raises HostError; DeadlockError when kernels do not finish.
    """
    images = design.check_inputs(inputs)
    mode = "concurrent" if strict else "sequential"
    kernels = len(design.run(mode)["launches"]) + len(design.run(mode)["autorun"]) if strict else 0
    with tempfile.TemporaryDirectory(prefix="hlsgen-") as name:
        folder = Path(name)
        save_arrays(folder / "inputs.npz", inputs)
        job = {
            "task": "run",
            "design": str(design.path.resolve()),
            "device": device,
            "mode": mode,
            "layers": on_layers is not None,
            "timeout": timeout,
            "repeat": repeat,
        }

        def watch(event: dict[str, Any]) -> None:
            if progress is not None:
                progress(event)
            if on_layers is not None and event["event"] == "image":
                on_layers(event["index"], take_arrays(folder / f"layers_{event['index']}.npz"))

        variables = devices.environment(devices.family(device), kernels)
        done = supervise(folder, job, variables, timeout + GRACE, watch)
        outputs = take_arrays(folder / "outputs.npz")
    assert all(len(array) == images for array in outputs.values())
    return RunResult(outputs, done["device"]["name"], done["build_seconds"], done["image_seconds"])


def take_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file and remove it."""
    with np.load(path) as file:
        arrays = dict(file)
    path.unlink()
    return arrays


def find_devices(kind: str) -> list[dict[str, Any]]:
    """All devices of a kind ("emulator", "cpu", "system"), asked in a child process. Raises HostError."""
    with tempfile.TemporaryDirectory(prefix="hlsgen-") as name:
        done = supervise(Path(name), {"task": "devices"}, devices.environment(kind, 0), 60.0, None)
        return done["devices"]


def supervise(
    folder: Path,
    job: dict[str, Any],
    variables: dict[str, str],
    silence: float,
    progress: Callable[[dict[str, Any]], None] | None,
) -> dict[str, Any]:
    """Run a job in a child process and return its closing event. Raises HostError for every other end."""
    (folder / "job.json").write_text(json.dumps(job))
    reader, writer = os.pipe()
    package = __package__ or "host"
    if "." not in package:  # a copy that is used without installation
        root = str(Path(__file__).resolve().parent.parent)
        variables = variables | {
            "PYTHONPATH": os.pathsep.join([root, variables.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        }
    # The emulator prints warnings about the host's CPU: kept in a file, shown only if the child dies.
    with open(folder / "log", "wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", f"{package}.worker", str(folder), str(writer)],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[writer],
        )
    os.close(writer)
    try:
        return last_event(reader, child, silence, folder / "log", progress)
    finally:
        os.close(reader)
        if child.poll() is None:
            child.kill()
        child.wait()


def last_event(
    reader: int,
    child: subprocess.Popen[bytes],
    silence: float,
    log: Path,
    progress: Callable[[dict[str, Any]], None] | None,
) -> dict[str, Any]:
    """Read events until the one that closes the job; turn bad ends into exceptions."""
    pending = b""
    deadline = time.monotonic() + silence
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise HostError(f"the device did not answer for {silence:g} s and was stopped", remedy="raise --timeout")
        chunk = os.read(reader, 65536)
        if not chunk:
            raise HostError(f"the OpenCL runtime crashed (exit status {child.wait()})\n{tail(log)}")
        deadline = time.monotonic() + silence
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if event["event"] in ("done", "devices"):
                return event
            if event["event"] == "deadlock":
                raise DeadlockError(event["kernels"], event["seconds"])
            if event["event"] == "error":
                raise HostError(event["reason"], remedy=event["remedy"])
            if event["event"] == "crash":
                raise HostError(f"running the design failed\n{event['reason']}")
            if progress is not None:
                progress(event)


def tail(log: Path) -> str:
    """The last lines that the child printed."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
