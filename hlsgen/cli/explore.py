"""`explore`: the Pareto front of one network over boards, styles, objectives and shares of the
device."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from hlsgen.boards import boards
from hlsgen.cli.console import Console
from hlsgen.codegen.generate import generate
from hlsgen.errors import HlsgenError, OutputError, UsageError, did_you_mean
from hlsgen.explore.evaluate import graph_of
from hlsgen.explore.execute import RESULTS, executor, run_points
from hlsgen.explore.farm import compile_all
from hlsgen.explore.identity import model_digest
from hlsgen.explore.points import WITH_COPIES, WITH_IMAGES, Point, front, goal_of, grid
from hlsgen.explore.results import write_results
from hlsgen.graph import Graph
from hlsgen.schedule.explain import rate_with_band
from hlsgen.schedule.goal import OBJECTIVES, check_goal
from hlsgen.schedule.scheduler import schedule
from hlsgen.style import SELECTABLE
from hlsgen.words import counted

NAME = "explore"
HELP = "predict a network's designs over boards and options, and show the Pareto front"
EXAMPLE = (
    "hlsgen explore mobilenet.onnx --boards pac_d5005,pac_a10 --styles "
    "pipelined,folded --out explored"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_grid(parser)
    add_sizes(parser)
    add_work(parser)


def add_grid(parser: argparse.ArgumentParser) -> None:
    """The points."""
    parser.add_argument("model", metavar="MODEL", help="ONNX file with static shapes")
    parser.add_argument(
        "--boards",
        default="",
        metavar="B,...",
        help="boards or JSON files (default: all that the OpenCL SDK supports)",
    )
    parser.add_argument(
        "--styles",
        default="pipelined,folded",
        metavar="S,...",
        help="auto, pipelined, folded, hybrid, base (default pipelined,folded)",
    )
    parser.add_argument(
        "--objective",
        default="throughput",
        metavar="O,...",
        help="throughput, latency, resources (default throughput)",
    )
    parser.add_argument(
        "--shares",
        default="1,0.5,0.25",
        metavar="X,...",
        help="shares of the caps that a design may use (default 1,0.5,0.25)",
    )


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """What else points differ in, and the rate that all must reach."""
    parser.add_argument(
        "--images",
        default="1",
        metavar="N,...",
        help="images a launch of folded and hybrid designs (default 1)",
    )
    parser.add_argument(
        "--copies", default="1", metavar="N,...", help="copies of pipelined designs (default 1)"
    )
    parser.add_argument(
        "--fps",
        type=float,
        default=0.0,
        metavar="N",
        help="images a second for --objective resources",
    )


def add_work(parser: argparse.ArgumentParser) -> None:
    """Where results go, and who works."""
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="where results go (default NAME_explored); a run that was interrupted there is "
        "resumed",
    )
    parser.add_argument("--calibration", default="", metavar="FILE", help="use this calibration")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core)")
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a Dask scheduler in place of local processes, for example tcp://host:8786",
    )
    parser.add_argument(
        "--compile",
        metavar="AOC",
        help="compile the designs on the front with this aoc, through the same workers",
    )
    parser.add_argument(
        "--retries",
        type=int,
        default=1,
        metavar="N",
        help="further tries of a compile that fails (default 1)",
    )


def execute(options: argparse.Namespace, console: Console) -> int:
    """Explore, write, show."""
    check_workers(options)
    points = wanted_points(options)
    out = Path(options.out or f"{Path(options.model).stem}_explored")
    check_folder(out)
    graph = graph_of(
        str(Path(options.model).resolve()), model_digest(options.model)
    )  # a bad model is one error, not one a point
    try:
        with executor(options.scheduler, options.jobs) as pool:
            with console.progress("exploring") as update:
                results = run_points(options.model, points, out, pool, update)
            best = front(results)
            paths = write_results(results, out, f"{graph.name}: {counted(len(results), 'point')}")
            compiled = compile_front(options, graph, best, out, pool) if options.compile else []
    except OSError as error:
        raise OutputError(
            f"cannot be written ({error.strerror})",
            where=f"--out {out}",
            remedy="choose a writable directory",
        ) from None
    describe(results, best, console)
    tell_compiled(compiled, console)
    console.say("written: " + ", ".join(str(path) for path in paths))
    failed = [outcome for outcome in compiled if outcome["status"]]
    console.result(
        {
            "ok": bool(best) and not failed,
            "points": len(results),
            "front": best,
            "files": [str(p) for p in paths],
            "compiled": compiled,
        }
    )
    return 0 if best and not failed else 1


def tell_compiled(compiled: list[dict[str, Any]], console: Console) -> None:
    """What became of the designs that were compiled."""
    for outcome in compiled:
        ended = "compiled" if outcome["status"] == 0 else f"failed, see {outcome['log']}"
        tries = "try" if outcome["tries"] == 1 else "tries"
        console.say(f"{outcome['design']}: {ended}, {outcome['tries']} {tries}")


def check_workers(options: argparse.Namespace) -> None:
    """Raise UsageError for processes and tries that cannot be."""
    if options.scheduler and options.jobs is not None:
        raise UsageError(
            "the scheduler's workers do the work", where="--jobs", remedy="leave it out"
        )
    for flag, value, least in (("--jobs", options.jobs, 1), ("--retries", options.retries, 0)):
        if value is not None and value < least:
            raise UsageError(f"{value} is less than {least}", where=flag)


def check_folder(out: Path) -> None:
    """Raise OutputError unless `out` is new, an empty directory, or holds an earlier
    exploration."""
    if out.is_dir() and any(out.iterdir()) and not (out / RESULTS).is_file():
        raise OutputError(
            "is not empty and holds no exploration",
            where=f"--out {out}",
            remedy="name a new directory, nothing there was changed",
        )


def wanted_points(options: argparse.Namespace) -> list[Point]:
    """The grid that the options ask for. Raises HlsgenError."""
    names = split(options.boards) or [name for name, b in boards().items() if b.opencl]
    styles, objectives = split(options.styles), split(options.objective)
    for given, known, flag in (
        (styles, SELECTABLE, "--styles"),
        (objectives, OBJECTIVES, "--objective"),
    ):
        for name in given:
            if name not in known:
                raise HlsgenError(
                    f"unknown value {name!r}{did_you_mean(name, known)}",
                    where=flag,
                    remedy=f"choose from {', '.join(known)}",
                )
    try:
        shares = [float(text) for text in split(options.shares)]
    except ValueError:
        shares = []
    if not shares or not all(0 < share <= 1 for share in shares):
        raise HlsgenError(
            f"{options.shares!r} are not shares between 0 and 1",
            where="--shares",
            remedy="for example --shares 1,0.5",
        )
    images, copies = numbers(options.images, "--images"), numbers(options.copies, "--copies")
    check_used(styles, objectives, options.fps, images, copies)
    points = grid(
        names, styles, objectives, shares, options.fps, options.calibration, images, copies
    )
    for point in points:
        check_goal(goal_of(point))
    return points


def check_used(
    styles: list[str], objectives: list[str], fps: float, images: list[int], copies: list[int]
) -> None:
    """Raise UsageError for what none of the styles and objectives would use."""
    unused = {
        "--fps": fps and "resources" not in objectives and "--objective resources",
        "--images": max(images) > 1
        and not set(styles) & set(WITH_IMAGES)
        and f"--styles {','.join(WITH_IMAGES)}",
        "--copies": max(copies) > 1
        and not set(styles) & set(WITH_COPIES)
        and f"--styles {','.join(WITH_COPIES)}",
    }
    for flag, needed in unused.items():
        if needed:
            raise UsageError(
                "no point would use it", where=flag, remedy=f"leave it out, or add one of {needed}"
            )


def numbers(text: str, flag: str) -> list[int]:
    """The whole numbers of a list with commas, the least first. Raises HlsgenError."""
    parts = split(text)
    if not parts or not all(part.isdigit() for part in parts):
        raise HlsgenError(f"{text!r} are not numbers", where=flag, remedy=f"for example {flag} 1,8")
    return sorted(int(part) for part in parts)


def split(text: str) -> list[str]:
    """The parts of a list with commas, without doubles."""
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def compile_front(
    options: argparse.Namespace, graph: Graph, best: list[dict[str, Any]], out: Path, pool: Any
) -> list[dict[str, Any]]:
    """Generate and compile the designs on the front that aoc supports."""
    folders = []
    for r in best:
        point = Point(
            r["board"],
            r["style"],
            r["objective"],
            r["share"],
            r["fps"],
            tuple(r["disable"]),
            r["calibration"],
            r.get("images", 1),
            r.get("copies", 1),
        )
        folder = out / "designs" / f"{point.key}-{r['identity'][:8]}"
        if not folder.exists():
            goal = goal_of(point)
            plan = schedule(graph, point.board, point.style, point.disable, goal)
            generate(graph, plan, folder, calibration=goal.calibration)
        folders.append(folder)
    aoc = os.path.abspath(options.compile) if os.sep in options.compile else options.compile
    return compile_all(folders, pool, aoc, options.retries)


def describe(results: list[dict[str, Any]], best: list[dict[str, Any]], console: Console) -> None:
    """The front as a table, how many points there were, and why where nothing can be built."""
    titles = ("images/s", "ms", "ALMs", "blocks", "DSPs", "MHz")
    columns = [("on the front", "left"), *((title, "right") for title in titles)]
    rows = [
        (
            point_text(r),
            rate_with_band(r["throughput_fps"], r["throughput_low_fps"], r["throughput_high_fps"]),
            f"{r['latency_ms']:.3g}",
            f"{r['alms']:,}",
            f"{r['blocks']:,}",
            f"{r['dsps']:,}",
            f"{r['fmax']:.0f}",
        )
        for r in best
    ]
    if best:
        console.table(columns, rows)
    refused = [r for r in results if r["error"]]
    points = counted(len(results), "point")
    console.say(f"{points}, {len(best)} on the front, {len(refused)} cannot be built")
    for r in refused if not best else ():
        console.say(f"{r['key']}: {r['error']}")


def point_text(r: dict[str, Any]) -> str:
    """A point with spaces where its key has none, so that it may go on in a second line."""
    built = "" if r["built"] == r["style"] else f" built as {r['built']}"
    return f"{r['key'].replace('-', ' ')}{built}"
