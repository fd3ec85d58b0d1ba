"""Builds thousands of hostile files, in worker processes: a crash, or a file that takes too long,
is seen."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from tests.support.hostile import build_hostile, hostile_bytes

STYLES = ("auto", "base", "pipelined", "folded")
# Seconds that the build of a small file may take.
LIMIT = 60


def attempt(seed: int) -> str | None:
    """Build one file; what went wrong."""
    random = np.random.default_rng(seed)
    data = hostile_bytes(lambda options: options[int(random.integers(len(options)))])
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    try:
        return build_hostile(data, folder / "work", STYLES[seed % len(STYLES)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(count: int, first: int = 0) -> int:
    """Try `count` files; prints what went wrong and returns how many did."""
    with multiprocessing.Pool(os.cpu_count(), maxtasksperchild=200) as pool:
        pending = [
            (seed, pool.apply_async(attempt, (seed,))) for seed in range(first, first + count)
        ]
        wrong = 0
        for seed, result in pending:
            try:
                problem = result.get(LIMIT)
            except multiprocessing.TimeoutError:
                problem = f"took more than {LIMIT} seconds, or the process died"
            if problem:
                wrong += 1
                print(f"file {seed}: {problem}", flush=True)
    return wrong
