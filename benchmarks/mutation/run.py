"""Tries mutants in a copy of the checkout: the tests of each must pass without it and fail with
it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from compileall import compile_dir
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

from benchmarks.mutation.mutant import Mutant

# What a copy does without.
LEFT_OUT = (".git", ".venv", "__pycache__", ".*_cache", "*.egg-info", "shared")
# Seconds for the tests of one mutant. A fault may make a loop endless; tests that then do not end
# have noticed it.
LIMIT = 300.0
# pytest's exit statuses. Others mean that tests could not run, which proves nothing.
PASSED, FAILED = 0, 1


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: "killed", "survived", or "broken" where the tests prove nothing; and
    why."""

    mutant: Mutant
    verdict: str
    detail: str = ""


@contextmanager
def checkout(root: Path) -> Iterator[Path]:
    """A copy of a checkout in a temporary folder. It is compiled, so that tests start soon; Python
    compares each module with its source's hash, since times would hide a change of the same length
    within a second."""
    with tempfile.TemporaryDirectory(prefix="hlsgen-mutation-") as folder:
        copy = Path(folder) / "checkout"
        shutil.copytree(root, copy, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
        compile_dir(copy, quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
        yield copy


def try_all(mutants: Sequence[Mutant], root: Path) -> Iterator[Outcome]:
    """Try mutants one after another. First all their tests run on the copy as it is: those must
    pass."""
    with checkout(root) as copy:
        fresh = [mutant for mutant in mutants if mutant.stale(copy) is None]
        tests = tuple(dict.fromkeys(test for mutant in fresh for test in mutant.tests))
        status, text = run_tests(copy, tests, len(fresh)) if tests else (PASSED, "")
        for mutant in mutants:
            problem = mutant.stale(copy)
            if problem is None and status != PASSED:
                problem = f"the tests do not pass without any mutant: {text}"
            yield Outcome(mutant, "broken", problem) if problem else try_one(mutant, copy)


def try_one(mutant: Mutant, copy: Path) -> Outcome:
    """Put the fault in, run its tests, and take it out again."""
    path = copy / mutant.file
    text = path.read_text()
    path.write_text(mutant.applied(text))
    try:
        status, last = run_tests(copy, mutant.tests)
    finally:
        path.write_text(text)
    if status is None:
        return Outcome(mutant, "killed", f"its tests did not end within {LIMIT:g} s")
    return Outcome(mutant, {PASSED: "survived", FAILED: "killed"}.get(status, "broken"), last)


def run_tests(copy: Path, tests: Sequence[str], times: int = 1) -> tuple[int | None, str]:
    """pytest's exit status (None: out of time, which is `times` the limit of one mutant) and the
    last line that it printed."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    variables = {
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            timeout=LIMIT * times,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, ""
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or [""]
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return done.returncode, (failed or lines)[-1]
