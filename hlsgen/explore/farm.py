"""Compiles of chosen designs with aoc, farmed out through the same executor as the exploration.

Each job runs `make hardware` in its design directory with the given aoc, keeps the log, and is
tried again when it fails. The outcome of every design is collected; a design that the same aoc
compiled before is not compiled again. Tested with a stand-in executable: no aoc was at hand.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from hlsgen.codegen.compiled import sources_digest
from hlsgen.errors import HlsgenError
from hlsgen.explore.execute import as_they_come
from hlsgen.host.files import write_whole
from hlsgen.interrupts import polite_end
from hlsgen.schema import NOTED, read

LOG = "aoc.log"
OUTCOME = "aoc.json"


@dataclass(frozen=True)
class Outcome:
    """What became of a compile: command and status, tries and seconds that it took, the images by
    their paths in the design, a hash of what they were made from."""

    __pydantic_config__ = NOTED

    design: str
    command: str
    status: int
    tries: int
    seconds: float
    images: list[str]
    sources: str
    log: str


def make_command(aoc: str, target: str) -> list[str]:
    """The command that compiles a design; make takes a dollar in a value for the start of a
    variable."""
    return ["make", target, f"AOC={aoc.replace('$', '$$')}"]


def compile_design(
    folder: str, aoc: str, retries: int, target: str = "hardware", seconds: float = 86400
) -> dict[str, Any]:
    """Compile one design; up to `retries` more tries. Returns command, status, tries, seconds, and
    the image's path if there is one."""
    path = Path(folder)
    command = make_command(aoc, target)
    (path / OUTCOME).unlink(
        missing_ok=True
    )  # until this compile is done, the design is not compiled
    started, status, tries = time.time(), 1, 0
    with open(path / LOG, "a") as log:
        while tries <= retries:
            tries += 1
            log.write(f"# try {tries}: {' '.join(command)}\n")
            log.flush()
            try:
                status = run_group(command, path, log, seconds)
            except (OSError, subprocess.TimeoutExpired) as error:
                log.write(f"{error}\n")
                status = 1
            if status == 0:
                break
    images = (
        sorted(str(p.relative_to(path)) for p in (path / "bin").glob("*.aoc?"))
        if status == 0
        else []
    )
    outcome = Outcome(
        folder,
        " ".join(command),
        status,
        tries,
        time.time() - started,
        images,
        sources_digest(path),
        str(path / LOG),
    )
    write_whole(path / OUTCOME, json.dumps(asdict(outcome), indent=1) + "\n")
    return asdict(outcome)


def run_group(command: list[str], folder: Path, log: TextIO, seconds: float) -> int:
    """The status of a command. Whatever ends the wait for it ends it too, with all that it started.
    Raises OSError, TimeoutExpired."""
    process = subprocess.Popen(
        command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    with polite_end(), process:
        try:
            return process.wait(seconds)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def compile_all(
    folders: Sequence[Path], pool: Executor, aoc: str, retries: int = 1, target: str = "hardware"
) -> list[dict[str, Any]]:
    """Outcomes of all designs, in their order. Raises ExploreError where a worker is gone, when the
    others are done."""
    before = {str(folder): compiled_before(folder, aoc, target) for folder in folders}
    found = {name: outcome for name, outcome in before.items() if outcome}
    jobs = [
        pool.submit(compile_design, str(f.resolve()), aoc, retries, target)
        for f in folders
        if str(f) not in found
    ]
    for outcome in as_they_come(jobs):
        found[outcome["design"]] = outcome
    return [found.get(str(f)) or found[str(f.resolve())] for f in folders]


def compiled_before(folder: Path, aoc: str, target: str) -> dict[str, Any] | None:
    """The outcome of an earlier compile of these very sources with the same command, None if there
    was none."""
    try:
        found = read(Outcome, folder / OUTCOME, OUTCOME, HlsgenError)
        same = (found.sources, found.command) == (
            sources_digest(folder),
            " ".join(make_command(aoc, target)),
        )
    except (OSError, HlsgenError):
        return None
    whole = found.status == 0 and all((folder / image).is_file() for image in found.images)
    return asdict(found) if same and whole else None
