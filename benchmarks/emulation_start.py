"""What a run on the emulator costs beyond its kernels: `python -m benchmarks.emulation_start`.

Small designs run once each, in several ways one after another: a process each with optimised
kernels, as before workers were shared; one worker for all; without optimisation besides; and with
programs from the cache. Printed are processor seconds of all processes, and their ratio to the
first way.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import hlsgen
from hlsgen.host.design import HostDesign
from hlsgen.host.runner import run
from hlsgen.host.session import Session
from hlsgen.zoo import network
from tests.support.cases import case

CASES = (
    "conv_plain",
    "conv_strided_padded",
    "conv_grouped",
    "conv_depthwise",
    "gemm_flattened",
    "max_pool",
    "average_pool",
    "add_residual",
    "concat",
    "sigmoid",
)
# Title, workers that wait for the next run, optimisation, whether programs are cached.
WAYS = (
    ("a process each, optimised", 0, True, False),
    ("one worker, optimised", 1, True, False),
    ("one worker", 1, None, False),
    ("one worker, programs not yet cached", 1, None, True),
    ("one worker, programs cached", 1, None, True),
    ("a process each, programs cached", 0, None, True),
)


def designs(folder: Path) -> list[HostDesign]:
    """The cases, pipelined and folded, and LeNet-5."""
    models = [
        (f"{name}_{style}", case(name), style)
        for name in CASES
        for style in ("pipelined", "folded")
    ]
    built = []
    for name, model, style in (*models, ("lenet5", network("lenet5"), "pipelined")):
        graph = hlsgen.load_graph(model)
        built.append(
            HostDesign(
                hlsgen.generate(graph, hlsgen.schedule(graph, style=style), folder / name).path
            )
        )
    return built


def images(design: HostDesign) -> dict[str, np.ndarray]:
    """One random image."""
    random = np.random.default_rng(0)
    return {
        e.name: random.standard_normal(e.shape, dtype=np.float32) for e in design.manifest.inputs
    }


def processor_seconds() -> float:
    """Of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


@contextmanager
def cache(folder: str) -> Iterator[None]:
    """Compiled programs are kept in `folder`, or nowhere if that is "off"."""
    before = os.environ.get("HLSGEN_CACHE")
    os.environ["HLSGEN_CACHE"] = folder
    try:
        yield
    finally:
        del os.environ["HLSGEN_CACHE"]
        if before is not None:
            os.environ["HLSGEN_CACHE"] = before


def once_each(
    batch: list[HostDesign], keep: int, optimise: bool | None
) -> tuple[float, list[dict[str, np.ndarray]]]:
    """Run every design once. Returns the processor seconds and all outputs."""
    before = processor_seconds()
    with Session(keep) as session:
        outputs = [run(d, images(d), optimise=optimise, session=session).outputs for d in batch]
    return processor_seconds() - before, outputs


def largest_difference(
    first: list[dict[str, np.ndarray]], second: list[dict[str, np.ndarray]]
) -> float:
    """Of all outputs, to the largest value of each."""
    pairs = [(a[name], b[name]) for a, b in zip(first, second, strict=True) for name in a]
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)


def lenet(design: HostDesign) -> dict[str, Any]:
    """Seconds by the clock of three runs of LeNet-5 in a row, in a process each and with a shared
    worker."""
    seconds: dict[str, Any] = {}
    for title, keep, optimise in (("a process each, optimised", 0, True), ("one worker", 1, None)):
        with Session(keep) as session:
            seconds[title] = []
            for _ in range(3):
                started = time.perf_counter()
                run(design, images(design), optimise=optimise, session=session)
                seconds[title].append(time.perf_counter() - started)
    return seconds


def main() -> None:
    """Measure and print."""
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as name:
        batch = designs(Path(name))
        table = Table(title=f"{len(batch)} small designs, one image each", title_justify="left")
        for column in ("way", "processor s", "ratio", "largest difference of outputs"):
            table.add_column(column, justify="left" if column == "way" else "right")
        first: tuple[float, list[dict[str, np.ndarray]]] | None = None
        for title, keep, optimise, cached in WAYS:
            with cache(f"{name}/cache" if cached else "off"):
                seconds, outputs = once_each(batch, keep, optimise)
            first = first or (seconds, outputs)
            ratio, difference = first[0] / seconds, largest_difference(first[1], outputs)
            table.add_row(title, f"{seconds:.1f}", f"{ratio:.1f}", f"{difference:.0e}")
        console.print(table)
        with cache("off"):
            for title, times in lenet(batch[-1]).items():
                console.print(
                    f"LeNet-5, three runs, {title}: {', '.join(f'{t:.2f} s' for t in times)}"
                )


if __name__ == "__main__":
    main()
