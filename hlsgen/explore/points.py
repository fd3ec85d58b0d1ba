"""Points of the design space: which are asked for, what each is predicted to reach, which are on
the Pareto front."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlsgen.boards import board_key
from hlsgen.errors import BoardError
from hlsgen.model.calibration import load_calibration
from hlsgen.model.resources import Caps
from hlsgen.schedule.goal import Goal
from hlsgen.style import AUTO, having

# Styles that may have several images a launch, and several copies.
WITH_IMAGES, WITH_COPIES = (AUTO, *having("images")), (AUTO, *having("copies"))
# What the front weighs: name, and whether more is better.
CRITERIA = (
    ("throughput_fps", True),
    ("latency_ms", False),
    ("dsps", False),
    ("blocks", False),
    ("alms", False),
)


@dataclass(frozen=True)
class Point:
    """One question to the scheduler. `share` scales the caps: 0.5 lets a design use half of what it
    may; `images` a launch of folded designs, `copies` of pipelined ones."""

    board: str
    style: str
    objective: str = "throughput"
    share: float = 1.0
    fps: float = 0.0
    disable: tuple[str, ...] = ()
    calibration: str = ""
    images: int = 1
    copies: int = 1

    @property
    def key(self) -> str:
        """A short name, unique among the options, also fit for a directory."""
        parts = [
            Path(self.board).stem,
            self.style,
            self.objective,
            f"{self.share:g}",
            *self.disable,
        ]
        if self.fps:
            parts.append(f"fps{self.fps:g}")
        if self.images > 1:
            parts.append(f"images{self.images}")
        if self.copies > 1:
            parts.append(f"copies{self.copies}")
        return "-".join(parts)


def grid(
    boards: Sequence[str],
    styles: Sequence[str],
    objectives: Sequence[str],
    shares: Sequence[float],
    fps: float,
    calibration: str,
    images: Sequence[int] = (1,),
    copies: Sequence[int] = (1,),
) -> list[Point]:
    """All combinations that can be: `fps` belongs to the objective resources, `images` a launch to
    folded and hybrid designs, `copies` to pipelined ones (auto takes one of the two). Raises
    BoardError for a board that does not exist, and for two whose designs would have the same
    name."""
    keys = list(dict.fromkeys(board_key(name) for name in boards))
    twins = [key for key in keys if [Path(other).stem for other in keys].count(Path(key).stem) > 1]
    if twins:
        raise BoardError(
            f"{' and '.join(twins)} have the same name",
            where="--boards",
            remedy="rename a board file: its name names its designs",
        )
    return [
        Point(
            board,
            style,
            objective,
            share,
            fps if objective == "resources" else 0.0,
            calibration=calibration,
            images=count,
            copies=number,
        )
        for board, style, objective, share in itertools.product(keys, styles, objectives, shares)
        for count in (images if style in WITH_IMAGES else (1,))
        for number in (copies if style in WITH_COPIES else (1,))
        if count == 1 or number == 1
    ]


def goal_of(point: Point) -> Goal:
    """The scheduler's goal for a point."""
    caps = Caps()
    caps = Caps(*(cap * point.share for cap in vars(caps).values()))
    return Goal(
        point.objective,
        point.fps,
        caps,
        calibration=load_calibration(point.calibration or None),
        images=point.images,
        copies=point.copies,
    )


def dominates(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether a is at least as good as b in every criterion, and better in one."""
    signs = [(a[name] - b[name]) * (1 if more else -1) for name, more in CRITERIA]
    return all(s >= 0 for s in signs) and any(s > 0 for s in signs)


def front(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results that no other dominates, fastest first; one of several that are equal in every
    criterion."""
    valid = [r for r in results if not r["error"]]
    kept: dict[tuple[float, ...], dict[str, Any]] = {}
    for r in valid:
        if not any(dominates(other, r) for other in valid):
            kept.setdefault(tuple(r[name] for name, _ in CRITERIA), r)
    return sorted(kept.values(), key=lambda r: -r["throughput_fps"])


def distinct(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every design once: of several points that led to it the one on the front, else the first,
    with the keys of the `others`. Points that cannot be built are kept as they are."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for r in results:
        groups.setdefault(r["key"] if r["error"] else r["design"], []).append(r)
    return [
        first | {"others": [r["key"] for r in rest]}
        for first, *rest in (sorted(g, key=lambda r: not r["pareto"]) for g in groups.values())
    ]
