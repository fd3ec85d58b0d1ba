"""Every long command, ended at a random moment by a random signal: nothing that it started lives
on, no temporary folder and no half file stays, and an earlier design is whole.

A command that is killed outright cannot clear away: then the next run of it has to.
"""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from hlsgen.codegen.place import own_files
from hlsgen.explore.execute import RESULTS
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from tests.support.networks import parse

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
# Seconds for a command to end by itself, and for what it started to follow it.
LIMIT, SOON = 600.0, 60.0
# How temporary folders of libraries are called.
OTHERS = ("pymp-", "torchinductor_")
NETWORK = """(float[1,1,8,8] x, float[4,1,3,3] w, float[144,12] a, float[12] ab, float[12,3] b,
float[3] bb) => (float[1,3] y) { c = Conv(x, w) s = Relu(c) f = Flatten(s) p = Gemm(f, a, ab)
r = Relu(p) y = Gemm(r, b, bb) }"""
FLOW = """
model = "net.onnx"
data = "data.npz"
out = "flowed"
pictures = 20
[train]
epochs = 1
batch = 16
[sparsify]
sparsity = 0.5
[build]
style = "pipelined"
[validate]
[audit]
[report]
"""
# Writes its output after a while, which a process of its own takes.
AOC = """#!/bin/sh
sleep 2
while [ $# -gt 1 ]; do [ "$1" = -o ] && echo image > "$2"; shift; done
"""
EXPLORE = (
    *("explore", "net.onnx", "--boards", "pac_a10", "--styles", "pipelined,folded"),
    *("--shares", "1", "--jobs", "2", "--out", "explored"),
)
COMMANDS: dict[str, tuple[str, ...]] = {
    "build": ("build", "net.onnx", "--style", "folded", "--out", "design"),
    "validate": ("validate", "design"),
    "audit": ("audit", "design"),
    "report": ("report", "design"),
    "deploy": ("deploy", "design", "-o", "net.tar.gz", "--force"),
    "explore": EXPLORE,
    "farm": (*EXPLORE, "--compile", "./aoc"),
    "sparsify": (
        "sparsify",
        "net.onnx",
        "--data",
        "data.npz",
        "-o",
        "sparse.onnx",
        "--force",
        "--sparsity",
        "0.5",
    ),
    "quantise": ("quantise", "net.onnx", "--data", "data.npz", "-o", "int8.onnx", "--force"),
    "train": (
        *("train", "net.onnx", "--data", "data.npz", "-o", "learnt.onnx", "--force"),
        *("--workers", "2", "--epochs", "2", "--batch", "16"),
    ),
    "flow": ("flow", "flow.toml"),
}


