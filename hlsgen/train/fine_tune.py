"""Trains a sparse network on, its zeros kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import onnx

from hlsgen.host.pictures import Preparation
from hlsgen.train.settings import Settings
from hlsgen.train.trainer import Trainer, Watcher

BATCH = 64


def fine_tune(
    model: onnx.ModelProto,
    data: str,
    preparation: Preparation,
    epochs: int,
    rate: float,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> onnx.ModelProto:
    """The network after `epochs` over the training pictures of `data`; weights that are zero stay
    zero. Raises HlsgenError."""
    with tempfile.TemporaryDirectory(prefix="hlsgen-fine-tune-") as name:
        folder = Path(name)
        onnx.save(model, folder / "sparse.onnx")
        settings = Settings(
            str(folder / "sparse.onnx"),
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
