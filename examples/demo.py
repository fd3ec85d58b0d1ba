"""`make demo`: two trained networks become OpenCL designs that run on the Intel FPGA emulator,
layer by layer.

Runs the same commands that a user would type, and keeps their output as a page.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
from rich.console import Console

FOLDER = Path("demo")
console = Console(record=True, highlight=False, width=120)


def command(line: str) -> int:
    """Show a command, run it, show what it prints. Returns its exit status."""
    console.print(f"[bold]$ {line}[/]")
    words = shlex.split(line)
    words = [sys.executable, "-m", *words] if words[0] == "hlsgen" else [sys.executable, *words[1:]]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    for text in process.stdout:
        text = text.rstrip()
        style = (
            "green"
            if text.startswith("RIGHT")
            else "red"
            if text.startswith(("WRONG", "error", "DEADLOCK"))
            else None
        )
        console.print(text, style=style, markup=False)
    console.print()
    return process.wait()


def accuracy(name: str) -> None:
    """Say how many of the pictures the emulated design recognises."""
    with np.load(FOLDER / f"{name}_result.npz") as file:
        top1 = file["output"].argmax(axis=1)
    labels = np.load(FOLDER / f"{name}_labels.npy")
    console.print(
        f"The emulated accelerator recognises {(top1 == labels).sum()} of {len(labels)} "
        "pictures.\n",
        style="bold",
    )


def main() -> int:
    """Build, validate and run both networks; 0 when every verdict is right."""
    status = 0
    networks = (
        (
            "mnist",
            "mnist",
            "auto",
            "trained on handwritten digits: a kernel a layer, joined by channels",
        ),
        (
            "imagenet",
            "mobilenetv2",
            "folded",
            "MobileNetV2 trained on ImageNet: a few engines, shared by all layers",
        ),
    )
    for pictures, network, style, title in networks:
        console.rule(title)
        design = FOLDER / network
        for line in (
            f"python -m examples.trained {pictures} {FOLDER}",
            f"hlsgen build {FOLDER}/{network}.onnx --board pac_d5005 --style {style} --out "
            f"{design}",
            f"hlsgen validate {design} --input {FOLDER}/{pictures}.npz",
            f"hlsgen report {design}",
            f"hlsgen run {design} --input {FOLDER}/{pictures}.npz --output "
            f"{FOLDER}/{pictures}_result.npz",
        ):
            status = status or command(line)
        if not status:
            accuracy(pictures)
    report = FOLDER / "report.html"
    console.print(
        "Kernels: demo/*/kernels. Decisions: demo/*/plan.json. Predicted cost and time: "
        "demo/*/report.html."
    )
    console.print(
        "[bold green]RIGHT[/]: both designs computed what they should."
        if not status
        else "[bold red]WRONG[/]"
    )
    console.print(f"Report: {report.resolve()}", soft_wrap=True)
    console.save_html(str(report))
    return status


if __name__ == "__main__":
    sys.exit(main())
