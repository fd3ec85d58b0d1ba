"""Trains a sparse network on, its zeros kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx

from hlsgen.frontend.model import write_model
from hlsgen.host.pictures import Preparation
from hlsgen.train.settings import Settings
from hlsgen.train.trainer import Trainer, Watcher

BATCH = 64
# The sparse network that is trained on.
START = "sparse.onnx"


def fine_tune(
    model: onnx.ModelProto,
    data: str,
    preparation: Preparation,
    epochs: int,
    rate: float,
    folder: Path,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> onnx.ModelProto:
    """The network after `epochs` over the training pictures of `data`; weights that are zero stay
    zero. `folder` takes the network as it comes in, curves and checkpoints. Raises HlsgenError."""
    folder.mkdir(parents=True, exist_ok=True)
    start = folder / START
    write_model(model, start)
    settings = Settings(
        str(start),
        data,
        preparation=preparation,
        epochs=epochs,
        batch=BATCH,
        rate=rate,
        decay="cosine",
        keep_zeros=True,
        threads=0,
    )
    watcher = Watcher(
        minibatch=lambda done, total, loss, _: progress(
            done, total, f"fine-tuning, loss {loss:.3f}"
        )
    )
    outcome = Trainer(settings, folder, watcher=watcher).run()
    assert outcome is not None
    return outcome.network.restore(outcome.values)
