"""`doctor`: what is installed, which devices are seen, what is missing and how to mend it."""

from __future__ import annotations

import argparse
import shutil
import sys
from importlib import metadata
from typing import Any

from hlsgen.audit.compiler import INSTALL as INSTALL_AUDIT
from hlsgen.audit.compiler import PACKAGES as AUDIT_PACKAGES
from hlsgen.cli import cache
from hlsgen.cli.console import Console
from hlsgen.host.devices import INSTALL
from hlsgen.host.errors import HostError
from hlsgen.host.runner import find_devices
from hlsgen.train import INSTALL_TORCH

NAME = "doctor"
HELP = "tell what is installed, which OpenCL devices are seen, and what is missing"
EXAMPLE = "hlsgen doctor"

# Package, whether hlsgen works without it, how to get it.
PACKAGES = (
    ("numpy", False, "pip install numpy"),
    ("onnx", False, "pip install onnx"),
    ("networkx", False, "pip install networkx"),
    ("jinja2", False, "pip install jinja2"),
    ("rich", False, "pip install rich"),
    ("ortools", False, "pip install ortools"),
    ("pyopencl", False, "pip install pyopencl"),
    ("onnxruntime", True, "pip install 'hlsgen[onnxruntime]'"),
    ("torch", True, INSTALL_TORCH),
    *((name, True, INSTALL_AUDIT) for name in AUDIT_PACKAGES),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def execute(options: argparse.Namespace, console: Console) -> int:
    """Print packages and devices. Status 0 when designs can be validated on the emulator."""
    packages = [package(*row) for row in PACKAGES]
    aoc = shutil.which("aoc")
    devices, problems = [], []
    for kind in ("emulator", "cpu", "system"):
        try:
            found = find_devices(kind)
        except HostError as error:
            problems.append({"kind": kind, "problem": error.reason, "remedy": error.remedy})
            continue
        if not found:
            problems.append({"kind": kind, "problem": "no device found", "remedy": INSTALL[kind]})
        for index, device in enumerate(found):
            option = kind if kind != "system" else str(index)
            devices.append(device | {"option": option})
    ok = any(d["option"] == "emulator" for d in devices) and all(
        p["installed"] or p["optional"] for p in packages
    )
    describe(packages, devices, problems, aoc, console)
    console.say(
        "Ready: designs can be built and validated."
        if ok
        else "Not ready: see what is missing above.",
        "bold green" if ok else "bold red",
    )
    console.result(
        {
            "ok": ok,
            "python": sys.version.split()[0],
            "packages": packages,
            "devices": devices,
            "missing": problems,
            "cache": cache.state(),
            "aoc": aoc,
        }
    )
    return 0 if ok else 1


def package(name: str, optional: bool, remedy: str) -> dict[str, Any]:
    """Whether a package is installed, and its version."""
    try:
        version: str | None = metadata.version(name)
    except metadata.PackageNotFoundError:
        version = None
    return {
        "name": name,
        "installed": version is not None,
        "version": version,
        "optional": optional,
        "remedy": remedy,
    }


def describe(
    packages: list[dict[str, Any]],
    devices: list[dict[str, Any]],
    problems: list[dict[str, Any]],
    aoc: str | None,
    console: Console,
) -> None:
    """Print what was found."""
    rows = [
        (p["name"], p["version"] or "missing", "" if p["installed"] else p["remedy"])
        for p in packages
    ]
    rows.append(("program cache", cache.describe(cache.state()), ""))
    rows.append(
        (
            "aoc",
            aoc or "not found",
            "" if aoc else "needed for real boards alone: Intel FPGA SDK for OpenCL",
        )
    )
    console.table([("software", "left"), ("", "left"), ("", "left")], rows)
    console.say("")
    found = [
        (d["option"], d["name"], d["platform"], "yes" if d["channels"] else "no") for d in devices
    ]
    console.table(
        [
            ("--device", "left"),
            ("OpenCL device", "left"),
            ("platform", "left"),
            ("channels", "left"),
        ],
        found,
    )
    for problem in problems:
        console.say(f"{problem['kind']}: {problem['problem']}; {problem['remedy']}", "yellow")
