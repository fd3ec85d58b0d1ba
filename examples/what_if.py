"""What if the board had more memory bandwidth? A board that does not exist, made from one that
does: `python -m examples.what_if`."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import hlsgen
from hlsgen.boards import board
from hlsgen.model.estimate import estimate
from hlsgen.zoo import network


def main() -> None:
    """Print the throughput of ResNet-34 for growing bandwidth."""
    graph = hlsgen.load_graph(network("resnet34"))
    real = board("pac_d5005")
    with tempfile.TemporaryDirectory() as folder:
        for factor in (0.5, 1, 2, 4):
            path = Path(folder) / f"d5005_times_{factor}.json"
            changed = asdict(real) | {"name": path.stem, "bandwidth": real.bandwidth * factor}
            path.write_text(json.dumps(changed))
            found = estimate(graph, hlsgen.schedule(graph, board=str(path), style="folded"))
            print(
                f"{real.bandwidth * factor:6.1f} GB/s: {found.throughput:6.1f} images a second, "
                f"{found.timing.bottleneck}"
            )


if __name__ == "__main__":
    main()
