"""Compiles of chosen designs with aoc, farmed out through the same executor as the exploration.

Each job runs `make hardware` in its design directory with the given aoc, keeps the log, and is tried again when it fails. The outcome of every
design is collected; a design that was compiled before is not compiled again. Tested with a stand-in executable: no aoc was at hand.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import Executor, as_completed
from pathlib import Path
from typing import Any

LOG = "aoc.log"
OUTCOME = "aoc.json"


def compile_design(
    folder: str, aoc: str, retries: int, target: str = "hardware", seconds: float = 86400
) -> dict[str, Any]:
    """Compile one design; up to `retries` more tries. Returns command, status, tries, seconds, and the image's path if there is one."""
    path = Path(folder)
    command = ["make", target, f"AOC={aoc}"]
    started, status, tries = time.time(), 1, 0
    with open(path / LOG, "a") as log:
        while tries <= retries:
            tries += 1
            log.write(f"# try {tries}: {' '.join(command)}\n")
            log.flush()
            try:
                status = subprocess.run(
                    command, cwd=path, stdout=log, stderr=subprocess.STDOUT, timeout=seconds
                ).returncode
            except (OSError, subprocess.TimeoutExpired) as error:
                log.write(f"{error}\n")
                status = 1
            if status == 0:
                break
    images = sorted(str(p.relative_to(path)) for p in (path / "bin").glob("*.aoc?")) if (path / "bin").is_dir() else []
    outcome = {
        "design": folder, "command": " ".join(command), "status": status, "tries": tries, "seconds": time.time() - started, "images": images,
        "log": str(path / LOG),
    }  # fmt: skip
    (path / OUTCOME).write_text(json.dumps(outcome, indent=1) + "\n")
    return outcome


def compile_all(
    folders: Sequence[Path], pool: Executor, aoc: str, retries: int = 1, target: str = "hardware"
) -> list[dict[str, Any]]:
    """Outcomes of all designs, in their order."""
    found = {}
    for folder in folders:
        before = folder / OUTCOME
        if before.is_file() and json.loads(before.read_text())["status"] == 0:
            found[str(folder)] = json.loads(before.read_text())
    jobs = [pool.submit(compile_design, str(f.resolve()), aoc, retries, target) for f in folders if str(f) not in found]
    for job in as_completed(jobs):
        outcome = job.result()
        found[outcome["design"]] = outcome
    return [found.get(str(f)) or found[str(f.resolve())] for f in folders]
