"""Checkpoints: all that a run goes on from after an epoch, written whole and read through a
schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge

from hlsgen.errors import TrainingError
from hlsgen.frontend.model import first_line
from hlsgen.host.files import whole
from hlsgen.schema import STRICT, checked
from hlsgen.train.journal import Noted
from hlsgen.train.settings import CHECKPOINT, Layout

FORMAT: Literal[1] = 1


@dataclass(frozen=True)
class Checkpoint:
    """A run after an epoch. `identity` is that of its settings, `seconds` its training so far;
    `workers`: what every worker's stage goes on from, by rank (it checks that itself)."""

    __pydantic_config__ = STRICT

    identity: Mapping[str, Any]
    cuts: tuple[str, ...]
    layout: Layout
    epoch: Annotated[int, Ge(1)]
    seconds: Annotated[float, Ge(0)]
    journal: Noted
    format: Literal[1] = FORMAT
    workers: tuple[Any, ...] = ()

    def write(self, folder: Path) -> None:
        """Write it, all of it or nothing."""
        content = asdict(replace(self, workers=())) | {"workers": self.workers}
        with whole(folder / CHECKPOINT) as temporary:
            torch.save(content, temporary)


def read_checkpoint(folder: Path, identity: Mapping[str, Any], world: int) -> Checkpoint:
    """The checkpoint of a run that is to be resumed by `world` workers. Raises TrainingError where
    there is none, or that of another run."""
    path = folder / CHECKPOINT
    where, anew = f"--resume {path}", "start without --resume"
    if not path.is_file():
        remedy = f"{anew}; the first one follows the first epoch"
        raise TrainingError("no checkpoint there", where=where, remedy=remedy)
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for files that are not its own
        reason = f"cannot be read ({first_line(error)})"
        raise TrainingError(reason, where=where, remedy=anew) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise TrainingError("is no checkpoint of this version", where=where, remedy=anew)
    workers = content.pop("workers", None)
    found = checked(Checkpoint, content, where, TrainingError, anew)
    different = sorted(k for k in identity if found.identity.get(k) != identity[k])
    if not isinstance(workers, (list, tuple)) or len(workers) != world:
        different.append("workers")
    if different:
        raise TrainingError(
            f"it belongs to a run with other {', '.join(different)}",
            where=where,
            remedy=f"repeat the options of that run, or {anew}",
        )
    return replace(found, workers=tuple(workers))
