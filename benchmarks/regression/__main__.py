"""What a change changes: `python -m benchmarks.regression --against TREE`.

Both checkouts, the one before (TREE) and this one, make the same designs with their own code, and
the designs are compared: the plan, the OpenCL text up to names, comments and whitespace, what the
host is told, the weights, and the figures of the estimate. Without options: every case of an
operator and the small networks of the zoo, in every style on three boards. With `--fix-plan` this
checkout gets the plans of the one before, so that only differences of code generation and of the
model remain. Status 1 where something differs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from benchmarks.designs import Job, made
from benchmarks.regression.compare import ASPECTS, differences
from hlsgen.zoo import network
from hlsgen.zoo.networks import NETWORKS
from tests.support.cases import CASES, case

ROOT = Path(__file__).resolve().parents[2]
BOARDS = ("pac_d5005", "pac_a10", "de10_nano")
STYLES = ("pipelined", "folded", "hybrid", "base")
# Networks of the zoo that are planned in a few seconds each.
SMALL = ("lenet5", "mobilenetv1", "squeezenet", "resnet18", "resnet20")


@dataclass(frozen=True)
class Result:
    """Of one design: its name, and its aspects with their first differences."""

    name: str
    aspects: dict[str, str]


def designs_compared(
    trees: Sequence[Path], model: Path, jobs: Sequence[Job], fix_plan: bool
) -> list[Result]:
    """Make the designs of a network in both checkouts and compare them; nothing is left of them."""
    folder = model.parent / f"{model.stem}_designs"
    one, two = ([folder / f"{side}{n}" for n in range(len(jobs))] for side in "ab")
    folder.mkdir()
    before = made(trees[0], model, [replace(j, out=str(o)) for j, o in zip(jobs, one, strict=True)])
    plans = [str(out / "plan.json") if fix_plan and out.is_dir() else "" for out in one]
    after = made(
        trees[1],
        model,
        [replace(j, out=str(o), plan=p) for j, o, p in zip(jobs, two, plans, strict=True)],
    )
    results = [
        Result(
            f"{model.stem} {job.style} {job.board}",
            differences(before[n], after[n], (one[n], two[n])),
        )
        for n, job in enumerate(jobs)
    ]
    shutil.rmtree(folder)
    model.unlink()
    return results


def names(options: argparse.Namespace) -> list[str]:
    """The cases and networks that were asked for."""
    cases = () if options.zoo else CASES
    networks = () if options.cases else NETWORKS if options.all or options.only else SMALL
    return [name for name in (*cases, *networks) if not options.only or name in options.only]


def results(options: argparse.Namespace) -> Iterator[Result]:
    """Of all designs; so many networks at a time as there are jobs."""
    jobs = [Job(board, style) for board in options.boards for style in options.styles]
    trees = (options.against.resolve(), ROOT)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:

        def work(name: str) -> list[Result]:
            path = Path(folder) / f"{name}.onnx"
            onnx.save(case(name) if name in CASES else network(name), path)
            return designs_compared(trees, path, jobs, options.fix_plan)

        for found in pool.map(work, names(options)):
            yield from found


def table(found: Sequence[Result]) -> str:
    """A row an aspect: how many designs are equal, equal but for names, different; the first
    difference."""
    rows = [f"{'':14}{'equal':>7}{'names':>7}{'differ':>8}  first difference"]
    for aspect in ASPECTS:
        told = [(r.name, r.aspects[aspect]) for r in found if aspect in r.aspects]
        differ = [f"{name}: {what}" for name, what in told if what not in ("", "names")]
        counts = Counter(what for _, what in told)
        rows.append(
            f"{aspect:14}{counts['']:7}{counts['names']:7}{len(differ):8}  {''.join(differ[:1])}"
        )
    return "\n".join(rows)


def differing(result: Result) -> list[str]:
    """Aspects of a design that differ."""
    return [aspect for aspect, what in result.aspects.items() if what not in ("", "names")]


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.regression", description=__doc__)
    parser.add_argument(
        "--against", type=Path, required=True, metavar="TREE", help="the checkout before"
    )
    for name, known in (("boards", BOARDS), ("styles", STYLES)):
        parser.add_argument(
            f"--{name}", type=lambda text: text.split(","), default=known, metavar="NAME,...",
            help=f"default {','.join(known)}",
        )  # fmt: skip
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these cases and networks")
    parser.add_argument("--zoo", action="store_true", help="networks of the zoo alone")
    parser.add_argument("--cases", action="store_true", help="cases of operators alone")
    parser.add_argument("--all", action="store_true", help="large networks too")
    parser.add_argument("--jobs", type=int, default=2, help="networks at a time (default 2)")
    parser.add_argument(
        "--fix-plan", action="store_true", help="plans of the checkout before for both"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.only or ()) - set(CASES) - set(NETWORKS)
    if unknown:
        parser.error(f"no case and no network is called {sorted(unknown)[0]}")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Print what differs, design by design, and the sums."""
    found = []
    for result in results(parsed(arguments)):
        found.append(result)
        for aspect in differing(result):
            print(f"{result.name}: {aspect}: {result.aspects[aspect][:300]}", flush=True)
    print(table(found))
    return int(not found or any(differing(result) for result in found))


if __name__ == "__main__":
    sys.exit(main())
