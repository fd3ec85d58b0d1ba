"""Runs points on a process pool or a Dask cluster; every result is stored as it comes, so that a
run can be resumed."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    as_completed,
)
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hlsgen.errors import HlsgenError
from hlsgen.explore.evaluate import evaluate
from hlsgen.explore.identity import identity, model_digest
from hlsgen.explore.points import Point
from hlsgen.interrupts import no_interrupts
from hlsgen.schema import NOTED, checked

T = TypeVar("T")
# What an exploration has found so far, a line a point.
RESULTS = "results.jsonl"
# Seconds that a worker has to end what it runs.
GRACE = 1.0


@dataclass(frozen=True, kw_only=True)
class Explored(Point):
    """A point that was predicted, as a line of the results: `error` says why it cannot be
    built."""

    __pydantic_config__ = NOTED

    key: str
    identity: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Built(Explored):
    """One that can be built, with what the front weighs and the tables show."""

    design: str
    built: str
    throughput_fps: float
    throughput_low_fps: float
    throughput_high_fps: float
    latency_ms: float
    alms: float
    blocks: float
    dsps: float
    fmax: float
    bottleneck: str
    roofline_share: float


class ExploreError(HlsgenError):
    """A cluster that cannot be reached, or results that cannot be stored."""


@contextmanager
def executor(scheduler: str | None, jobs: int | None) -> Iterator[Executor]:
    """A process pool, or a Dask cluster's executor. Raises ExploreError."""
    if scheduler is None:
        # Fresh processes: a fork of one that has run an OpenCL device or threads may hang.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, mp_context=context) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                end(multiprocessing.active_children())
                raise
        return
    try:
        from distributed import Client
    except ImportError:
        raise ExploreError(
            "needs dask and distributed",
            where="--scheduler",
            remedy="pip install 'hlsgen[explore]'",
        ) from None
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise ExploreError(
            f"no Dask scheduler answers ({error})",
            where=f"--scheduler {scheduler}",
            remedy="start one with `dask scheduler` and workers",
        ) from None
    with client, client.get_executor() as pool:
        yield pool


def finished(job: Future[T]) -> T:
    """The result of a job. Raises ExploreError where its worker or the cluster is gone, and what
    the job raised."""
    try:
        return job.result()
    except (BrokenExecutor, CancelledError) as error:
        gone: Exception = error
    except Exception as error:
        if not type(error).__module__.startswith("distributed"):
            raise
        gone = error
    raise ExploreError(
        f"a worker or the cluster is gone ({type(gone).__name__})",
        where="explore",
        remedy="give workers more memory, or start fewer (--jobs); the same command goes on where "
        "this one ended",
    ) from None


def as_they_come(jobs: Sequence[Future[T]]) -> Iterator[T]:
    """Results of jobs in the order in which they end. Where a worker is gone, those of all others
    come first; then raises ExploreError, and what a job raised."""
    gone = None
    for job in as_completed(jobs):
        try:
            result = finished(job)
        except ExploreError as error:
            gone = error
            continue
        yield result
    if gone:
        raise gone


def end(workers: Sequence[multiprocessing.process.BaseProcess]) -> None:
    """End processes that may be at work: a compile ends what it runs first."""
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(GRACE)
        worker.kill()


def run_points(
    model: str | Path,
    points: Sequence[Point],
    out: Path,
    pool: Executor,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[dict[str, Any]]:
    """Results of all points in their order. Points that `out/results.jsonl` holds for the same
    model, board, calibration and hlsgen are not run again."""
    digest = model_digest(model)
    out.mkdir(parents=True, exist_ok=True)
    log = out / RESULTS
    found = {r["identity"]: r for r in stored(log)}
    wanted = {identity(point, digest): point for point in points}
    missing = {name: point for name, point in wanted.items() if name not in found}
    progress(len(wanted) - len(missing), len(wanted))
    with open(log, "a") as file:
        if cut_off(log):
            file.write("\n")
        with no_interrupts():
            futures = [
                pool.submit(evaluate, str(Path(model).resolve()), digest, point, name)
                for name, point in missing.items()
            ]
        for count, result in enumerate(as_they_come(futures), len(wanted) - len(missing) + 1):
            found[result["identity"]] = result
            file.write(json.dumps(result) + "\n")
            file.flush()
            progress(count, len(wanted))
    return [found[name] for name in wanted]


def stored(log: Path) -> Iterator[dict[str, Any]]:
    """Results of an earlier run. A last line that was cut off is left out, and so are lines of
    another form: their points are asked for again."""
    if not log.is_file():
        return
    for line in log.read_bytes().splitlines():
        try:
            result = json.loads(line)
            refused = isinstance(result, dict) and result.get("error")
            checked(Explored if refused else Built, result, RESULTS, ExploreError)
        except (ValueError, RecursionError, ExploreError):
            continue
        yield result


def cut_off(log: Path) -> bool:
    """Whether the last line of a log has no end."""
    text = log.read_bytes()
    return bool(text) and not text.endswith(b"\n")
