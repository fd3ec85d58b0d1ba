"""What a run leaves to look at: losses and accuracies as CSV, curves as a picture."""

from __future__ import annotations

import csv
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from hlsgen.errors import TrainingError
from hlsgen.schema import STRICT

EPOCHS, LOSSES, CURVES = "epochs.csv", "losses.csv", "curves.png"
# Minibatches whose losses are averaged in the picture.
WINDOW = 20


@dataclass(frozen=True)
class Epoch:
    """One epoch: mean loss and accuracy while training, accuracy on the test pictures after it, and
    its seconds without testing."""

    __pydantic_config__ = STRICT

    epoch: Annotated[int, Ge(1)]
    scheme: str
    rate: float
    loss: float
    accuracy: float
    test_accuracy: float
    seconds: float


@dataclass(frozen=True)
class Noted:
    """What a journal holds, as a checkpoint keeps it: minibatch, loss and accuracy; the epochs."""

    __pydantic_config__ = STRICT

    losses: tuple[tuple[int, float, float], ...]
    epochs: tuple[Epoch, ...]


@dataclass
class Journal:
    """Collects what happens and writes it into `folder`."""

    folder: Path
    losses: list[tuple[int, float, float]] = field(
        default_factory=list
    )  # minibatch, loss, accuracy
    epochs: list[Epoch] = field(default_factory=list)

    def minibatch(self, step: int, loss: float, accuracy: float) -> None:
        """Note a minibatch. Raises TrainingError for a loss that is no number."""
        if loss != loss or loss == float("inf"):
            raise TrainingError(
                f"the loss is {loss} at minibatch {step + 1}",
                where="training",
                remedy="lower --lr, or warm up with --warmup",
            )
        self.losses.append((step, loss, accuracy))

    def write(self) -> None:
        """Write the tables and, where matplotlib is installed, the picture."""
        write_table(self.folder / EPOCHS, [asdict(epoch) for epoch in self.epochs])
        names = ("minibatch", "loss", "accuracy")
        write_table(
            self.folder / LOSSES, [dict(zip(names, row, strict=True)) for row in self.losses]
        )
        write_curves(self.folder / CURVES, self)

    def noted(self) -> Noted:
        """For a checkpoint."""
        return Noted(tuple(self.losses), tuple(self.epochs))

    def load(self, noted: Noted) -> None:
        """From a checkpoint."""
        self.losses, self.epochs = list(noted.losses), list(noted.epochs)


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """A CSV file, all of it or nothing."""
    temporary = path.with_name(f".{path.name}.part")
    with open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, path)


def write_curves(path: Path, journal: Journal) -> None:
    """Loss of the minibatches and accuracy after the epochs, side by side."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        return
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    steps = [step for step, _, _ in journal.losses]
    losses = [loss for _, loss, _ in journal.losses]
    means = [
        sum(losses[max(0, i - WINDOW) : i + 1]) / len(losses[max(0, i - WINDOW) : i + 1])
        for i in range(len(losses))
    ]
    left.plot(steps, losses, color="0.8")
    left.plot(steps, means)
    left.set(xlabel="minibatch", ylabel="loss")
    epochs = [epoch.epoch for epoch in journal.epochs]
    right.plot(
        epochs, [epoch.accuracy for epoch in journal.epochs], marker="o", label="while training"
    )
    right.plot(epochs, [epoch.test_accuracy for epoch in journal.epochs], marker="o", label="test")
    switch = [e.epoch for e in journal.epochs if e.scheme != journal.epochs[0].scheme]
    if switch:
        right.axvline(
            switch[0] - 0.5,
            color="0.5",
            linestyle=":",
            label=f"{journal.epochs[-1].scheme} from here",
        )
    right.set(xlabel="epoch", ylabel="accuracy")
    right.legend()
    figure.tight_layout()
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, format="png", dpi=100)
    pyplot.close(figure)
    os.replace(temporary, path)
