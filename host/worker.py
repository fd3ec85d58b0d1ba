"""The child process: it alone loads OpenCL, so that a deadlock or a crash of a driver cannot take the caller along.

A job is a directory: `job.json` and `inputs.npz` in; `outputs.npz` and, where asked for, `layers_<image>.npz` out.
Progress and the verdict go as JSON lines to the file descriptor in the job.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from .archive import save_arrays
from .design import HostDesign
from .errors import DeadlockError, HostError


def report(descriptor: int, **event: Any) -> None:
    """Send one JSON line to the parent."""
    os.write(descriptor, (json.dumps(event) + "\n").encode())


def list_devices() -> list[dict[str, Any]]:
    """All devices that this process sees."""
    from .devices import describe, visible_devices

    return [describe(device) for device in visible_devices()]


def run_job(folder: Path, job: dict[str, Any], descriptor: int) -> dict[str, Any]:
    """Run all images of a job and store the results. Returns the closing report."""
    from .devices import describe, select
    from .executor import Executor

    device = select(job["device"])
    design = HostDesign(job["design"])
    with np.load(folder / "inputs.npz") as file:
        inputs = dict(file)
    count = design.check_inputs(inputs)
    report(descriptor, event="build")
    # A run for its layers is a validation.
    executor = Executor(design, device, job["mode"], tapped=job["layers"], images=count, guarded=job["layers"])
    report(descriptor, event="built", seconds=executor.build_seconds)
    seconds: list[float] = []
    results: list[dict[str, np.ndarray]] = []
    repeat, batch = job["repeat"], executor.batch
    firsts = [first for first in range(0, count, batch) for _ in range(repeat)]
    batches = [{name: array[first : first + batch] for name, array in inputs.items()} for first in firsts]
    for number, taken in enumerate(executor.batches(batches, job["timeout"])):
        first, size = firsts[number], min(batch, count - firsts[number])
        seconds.append(taken / size)
        if (number + 1) % repeat:
            continue
        for index in range(size):
            results.append(executor.outputs(index))
            if job["layers"]:
                save_arrays(folder / f"layers_{first + index}.npz", executor.layers(index))
            report(descriptor, event="image", index=first + index)
    outputs = {name: np.concatenate([r[name] for r in results]) for name in results[0]}
    save_arrays(folder / "outputs.npz", outputs)
    return {
        "event": "done",
        "device": describe(device),
        "build_seconds": executor.build_seconds,
        "image_seconds": seconds,
    }


def main(folder: str, descriptor: int) -> None:
    """Run the job and leave the process at once: autorun kernels never end, so nothing else would."""
    path = Path(folder)
    job = json.loads((path / "job.json").read_text())
    status = 0
    try:
        verdict = (
            {"event": "devices", "devices": list_devices()}
            if job["task"] == "devices"
            else run_job(path, job, descriptor)
        )
        report(descriptor, **verdict)
    except DeadlockError as error:
        report(descriptor, event="deadlock", kernels=error.kernels, seconds=job["timeout"])
        status = 3
    except HostError as error:
        report(descriptor, event="error", reason=error.reason, remedy=error.remedy)
        status = 2
    except Exception:
        report(descriptor, event="crash", reason=traceback.format_exc())
        status = 4
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
