"""A large network at its true FIFO depths: `python -m benchmarks.strict [NETWORK]`, MobileNetV1
unless another is named.

Every kernel runs at once over FIFOs as deep as on the board; every layer and the output are
compared as in the fast mode. The tests do this with small networks alone. Exit status 1 where
something is wrong or deadlocks.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import hlsgen
from hlsgen.host.design import HostDesign
from hlsgen.host.images import random_images
from hlsgen.host.validation import validate
from hlsgen.validation import Reference
from hlsgen.zoo import network


def main(name: str = "mobilenetv1") -> int:
    """Build, validate strictly, and print the verdict with the seconds an image of both passes."""
    graph = hlsgen.load_graph(network(name))
    with tempfile.TemporaryDirectory() as folder:
        plan = hlsgen.schedule(graph, style="pipelined")
        design = HostDesign(hlsgen.generate(graph, plan, Path(folder) / name).path)
        images = random_images(design, 1)
        for strict in (False, True):
            verdict, _ = validate(
                design, images, Reference(design, images), strict=strict, timeout=1800
            )
            if not verdict["ok"]:
                print(f"{name}: WRONG, {verdict.get('error') or verdict['first_wrong_layer']}")
                return 1
            seconds = sum(verdict["image_seconds"])
            print(
                f"{name}, {verdict['mode']}: {len(verdict['layers'])} layers right, {seconds:.2f} "
                "s an image"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
