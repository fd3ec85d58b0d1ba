"""What a training run is asked to do."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path
from typing import Any, Literal

from hlsgen.host.pictures import Preparation

SCHEMES = ("pipelined", "sequential", "gpipe")
# How feature maps lie in memory; "auto": with channels last, or as the layers are faster where they
# are measured.
LAYOUTS = ("auto", "channels_first", "channels_last")
Layout = Literal["channels_first", "channels_last"]
PLACEMENTS = ("together", "apart")
# What makes up for stale weights.
CORRECTIONS = ("none", "predict", "spike", "pipemare", "nesterov")
OPTIMIZERS = ("sgd", "adamw")
DECAYS = ("constant", "step", "cosine")
# With the step schedule the rate falls to a tenth after these shares of the run (as He et al.
# trained ResNets).
MILESTONES = (0.5, 0.75)
# Files of a run's folder: what it goes on from, and what it came to.
CHECKPOINT, RUN = "checkpoint.pt", "run.json"

UNPREPARED = Preparation()


@dataclass(frozen=True)
class Settings:
    """All options of `hlsgen train` but where results go. `hybrid`: the share of the minibatches
    that is pipelined, `restart`: after it the rate begins anew; `threads` 0: as many as torch takes
    by itself."""

    model: str
    data: str
    test: str = ""
    preparation: Preparation = UNPREPARED
    cuts: tuple[str, ...] = ()
    workers: int = 0
    measure_cuts: bool = False
    scheme: str = "pipelined"
    placement: str = "together"
    correct: str = "none"
    hybrid: float = 1.0
    restart: bool = False
    epochs: int = 1
    limit: int = 0
    augment: tuple[str, ...] = ()
    batch: int = 128
    microbatches: int = 4
    rate: float = 0.05
    decay: str = "constant"
    warmup: int = 0
    optimizer: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    keep_zeros: bool = False
    seed: int = 0
    threads: int = 1
    layout: str = "auto"
    device: str = "cpu"

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of a minibatch's update: it rises over `warmup` minibatches, then keeps
        to the schedule; with `restart` once in the pipelined share and once after it."""
        switch = round(self.hybrid * steps) if self.restart else 0
        if step >= switch:
            step, steps = step - switch, steps - switch
        else:
            steps = switch
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = step / max(steps, 1)
        if self.decay == "cosine":
            return self.rate * (1 + cos(pi * done)) / 2
        return (
            self.rate * 0.1 ** sum(done >= m for m in MILESTONES)
            if self.decay == "step"
            else self.rate
        )

    def identity(self) -> dict[str, Any]:
        """What must be the same for a run to be resumed: everything, the network's contents in
        place of its path."""
        fields = asdict(self) | {
            "model": hashlib.sha256(Path(self.model).read_bytes()).hexdigest(),
            "preparation": repr(self.preparation),
        }
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in fields.items()
        }
