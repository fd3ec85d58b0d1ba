"""Every file that comes from outside, mutated field by field: a command that reads it must end in
time and in bounded memory, with a result or with one message, never with a traceback."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import tempfile
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from hlsgen.boards import boards
from hlsgen.cli.main import main
from hlsgen.model.calibration import default_calibration
from tests.support.aoc_reports import area, loops, memory, write
from tests.support.cases import case

# Seconds and bytes that a command may take over a small file.
LIMIT, MEMORY = 20, 3 << 30
QUARTUS = {
    "quartusFitClockSummary": {"nodes": [{"name": "Clock", "kernel clock": "280.00"}]},
    "quartusFitResourceUsageSummary": {
        "nodes": [
            {"type": "kernel", "name": "c", "alm": "900", "reg": "2", "dsp": "4", "ram": "3"},
            {"type": "aclsystem", "name": "Total", "alm": "42,720", "dsp": "759", "ram": "2,713"},
        ]
    },
}
DELETE = object()
LONG = "n" * 200_000
WRONG: tuple[Any, ...] = (
    *(DELETE, None, True, "", "x", LONG, "1.2.3", "\x00", "../../x", "é"),
    *(0, -1, 1, 3, 1 << 20, (1 << 31) - 1, 1 << 31, 1 << 64, 0.5, 1e308, float("nan")),
    *(float("inf"), [], {}, [[]], [None], {"": None}, {"x": {"y": []}}, [1] * 65, [1 << 31] * 3),
)


@dataclass(frozen=True)
class Target:
    """A kind of file: how to make a good one in a folder, and the commands that read it, with
    `FOLDER` for the folder's path."""

    file: str
    commands: tuple[tuple[str, ...], ...]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all values of a JSON tree; of long lists the first and the last item."""
    yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, (*path, name))
    if isinstance(value, list):
        for i in sorted({0, len(value) - 1} if value else ()):
            yield from places(value[i], (*path, i))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The tree with another value at a place, or without it."""
    if not path:
        return {} if new is DELETE else new
    tree = copy.deepcopy(value)
    inner = tree
    for step in path[:-1]:
        inner = inner[step]
    if new is DELETE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return tree