@dataclass(frozen=True)
class Place:
    """A folder to work in, and one for temporary files."""

    work: Path
    scratch: Path

    def start(self, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        """A command that works here."""
        return subprocess.Popen(
            [sys.executable, "-m", "hlsgen", *command, "-q"],
            cwd=self.work,
            env=os.environ | {"TMPDIR": str(self.scratch), "PYTHONPATH": os.getcwd()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=open(self.work.parent / "errors", "wb"),
            start_new_session=True,
        )

    def whole(self, command: tuple[str, ...]) -> float:
        """Run a command to its end; the seconds that it took."""
        started = time.monotonic()
        process = self.start(command)
        if process.wait(LIMIT):
            raise RuntimeError(f"{command} fails:\n{self.errors()[-2000:]}")
        return time.monotonic() - started

    def errors(self) -> str:
        """What the latest command said."""
        return (self.work.parent / "errors").read_text(errors="replace")

    def processes(self) -> list[int]:
        """Those that still work here: they have this place's variables."""
        return [pid for pid in processes() if str(self.scratch) in variable(pid, "TMPDIR")]

    def temporary(self) -> list[str]:
        """Temporary files and folders, but for libraries' own."""
        hidden = (p for p in self.work.rglob(".*") if not p.name.endswith(".lock"))
        ours = (p for p in self.scratch.iterdir() if not p.name.startswith(OTHERS))
        return sorted(str(p.relative_to(self.work.parent)) for p in (*hidden, *ours))


def processes() -> Iterator[int]:
    """All processes."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def variable(pid: int, name: str) -> str:
    """A variable of a process, "" where it has none or is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if line.startswith(f"{name}=".encode()):
                return line.decode(errors="replace").partition("=")[2]
    return ""


def good_files(work: Path) -> None:
    """What the commands read."""
    work.mkdir(parents=True)
    onnx.save(parse(NETWORK), work / "net.onnx")
    draw = np.random.default_rng(0)
    parts: dict[str, Any] = {}
    for part, count in (("train", 96), ("test", 40)):
        parts[f"{part}_images"] = draw.integers(0, 255, (count, 8, 8), np.uint8)
        parts[f"{part}_labels"] = np.arange(count) % 3
    np.savez(work / "data.npz", **parts)
    (work / "flow.toml").write_text(FLOW)
    (work / "aoc").write_text(AOC)
    (work / "aoc").chmod(0o755)


def half_files(work: Path) -> list[str]:
    """Files that are not whole, and designs that are none. A log may end in half a line."""
    wrong = [str(p.relative_to(work)) for p in work.rglob("*") if p.is_file() and not is_whole(p)]
    for design in (p.parent for p in work.rglob("design.json")):
        try:
            HostDesign(design)
        except HostError as error:
            wrong.append(str(error))
        if own_files(design) is None:
            wrong.append(f"{design} is nobody's")
    return wrong


def read_arrays(path: Path) -> None:
    """Read an .npz file to its end. Raises what numpy raises."""
    with np.load(path) as arrays:
        for name in arrays.files:
            arrays[name]


def read_archive(path: Path) -> None:
    """Read an archive to its end. Raises what tarfile and gzip raise."""
    with tarfile.open(path) as archive:
        for member in archive:
            if file := archive.extractfile(member):
                file.read()


# What reads a file of a kind, and ends in an error where it is not whole; how others end.
READERS: dict[str, Callable[[Path], object]] = {
    ".json": lambda path: json.loads(path.read_bytes()),
    ".onnx": onnx.load,
    ".npz": read_arrays,
    ".gz": read_archive,
}
ENDS = {".html": b"</html>", ".png": b"IEND\xaeB`\x82", ".cl": b"}"}


def is_whole(path: Path) -> bool:
    """Whether a file has an end, as far as its kind tells."""
    data = path.read_bytes()
    if path.name == RESULTS or path.suffix == ".log" or path.name.startswith("."):
        return True
    if path.suffix in READERS:
        with suppress(Exception):
            READERS[path.suffix](path)
            return bool(data)
        return False
    if path.suffix == ".csv":
        rows = list(csv.reader(data.decode().splitlines()))
        return data.endswith(b"\n") and len({len(row) for row in rows}) == 1
    return bool(data) and data.rstrip().endswith(ENDS.get(path.suffix, b""))


def attempt(name: str, seconds: float, place: Place, draw: random.Random) -> str:
    """End a command; "" or what is wrong after that."""
    command, number = COMMANDS[name], draw.choice(SIGNALS)
    moment = draw.random() * seconds
    process = place.start(command)
    with suppress(subprocess.TimeoutExpired):
        process.wait(moment)
    process.send_signal(number)
    told = f"{name}, {number.name} after {moment:.2f} s: "
    try:
        process.wait(SOON)
        deadline = time.monotonic() + SOON
        while place.processes() and time.monotonic() < deadline:
            time.sleep(0.1)
        if alive := place.processes():
            return f"{told}processes live on: {alive}"
    except subprocess.TimeoutExpired:
        return f"{told}it does not end"
    finally:
        for pid in place.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
    if "Traceback" in place.errors():
        return f"{told}{place.errors()[-1500:]}"
    if half := half_files(place.work):
        return f"{told}not whole: {half}"
    if number != signal.SIGKILL and (left := place.temporary()):
        return f"{told}stays: {left}"
    if number == signal.SIGKILL:
        for path in (*place.scratch.iterdir(), *place.work.rglob(".*")):
            os.utime(path, (0, 0))  # nothing young counts as left behind
        try:
            place.whole(command)
        except RuntimeError as error:
            return f"{told}{error}"
        if left := place.temporary():
            return f"{told}stays after the next run: {left}"
    return ""


def run(count: int, seed: int = 0, names: tuple[str, ...] = tuple(COMMANDS)) -> int:
    """End commands so many times; prints what went wrong and returns how often."""
    draw, wrong = random.Random(seed), 0
    with tempfile.TemporaryDirectory(prefix="ends-") as folder:
        good = Place(Path(folder) / "good" / "work", Path(folder) / "good" / "scratch")
        good.scratch.mkdir(parents=True)
        good_files(good.work)
        good.whole(("build", "net.onnx", "--style", "pipelined", "--out", "design"))
        seconds = {}
        for number in range(count):
            name = names[number % len(names)]
            root = Path(folder) / str(number)
            place = Place(root / "work", root / "scratch")
            shutil.copytree(good.work.parent, root)
            if name not in seconds:
                seconds[name] = place.whole(COMMANDS[name])
                shutil.rmtree(root)
                shutil.copytree(good.work.parent, root)
            if told := attempt(name, seconds[name], place, draw):
                wrong += 1
                print(told, flush=True)
            shutil.rmtree(root)
    print(f"{count} ends of {len(names)} commands: {wrong} wrong")
    return wrong
