"""Designs made by the code of a checkout, this one or another, in a process of its own.

This file is also the program of that process, which imports the hlsgen on its path: of hlsgen it
uses what checkouts have in common, and PLACES where they differ.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Modules that have moved: where they are, and where they were.
PLACES = {"estimate": ("hlsgen.model.estimate", "hlsgen.schedule.estimate")}


@dataclass(frozen=True)
class Job:
    """A design to make: `out` is its directory ("": it is only planned), `plan` a plan.json to use
    instead of a search."""

    board: str
    style: str
    images: int = 1
    out: str = ""
    plan: str = ""


def made(tree: Path, model: Path, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """What became of the jobs in a checkout, in order.

    Each is `style`, `cpu` and `wall` (seconds of the search), `bytes` (moved for an image) and
    `estimate` (`Estimate.to_dict`); or `refused`, the reason why there is no such design, with the
    seconds; or `failed`, an exception that is no HlsgenError. Raises SystemExit where the model
    cannot be loaded.
    """
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), str(model)],
        input=json.dumps([asdict(job) for job in jobs]),
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{model.stem} in {tree}: {done.stderr.strip()[-500:]}")
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def make(graph: Any, job: Job) -> dict[str, Any]:
    """Plan a design, estimate it and write it."""
    import hlsgen
    from hlsgen.errors import HlsgenError
    from hlsgen.plan import Plan
    from hlsgen.schedule.goal import Goal

    cpu, wall = time.process_time(), time.perf_counter()
    found: dict[str, Any] = {}
    try:
        if job.plan:
            plan = Plan.load(job.plan)
        else:
            goal = Goal(images=job.images)
            plan = hlsgen.schedule(graph, board=job.board, style=job.style, goal=goal)
    except HlsgenError as error:
        found = {"refused": str(error)}
    found |= {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    if "refused" in found:
        return found
    if job.out:
        hlsgen.generate(graph, plan, job.out)
    predicted = placed("estimate")(graph, plan)
    return found | {
        "style": plan.style,
        "bytes": predicted.timing.bytes,
        "estimate": predicted.to_dict(),
    }


def placed(name: str) -> Any:
    """A function of PLACES in the checkout that this process works for."""
    for place in PLACES[name]:
        if (Path.cwd() / (place.replace(".", "/") + ".py")).is_file():
            return getattr(importlib.import_module(place), name)
    raise SystemExit(f"{Path.cwd()} has no {name} in {' or '.join(PLACES[name])}")


def check_origin() -> None:
    """Raise SystemExit for code of another hlsgen: where one is installed, Python finds there what
    a checkout lacks."""
    for name, module in sys.modules.items():
        file = getattr(module, "__file__", None) if name.partition(".")[0] == "hlsgen" else None
        if file and not Path(file).is_relative_to(Path.cwd()):
            raise SystemExit(f"{name} is not this checkout's: {file}")


def main(model: str) -> None:
    """Do the jobs that stand on standard input."""
    import hlsgen

    graph, found = hlsgen.load_graph(model), []
    for job in json.load(sys.stdin):
        try:
            found.append(make(graph, Job(**job)))
        except Exception as error:
            found.append({"failed": f"{type(error).__name__}: {error}"})
    check_origin()
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