def texts(good: str) -> Iterator[tuple[str, str]]:
    """Names and contents of bad files: every value replaced, a field too many, cut text, deep
    text."""
    tree = json.loads(good)
    for path in places(tree):
        for new in WRONG:
            what = "deleted" if new is DELETE else repr(new)[:30]
            yield f"{'.'.join(map(str, path))} = {what}", json.dumps(changed(tree, path, new))
        inner = tree
        for step in path:
            inner = inner[step]
        if isinstance(inner, dict):
            yield (
                f"{'.'.join(map(str, path))} + surprise",
                json.dumps(changed(tree, (*path, "surprise"), 1)),
            )
    yield "empty", ""
    yield "cut", good[: len(good) // 2]
    yield "deep", "[" * 100_000
    yield "deep objects", '{"children":' * 50_000
    yield "not UTF-8", "\udcff"


def ends(command: tuple[str, ...]) -> str:
    """How a command ended: "" when in order, else what was wrong. In this process."""
    out, err = io.StringIO(), io.StringIO()
    status: Any = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(command)
    except SystemExit as error:
        status = error.code
    except BaseException:
        return f"traceback:\n{traceback.format_exc()[-1500:]}"
    if status == 70:
        return f"internal error:\n{err.getvalue()[-800:]}"
    if status not in (0, 1, 2):
        return f"status {status}"
    if "Traceback" in err.getvalue():
        return f"traceback in the message:\n{err.getvalue()[-800:]}"
    if status == 2 and len(err.getvalue()) > 4000:
        return f"a message of {len(err.getvalue())} characters"
    return "" if status != 2 or "error" in err.getvalue() else "no message"


def attempt(folder: str, file: str, text: str, command: tuple[str, ...]) -> str:
    """One command with one bad file, in a copy of a folder, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="records-") as place:
        copied = Path(place) / "work"
        shutil.copytree(folder, copied)
        (copied / file).write_bytes(text.encode("utf-8", "surrogateescape"))
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            signal.alarm(LIMIT)
            result = ends(tuple(part.replace("FOLDER", str(copied)) for part in command))
            os.write(writer, result.encode("utf-8", "replace")[:60_000])
            os._exit(0)
        os.close(writer)
        with open(reader, "rb") as pipe:
            told = pipe.read().decode()
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            return "took too long" if number == signal.SIGALRM else f"died of signal {number}"
        return told


def good_files(folder: Path) -> dict[str, Target]:
    """Good files of every kind in a folder, made with hlsgen from a small network."""
    onnx.save(case("add_residual"), folder / "model.onnx")
    model = str(folder / "model.onnx")
    board = asdict(boards()["de10_nano"])
    (folder / "board.json").write_text(json.dumps(board))
    (folder / "calibration.json").write_text(default_calibration().to_json())
    reports = write(
        folder / "aoc",
        area({"c": ([100, 200, 3, 4, 0], [memory("w", 3, 1024, 2, 4, 1)])}, 1, 1),
        loops({"c": [(4, "1"), (5, "~2")]}),
    )
    lib = reports / "reports" / "lib" / "json"
    (lib / "quartus.json").write_text(json.dumps(QUARTUS))
    for style in ("pipelined", "folded"):
        design = folder / style
        assert main(("build", model, "--style", style, "--out", str(design), "-q")) == 0
        shutil.copy(design / "plan.json", folder / f"{style}.json")
    build = ("build", "FOLDER/model.onnx", "-q", "--out", "FOLDER/new")
    found = {
        f"plan of a {style} design": Target(
            f"{style}.json", ((*build, "--plan", f"FOLDER/{style}.json"),)
        )
        for style in ("pipelined", "folded")
    }
    found |= {
        f"manifest of a {style} design": Target(
            f"{style}/design.json",
            (("validate", f"FOLDER/{style}", "-q"), ("report", f"FOLDER/{style}", "-q")),
        )
        for style in ("pipelined", "folded")
    }
    design = folder / "pipelined"
    assert main(("validate", str(design), "-q")) == 0
    assert main(("audit", str(design), "-q")) in (0, 1)
    json_files = ("area.json", "loops.json", "quartus.json")
    found |= {
        f"aoc's {name}": Target(
            f"aoc/reports/lib/json/{name}",
            (
                ("calibrate", "FOLDER/aoc"),
                ("compare", "FOLDER/pipelined", "FOLDER/aoc"),
                ("report", "FOLDER/pipelined", "--aoc", "FOLDER/aoc", "-q"),
            ),
        )
        for name in json_files
    }
    found |= {
        name: Target(f"pipelined/{name}", (("report", "FOLDER/pipelined", "-q"),))
        for name in ("validation.json", "audit.json", "plan.json")
    }
    return found | {
        "board": Target("board.json", ((*build, "--board", "FOLDER/board.json"),)),
        "calibration": Target(
            "calibration.json", ((*build, "--calibration", "FOLDER/calibration.json"),)
        ),
    }


def run(count: int, seed: int = 0) -> int:
    """Try so many mutations of all files and commands, drawn at random; prints what went wrong and
    returns how many did."""
    with tempfile.TemporaryDirectory(prefix="records-good-") as place:
        folder = Path(place)
        jobs = [
            (name, target.file, command, what, text)
            for name, target in good_files(folder).items()
            for command in target.commands
            for what, text in texts((folder / target.file).read_text())
        ]
        drawn = random.Random(seed).sample(jobs, min(count, len(jobs)))
        wrong = 0
        # Not a Pool: its processes are daemons, which may have no children, as the audit needs.
        forking = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(os.cpu_count(), mp_context=forking) as pool:
            pending = [
                (name, what, command, pool.submit(attempt, place, file, text, command))
                for name, file, command, what, text in drawn
            ]
            for name, what, command, job in pending:
                if told := job.result():
                    wrong += 1
                    print(f"{name}, {command[0]}: {what}: {told}", flush=True)
    print(f"{len(drawn)} of {len(jobs)} mutations: {wrong} wrong")
    return wrong
