"""Curves of accuracy against sparsity as CSV and PNG."""

from __future__ import annotations

import csv
from pathlib import Path

from hlsgen.data.evaluate import Score
from hlsgen.errors import OutputError
from hlsgen.host.files import whole

# What `write_curves` writes.
FILES = TABLE, PICTURE = "curves.csv", "curves.png"
Curves = dict[str, list[tuple[float, Score]]]


def write_curves(curves: Curves, folder: Path, title: str) -> list[Path]:
    """Write curves.csv and, where matplotlib is installed, curves.png. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole(folder / TABLE) as temporary, open(temporary, "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["method", "sparsity", "right", "pictures", "accuracy", "low", "high"])
            for method, points in curves.items():
                for sparsity, score in points:
                    numbers = (score.share, *score.interval)
                    rows.writerow(
                        [
                            method,
                            sparsity,
                            score.right,
                            score.pictures,
                            *(f"{n:.4f}" for n in numbers),
                        ]
                    )
    except OSError as error:
        raise OutputError(
            f"cannot be written ({error.strerror})", where=f"--curves {folder}"
        ) from None
    return [folder / TABLE, *draw(curves, folder / PICTURE, title)]


def draw(curves: Curves, path: Path, title: str) -> list[Path]:
    """The plot, all methods in one."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        return []
    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for method, points in curves.items():
        axes.plot(
            [100 * s for s, _ in points],
            [100 * score.share for _, score in points],
            marker="o",
            ms=3,
            label=method,
        )
    axes.set(xlabel="weights that are zero, %", ylabel="accuracy, %", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    with whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120, bbox_inches="tight")
    pyplot.close(figure)
    return [path]
